"""Profile-likelihood intervals of the forms that the exact engine knows: of anything that the exponents decide.

Every point solves the problem again under its bounds, so an active bound bends the interval instead of breaking it (see
`engine.region`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.cloud import Cloud, Problem, log_range, make_cloud, zoom
from planner.laws.engine.design import Design, make_design
from planner.laws.engine.projection import EXPONENT_MAX, Projection, Weights
from planner.laws.engine.region import Products, extremes, products, ratio_extremes
from planner.laws.engine.tokens import BudgetLine
from planner.laws.known import known
from planner.laws.profile.base import Interval, Profiler, fixed

FloatArray = NDArray[np.float64]

_FINE, _COARSE = 40, 32  # nodes along each axis of a cloud: of one that is zoomed into, of one for many predictions
_AT_ONCE = 4096  # numbers in each of the arrays of a step over many predictions
_AT_LIMIT = 1e-3  # relative: an end this near to the largest exponent is cut off by it
_SEARCH_FLOOR = 1.1e-6  # exponents below it are not searched: an end there is cut off by zero


@dataclass(frozen=True)
class ExactProfiler(Profiler):
    """Intervals of a form that the exact engine knows; make it with `profiler`."""

    projection: Projection
    """Of the form."""

    @property
    def fixed_exponents(self) -> bool:
        """Whether there is nothing to search: a form without exponents, or both fixed by the user."""
        return fixed(self.law) >= set(self.projection.exponents)

    @property
    def best(self) -> FloatArray:
        """The best exponents, (2,); zeros for a form without any."""
        return np.array([self.law.params[name] for name in self.projection.exponents] or [0.0, 0.0])

    def best_tokens(self, line: BudgetLine) -> tuple[float, float]:
        return self.projection.best_tokens_interval(self, line)

    @property
    def problem(self) -> Problem:
        """The region, as `cloud` searches it."""
        return Problem(self.projection, self.design, self.data.y, self.rss_level)

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
        found = known(self.law, f"region {self.level}", lambda: vars(self._cloud(_COARSE, exact=False)))
        return Cloud(**found)

    @cached_property
    def _coarse_products(self) -> Products:
        return products(self.projection, self.design, self.data.y, self.coarse.exponents)

    def exponent_ratio(self) -> Interval:
        """The interval of alpha / beta (log-linear: c1 / c2), on which the best number of visual tokens hangs."""
        if not self.projection.exponents:
            return self.ratio_of_gains(lambda r, _: 1 / np.maximum(r, 1e-300))
        alpha, beta = (self._parameter(name) for name in self.projection.exponents)
        ratio = self._exponents((1.0, -1.0))
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

    def _errors(self, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._linear(lambda some: self._weights_at(llm_params[some], visual_tokens[some]), len(llm_params))

    def differences(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]:
        base = self._weights_at(np.array([reference[0]]), np.array([reference[1]]))

        def weights(some: slice) -> Weights:
            g_a, g_b, g_d = self._weights_at(llm_params[some], visual_tokens[some])
            return g_a - base[0], g_b - base[1], g_d - base[2]

        return self._linear(weights, len(llm_params))

    def _linear(self, weights: Callable[[slice], Weights], count: int) -> tuple[FloatArray, FloatArray]:
        """Extremes (Q,) over the coarse cloud of quantities with weights of (A, B, D), each (Q, K); a few quantities at
        a time, for arrays that stay in the processor's cache."""
        rows = max(_AT_ONCE // len(self.coarse.exponents), 1)
        lows, highs = [], []
        for start in range(0, max(count, 1), rows):
            low, high = extremes(self._coarse_products, self.rss_level, weights(slice(start, start + rows)))
            lows.append(low.min(axis=-1))
            highs.append(high.max(axis=-1))
        return np.concatenate(lows), np.concatenate(highs)

    def _weights_at(self, llm_params: FloatArray, visual_tokens: FloatArray) -> Weights:
        """Weights (Q, K) of the centred (A, B, D) in the error at points (Q,), at the nodes of the coarse cloud."""
        return self._point_weights(llm_params, visual_tokens, self.coarse.exponents)

    def _point_weights(self, llm_params: FloatArray, visual_tokens: FloatArray, exponents: FloatArray) -> Weights:
        x = (np.log(llm_params / self.law.n_unit_params) - self.design.x_mean)[:, None]
        t = (np.log(visual_tokens) - self.design.t_mean)[:, None]
        return self.projection.point_weights(x, t, exponents)

    def _parameter(self, name: str) -> Interval:
        if name in fixed(self.law):
            return Interval(self.law.params[name], self.law.params[name])
        if name in self.projection.exponents:
            interval = self._exponents((1.0, 0.0) if name == self.projection.exponents[0] else (0.0, 1.0))
            high = math.nan if interval.high > EXPONENT_MAX * (1 - _AT_LIMIT) else interval.high
            return Interval(math.nan if interval.low < _SEARCH_FLOOR else interval.low, high)

        def signed(sign: float) -> Callable[[Products, FloatArray], FloatArray]:
            def value(p: Products, exponents: FloatArray) -> FloatArray:
                low, high = extremes(p, self.rss_level, self.projection.parameter_weights(name, self.design, exponents))
                return high if sign > 0 else -low

            return value

        interval = self._ends(signed)
        cut = name in self.form.non_negative and interval.low <= 1e-12
        return Interval(math.nan if cut else interval.low, interval.high)

    def _ends(self, signed: Callable[[float], Callable[[Products, FloatArray], FloatArray]]) -> Interval:
        """The range over the region of what `signed` gives with either sign, and never less than the optimum's own."""
        ends = [zoom(self.problem, self.fine, signed(sign)) for sign in (-1.0, 1.0)]
        return Interval(-ends[0], ends[1])

    def _cloud(self, side: int, exact: bool) -> Cloud:
        if self.fixed_exponents:
            return Cloud(self.best[None], np.zeros((1, 2, 2)), np.ones(1))
        return make_cloud(self.problem, self.best, side, self._ranges if exact else None)
