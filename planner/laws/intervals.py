"""Profile-likelihood intervals: of every parameter, of predictions, of anything that the exponents decide.

The interval of q at level p holds every q0 for which the best fit with q = q0 has RSS <= RSS_min (1 + F / dof), F the
p-quantile of Fisher's F with (1, dof) degrees of freedom, dof = runs - parameters of the form. Every point solves the
problem again under its bounds, so an active bound bends the interval instead of breaking it (see `region`).

An end that only a bound cuts off is *open*: the data alone do not close it. Open ends are NaN here and null in JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import FitError, InputError
from planner.laws.cloud import Cloud, Problem, log_range, make_cloud, zoom
from planner.laws.faces import Design, make_design
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import get_form
from planner.laws.region import Products, extremes, products, ratio_extremes
from planner.laws.solve import EXPONENT_MAX
from planner.laws.student import two_sided_quantile

FloatArray = NDArray[np.float64]

LEVEL = 0.95
KINDS = ("mean", "new-run")

_FINE, _COARSE = 40, 32  # nodes along each axis of a cloud: of one that is zoomed into, of one for many predictions
_AT_LIMIT = 1e-3  # relative: an end this near to the largest exponent is cut off by it
_NO_NOISE = 1e-13  # relative: sums of squares below this are lost in the inner products of the region
_SEARCH_FLOOR = 1.1e-6  # exponents below it are not searched: an end there is cut off by zero


@dataclass(frozen=True)
class Interval:
    """A range of plausible values; an open end is NaN."""

    low: float
    high: float

    def to_list(self) -> list[float | None]:
        """[low, high] with None for an open end."""
        return [None if math.isnan(end) else end for end in (self.low, self.high)]

    def contains(self, value: float) -> bool:
        """Whether a value lies inside; open ends hold everything on their side."""
        return not (value < self.low or value > self.high)  # comparisons with NaN are false


@dataclass(frozen=True)
class Profiler:
    """The likelihood region of one fitted law, ready to give intervals; make it with `profiler`."""

    law: FittedLaw
    data: FitData
    level: float
    """Of the intervals, such as 0.95."""
    dof: int
    """Runs less parameters."""
    noise_variance: float
    """Weighted RSS / dof: the variance of a run of mean weight."""
    t_squared: float
    """Quantile of F(1, dof): the squared two-sided t quantile."""

    @property
    def rss_level(self) -> float:
        """The largest weighted RSS in the region."""
        return self.noise_variance * (self.dof + self.t_squared)

    @property
    def fixed_exponents(self) -> bool:
        """Whether there is nothing to search: a form without exponents, or both fixed by the user."""
        return self.law.form == "log-linear" or _fixed(self.law) >= {"alpha", "beta"}

    @property
    def best(self) -> FloatArray:
        """The best exponents, (2,); zeros for a form without any."""
        return np.array([self.law.params.get("alpha", 0.0), self.law.params.get("beta", 0.0)])

    @property
    def problem(self) -> Problem:
        """The region, as `cloud` searches it."""
        return Problem(self.law.form, self.design, self.data.y, self.rss_level)

    @cached_property
    def design(self) -> Design:
        return make_design(self.data.n, self.data.t, self.data.weights)

    @cached_property
    def fine(self) -> Cloud:
        """A dense cloud, for zooming in on single quantities."""
        return self._cloud(_FINE, exact=True)

    @cached_property
    def coarse(self) -> Cloud:
        """A sparse cloud, for many predictions at once: some 1 % narrower at worst than a zoom would find."""
        return self._cloud(_COARSE, exact=False)

    @cached_property
    def _coarse_products(self) -> Products:
        return products(self.law.form, self.design, self.data.y, self.coarse.exponents)

    def parameters(self) -> dict[str, Interval]:
        """The interval of every parameter of the form; of a fixed one, the value itself."""
        return {name: self._parameter(name) for name in self.law.params}

    def exponent_ratio(self) -> Interval:
        """The interval of alpha / beta (log-linear: c1 / c2), on which the best number of visual tokens hangs."""
        if self.law.form == "log-linear":
            return self.ratio_of_gains(lambda r, _: 1 / np.maximum(r, 1e-300))
        ratio, alpha, beta = self._exponents((1.0, -1.0)), self._parameter("alpha"), self._parameter("beta")
        if not self.fixed_exponents:  # across a thin ribbon the profile can fall short of what the cloud has reached
            reached = self.fine.exponents[:, 0] / self.fine.exponents[:, 1]
            ratio = Interval(min(ratio.low, float(reached.min())), max(ratio.high, float(reached.max())))
        # where the search for an exponent ends at a limit, so does that for the ratio
        low = math.nan if math.isnan(alpha.low) or math.isnan(beta.high) else ratio.low
        return Interval(low, math.nan if math.isnan(alpha.high) or math.isnan(beta.low) else ratio.high)

    def _exponents(self, weights: tuple[float, float]) -> Interval:
        """The interval of alpha^w1 beta^w2 in a power form."""
        if self.fixed_exponents:
            value = float(np.exp(np.log(self.coarse.exponents[0]) @ np.array(weights)))
            return Interval(value, value)
        known = {(1.0, 0.0): 0, (0.0, 1.0): 1}
        ends = self._ranges[known[weights]] if weights in known else log_range(self.problem, self.best, weights)
        return Interval(*(math.exp(end) for end in ends))

    @cached_property
    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of ln alpha and of ln beta, to all digits."""
        return log_range(self.problem, self.best, (1.0, 0.0)), log_range(self.problem, self.best, (0.0, 1.0))

    def ratio_of_gains(self, quantity: Callable[[FloatArray, FloatArray], FloatArray]) -> Interval:
        """The interval of any rising or falling function of B / A (log-linear: c2 / c1) at given exponents.

        Args:
            quantity: (ratio (K,), exponents (K, 2)) -> (K,), monotone in the ratio; the ratio is that of the centred
                problem, where powers are 1 at the geometric mean of the runs.
        """

        def signed(sign: float) -> Callable[[Products, FloatArray], FloatArray]:
            def value(p: Products, exponents: FloatArray) -> FloatArray:
                low, high = ratio_extremes(p, self.rss_level)
                inside = low <= high
                ends = [sign * quantity(np.where(inside, end, 1.0), exponents) for end in (low, high)]
                return np.where(inside, np.maximum(*ends), -np.inf)

            return value

        return self._ends(signed)

    def predictions(
        self, llm_params: ArrayLike, visual_tokens: ArrayLike, kind: str = "mean"
    ) -> tuple[FloatArray, FloatArray]:
        """Intervals of the error at many points at once.

        Args:
            llm_params: in parameters.
            visual_tokens: broadcasts against `llm_params`.
            kind: "mean" for the law itself, "new-run" for one more run of mean weight, with its own noise.

        Returns:
            low and high, each of the broadcast shape.
        """
        if kind not in KINDS:
            raise InputError(f"kind: expected {' or '.join(KINDS)}, got {kind!r}")
        n, t = np.broadcast_arrays(np.asarray(llm_params, float), np.asarray(visual_tokens, float))
        center = np.asarray(self.law.predict(n, t))
        low, high = self._linear(self._weights_at(n.ravel(), t.ravel()))
        low, high = np.minimum(low.reshape(n.shape), center), np.maximum(high.reshape(n.shape), center)
        if kind == "new-run":
            noise = self.t_squared * self.noise_variance
            return center - np.sqrt((center - low) ** 2 + noise), center + np.sqrt((high - center) ** 2 + noise)
        return low, high

    def differences(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]:
        """Intervals of the error at points (Q,) less the error at one reference (llm_params, visual_tokens)."""
        points = self._weights_at(llm_params, visual_tokens)
        base = self._weights_at(np.array([reference[0]]), np.array([reference[1]]))
        return self._linear(tuple(there - here for there, here in zip(points, base, strict=True)))

    def _linear(self, weights: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        """Extremes (Q,) over the coarse cloud of quantities with weights of (A, B, D), each (Q, K)."""
        g_a, g_b, g_d = weights
        low, high = extremes(self._coarse_products, self.rss_level, (g_a, g_b, g_d))
        return low.min(axis=-1), high.max(axis=-1)

    def _weights_at(self, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, ...]:
        """Weights (Q, K) of the centred (A, B, D) in the error at points (Q,), at the nodes of the coarse cloud."""
        return self._point_weights(llm_params, visual_tokens, self.coarse.exponents)

    def _point_weights(
        self, llm_params: FloatArray, visual_tokens: FloatArray, exponents: FloatArray
    ) -> tuple[FloatArray, ...]:
        x = (np.log(llm_params / self.law.n_unit_params) - self.design.x_mean)[:, None]
        t = (np.log(visual_tokens) - self.design.t_mean)[:, None]
        if self.law.form == "log-linear":
            return -x, -t, np.ones_like(x)
        alpha, beta = exponents[:, 0], exponents[:, 1]
        one = np.ones((len(x), 1))
        if self.law.form == "multiplicative":
            return np.exp(-alpha * x - beta * t), 0.0 * one, one
        return np.exp(-alpha * x), np.exp(-beta * t), one

    def _parameter(self, name: str) -> Interval:
        if name in _fixed(self.law):
            return Interval(self.law.params[name], self.law.params[name])
        if name in ("alpha", "beta"):
            interval = self._exponents((1.0, 0.0) if name == "alpha" else (0.0, 1.0))
            high = math.nan if interval.high > EXPONENT_MAX * (1 - _AT_LIMIT) else interval.high
            return Interval(math.nan if interval.low < _SEARCH_FLOOR else interval.low, high)
        x_mean, t_mean = self.design.x_mean, self.design.t_mean

        def weights(exponents: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            """Of (A, B, D) of the centred problem in the parameter as the form states it."""
            zero, one = np.zeros(len(exponents)), np.ones(len(exponents))
            if name == "D":
                return zero, zero, one
            if name == "c0":
                return one * x_mean, one * t_mean, one
            if name in ("c1", "c2"):
                return (one, zero, zero) if name == "c1" else (zero, one, zero)
            n_scale, t_scale = np.exp(exponents[:, 0] * x_mean), np.exp(exponents[:, 1] * t_mean)
            if name == "B":
                return zero, t_scale, zero
            return (n_scale * t_scale if self.law.form == "multiplicative" else n_scale), zero, zero

        def signed(sign: float) -> Callable[[Products, FloatArray], FloatArray]:
            def value(p: Products, exponents: FloatArray) -> FloatArray:
                low, high = extremes(p, self.rss_level, weights(exponents))
                return high if sign > 0 else -low

            return value

        interval = self._ends(signed)
        cut = name in get_form(self.law.form).non_negative and interval.low <= 1e-12
        return Interval(math.nan if cut else interval.low, interval.high)

    def _ends(self, signed: Callable[[float], Callable[[Products, FloatArray], FloatArray]]) -> Interval:
        """The range over the region of what `signed` gives with either sign, and never less than the optimum's own."""
        ends = [zoom(self.problem, self.fine, signed(sign)) for sign in (-1.0, 1.0)]
        return Interval(-ends[0], ends[1])

    def _cloud(self, side: int, exact: bool) -> Cloud:
        if self.fixed_exponents:
            return Cloud(self.best[None], np.zeros((1, 2, 2)), np.ones(1))
        return make_cloud(self.problem, self.best, side, self._ranges if exact else None)


def profiler(law: FittedLaw, level: float = LEVEL) -> Profiler:
    """The likelihood region of a law, from which every interval is read.

    Args:
        law: a fitted law. A Huber fit is taken at the weights of its last round.
        level: of the intervals, between 0 and 1.

    Raises:
        InputError: a law without runs, or a level outside (0, 1).
        FitError: too few runs for an interval, or a law with tied or bounded parameters.
    """
    if law.data is None:
        raise InputError("intervals need a fitted law: this one was given, it has no runs")
    if not 0 < level < 1:
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
    imposed = set(law.constraints)
    if imposed and not (_fixed(law) == imposed == {"alpha", "beta"}):
        raise FitError(
            "profile intervals are for free fits and for both exponents fixed; this law has other constraints: "
            "fit without constraints, or use law.to_lmfit().conf_interval() where no bound is active"
        )
    dof = law.n_runs - (len(law.params) - len(imposed))
    if dof < 1:
        raise FitError(f"intervals need more runs than parameters: {law.n_runs} runs, {len(law.params)} parameters")
    data = law.data
    prediction = get_form(law.form).value(law.params, data.n, data.t)
    rss = float(np.sum(data.weights * (data.y - prediction) ** 2))
    floor = _NO_NOISE * float(data.weights @ data.y**2)
    return Profiler(law, data, level, dof, max(rss, floor) / dof, two_sided_quantile(level, dof) ** 2)


def _fixed(law: FittedLaw) -> set[str]:
    return {name for name, imposed in law.constraints.items() if "value" in imposed}


def identifiable(intervals: dict[str, Interval]) -> dict[str, bool]:
    """For each parameter whether the data, not a bound, close its interval on both sides."""
    return {name: not (math.isnan(interval.low) or math.isnan(interval.high)) for name, interval in intervals.items()}
