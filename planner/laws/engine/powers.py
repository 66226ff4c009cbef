"""Forms of powers of N and T: a power of each, or one of both.

    SeparatePowers   Y = A/N^alpha + B/T^beta + D
    JointPower       Y = A/(N^alpha T^beta) + D

Letters as in `projection`, and R data sets, G grid values of each exponent, L columns of the second power.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.design import Design
from planner.laws.engine.projection import EXPONENT_FLOOR, Columns, Face, Powers, Ratios, Weights, power
from planner.laws.engine.tokens import BudgetLine, by_gains, by_slopes

FloatArray = NDArray[np.float64]

EXPONENTS = np.geomspace(3e-4, 6.0, 24)
"""Grid values of alpha and of beta; neighbours differ by a factor 1.54, far less than the width of a basin."""


@dataclass(frozen=True, kw_only=True)
class _NamedPowers(Powers):
    """What both forms have, by the names that a form gives them."""

    a: str = "A"
    alpha: str = "alpha"
    beta: str = "beta"
    d: str = "D"

    @property
    def offset(self) -> str:
        return self.d

    @property
    def exponents(self) -> tuple[str, ...]:
        return self.alpha, self.beta


@dataclass(frozen=True, kw_only=True)
class SeparatePowers(_NamedPowers):
    """Y = A/N^alpha + B/T^beta + D."""

    b: str = "B"

    two_terms: ClassVar[bool] = True
    exponent_min: ClassVar[float] = EXPONENT_FLOOR  # at zero a power is the constant that D already is
    all_faces: ClassVar[tuple[Face, ...]] = (
        ((0, 1), True), ((0, 1), False), ((0,), True), ((1,), True), ((), True), ((0,), False), ((1,), False),
    )  # fmt: skip

    @property
    def bends(self) -> Mapping[str, str]:
        return {self.alpha: self.a, self.beta: self.b}

    def columns(self, design: Design, exponents: FloatArray) -> Columns:
        n_power, n_slope = power(exponents[:, 0], design.x)
        t_power, t_slope = power(exponents[:, 1], design.t)
        return Columns([n_power, t_power], [n_slope, t_slope], [exponents[:, 0], exponents[:, 1]])

    def terms(self, exponents: Mapping[str, FloatArray], ln_n: FloatArray, ln_t: FloatArray) -> dict[str, FloatArray]:
        in_n, in_t = -exponents[self.alpha] * ln_n, -exponents[self.beta] * ln_t
        return {self.a: np.exp(in_n), self.b: np.exp(in_t), self.d: np.ones(len(ln_n))}

    def product_columns(self, design: Design, exponents: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.exp(-exponents[:, :1] * design.x), np.exp(-exponents[:, 1:] * design.t)

    def point_weights(self, x: FloatArray, t: FloatArray, exponents: FloatArray) -> Weights:
        return np.exp(-exponents[:, 0] * x), np.exp(-exponents[:, 1] * t), np.ones_like(x)

    def parameter_weights(self, name: str, design: Design, exponents: FloatArray) -> Weights:
        zero, one = np.zeros(len(exponents)), np.ones(len(exponents))
        if name == self.d:
            return zero, zero, one
        if name == self.b:
            return zero, np.exp(exponents[:, 1] * design.t_mean), zero
        return np.exp(exponents[:, 0] * design.x_mean), zero, zero

    def params(
        self, design: Design, exponents: FloatArray, a: FloatArray, b: FloatArray, d: FloatArray
    ) -> dict[str, FloatArray]:
        alpha = np.where(a > 0, exponents[:, 0], 0.0)  # a term that is not there has no exponent
        beta = np.where(b > 0, exponents[:, 1], 0.0)
        scaled = {self.a: a * np.exp(alpha * design.x_mean), self.b: b * np.exp(beta * design.t_mean)}
        return {self.a: scaled[self.a], self.alpha: alpha, self.b: scaled[self.b], self.beta: beta, self.d: d}

    def grid(self, design: Design, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        root = design.root_weight
        n_power = np.exp(-EXPONENTS[:, None] * design.x)
        t_power = np.exp(-EXPONENTS[:, None] * design.t)
        target, y_mean = _centred(y, root)
        n_free, n_mean = _centred(n_power, root)
        t_free, t_mean = _centred(t_power, root)
        y_mean = y_mean[:, None, None]
        with_d = _pair(n_free, t_free, target, lambda a, b: y_mean - a * n_mean[:, None] - b * t_mean)
        without_d = _pair(n_power * root, t_power * root, y * root)
        best = np.minimum(with_d, without_d)
        for single in (
            _single(n_free, target, lambda a: y_mean[:, 0] - a * n_mean)[:, :, None],
            _single(t_free, target, lambda b: y_mean[:, 0] - b * t_mean)[:, None],
            _single(n_power * root, y * root)[:, :, None],
            _single(t_power * root, y * root)[:, None],
        ):
            best = np.minimum(best, single)
        return EXPONENTS, best, without_d

    def best_tokens(self, params: Mapping[str, float], line: BudgetLine) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            t_gain, n_gain = params[self.b] * params[self.beta], params[self.a] * params[self.alpha]
            log_gains = float(np.log(t_gain) - np.log(n_gain))
        if math.isnan(log_gains):  # neither term falls: the fewest tokens cost the least
            return line.low
        exponents = np.array([[params[self.alpha], params[self.beta]]])
        return float(by_gains(line, np.array([log_gains]), exponents)[0])

    def best_tokens_interval(self, region: Ratios, line: BudgetLine) -> tuple[float, float]:
        x_mean, t_mean = region.design.x_mean, region.design.t_mean

        def tokens(ratio: FloatArray, exponents: FloatArray) -> FloatArray:
            alpha, beta = exponents[:, 0], exponents[:, 1]
            with np.errstate(divide="ignore"):
                log_gains = np.log(ratio) + beta * t_mean - alpha * x_mean + np.log(beta) - np.log(alpha)
            return by_gains(line, log_gains, exponents)

        found = region.ratio_of_gains(tokens)
        return found.low, found.high


@dataclass(frozen=True, kw_only=True)
class JointPower(_NamedPowers):
    """Y = A/(N^alpha T^beta) + D."""

    two_terms: ClassVar[bool] = False
    exponent_min: ClassVar[float] = 0.0
    all_faces: ClassVar[tuple[Face, ...]] = (((0,), True), ((0,), False), ((), True))

    @property
    def bends(self) -> Mapping[str, str]:
        return {self.alpha: self.a, self.beta: self.a}

    def columns(self, design: Design, exponents: FloatArray) -> Columns:
        scale = np.maximum(np.hypot(exponents[:, 0], exponents[:, 1]), EXPONENT_FLOOR)
        along = (exponents[:, :1] * design.x + exponents[:, 1:] * design.t) / scale[:, None]
        powers, slope = power(scale, along)
        return Columns([powers], [slope], [scale])

    def terms(self, exponents: Mapping[str, FloatArray], ln_n: FloatArray, ln_t: FloatArray) -> dict[str, FloatArray]:
        in_n, in_t = -exponents[self.alpha] * ln_n, -exponents[self.beta] * ln_t
        return {self.a: np.exp(in_n + in_t), self.d: np.ones(len(ln_n))}

    def product_columns(self, design: Design, exponents: FloatArray) -> tuple[FloatArray, FloatArray]:
        first = np.exp(-exponents[:, :1] * design.x - exponents[:, 1:] * design.t)
        return first, np.zeros((1, len(design.x)))

    def point_weights(self, x: FloatArray, t: FloatArray, exponents: FloatArray) -> Weights:
        one = np.ones_like(x)
        return np.exp(-exponents[:, 0] * x - exponents[:, 1] * t), 0.0 * one, one

    def parameter_weights(self, name: str, design: Design, exponents: FloatArray) -> Weights:
        zero, one = np.zeros(len(exponents)), np.ones(len(exponents))
        if name == self.d:
            return zero, zero, one
        n_scale, t_scale = np.exp(exponents[:, 0] * design.x_mean), np.exp(exponents[:, 1] * design.t_mean)
        return n_scale * t_scale, zero, zero

    def params(
        self, design: Design, exponents: FloatArray, a: FloatArray, b: FloatArray, d: FloatArray
    ) -> dict[str, FloatArray]:
        alpha, beta = (np.where(a > 0, exponents[:, k], 0.0) for k in (0, 1))  # no term, no exponent
        scaled = a * np.exp(alpha * design.x_mean + beta * design.t_mean)
        return {self.a: scaled, self.alpha: alpha, self.beta: beta, self.d: d}

    def grid(self, design: Design, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """As `SeparatePowers.grid`; here an exponent may be zero."""
        root = design.root_weight
        axis = np.concatenate([[0.0], EXPONENTS])
        n_power, t_power = np.exp(-axis[:, None] * design.x), np.exp(-axis[:, None] * design.t)
        both = (n_power[:, None] * t_power[None]).reshape(-1, y.shape[1])
        target, y_mean = _centred(y, root)
        free, mean = _centred(both, root)
        with_d = _single(free, target, lambda a: y_mean[:, None] - a * mean)
        without_d = _single(both * root, y * root)
        shape = (len(y), len(axis), len(axis))
        return axis, np.minimum(with_d, without_d).reshape(shape), without_d.reshape(shape)

    def best_tokens(self, params: Mapping[str, float], line: BudgetLine) -> float:
        if params[self.a] <= 0:
            return line.low
        return float(by_slopes(line, np.array(params[self.alpha]), np.array(params[self.beta])))

    def best_tokens_interval(self, region: Ratios, line: BudgetLine) -> tuple[float, float]:
        ratio = region.exponent_ratio()
        steepest = np.inf if math.isnan(ratio.high) else ratio.high  # the steeper in N, the fewer tokens
        ends = by_slopes(line, np.array([steepest, 0.0 if math.isnan(ratio.low) else ratio.low]), np.ones(2))
        return float(ends[0]), float(ends[1])


def _centred(columns: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Columns (..., n) less their weighted means, times the root weight; and the means (...,)."""
    mean = columns @ root**2 / (root @ root)
    return (columns - mean[..., None]) * root, mean


def _single(columns: FloatArray, y: FloatArray, offset: Callable[[FloatArray], FloatArray] | None = None) -> FloatArray:
    """RSS (R, K) of y (R, n) on each of K columns (K, n); infinite where the coefficient or the offset is negative."""
    length = np.einsum("kn,kn->k", columns, columns)
    product = y @ columns.T
    coefficient = product / np.where(length > 0, length, np.inf)
    feasible = (coefficient >= 0) & (length > 0)
    if offset is not None:
        feasible &= offset(coefficient) >= 0
    return np.where(feasible, np.einsum("rn,rn->r", y, y)[:, None] - coefficient * product, np.inf)


def _pair(
    first: FloatArray,
    second: FloatArray,
    y: FloatArray,
    offset: Callable[[FloatArray, FloatArray], FloatArray] | None = None,
) -> FloatArray:
    """RSS (R, K, L) of y (R, n) on all pairs of first (K, n) and second (L, n) columns; infinite where not feasible."""
    s11 = np.einsum("kn,kn->k", first, first)[:, None]
    s22 = np.einsum("ln,ln->l", second, second)[None]
    s12 = first @ second.T
    y1, y2 = (y @ first.T)[:, :, None], (y @ second.T)[:, None]
    determinant = s11 * s22 - s12**2
    regular = determinant > 1e-14 * s11 * s22
    determinant = np.where(regular, determinant, 1.0)
    a, b = (s22 * y1 - s12 * y2) / determinant, (s11 * y2 - s12 * y1) / determinant
    feasible = regular & (a >= 0) & (b >= 0)
    if offset is not None:
        feasible &= offset(a, b) >= 0
    return np.where(feasible, np.einsum("rn,rn->r", y, y)[:, None, None] - a * y1 - b * y2, np.inf)
