"""Profile-likelihood intervals of any form: the likelihood region is walked through, then its edge is searched.

Walkers that lie in the region give each search its start, so a bent or divided region is covered; from
there the quantity is driven to its end, the fit made again on the way (see `engine.edge`).

Letters: Q quantities, P searches at once (two a quantity), p free parameters, M places inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.edge import farthest
from planner.laws.engine.tokens import BudgetLine, by_search
from planner.laws.engine.trial import Trial
from planner.laws.profile.base import Interval, Profiler, fixed
from planner.laws.walks import best_of, scouts_of, trial_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_AT_LIMIT = 1e-3  # relative: an end this near to an upper bound is cut off by it
_AT_LOWEST = 1e-6  # of the usual size: the same of a lower bound
_STEP = 1e-3  # of a difference, in spreads of the region
_EXCHANGES, _BETTER = 4, 1e-7  # how often searches exchange what they found; relative: a start that is no better
_BATCH = 512  # points at once, to bound memory


@dataclass(frozen=True)
class RefitProfiler(Profiler):
    """Intervals of a form that the exact engine does not know; make it with `profiler`."""

    @cached_property
    def trial(self) -> Trial:
        """The runs and the form."""
        return trial_of(self.law)

    @cached_property
    def inside(self) -> FloatArray:
        """Places in the region, and the optimum, (M, p)."""
        drawn = scouts_of(self.law)
        kept = drawn[self.trial.rss(drawn) <= self.rss_level]
        return np.vstack([best_of(self.law), kept])

    @cached_property
    def _spread(self) -> FloatArray:
        """How far each free parameter moves in the region, roughly, (p,)."""
        sizes = np.array([one.size for one in self.trial.free])
        spread: FloatArray = np.maximum(np.ptp(self.inside, axis=0), 1e-9 * sizes)
        return spread

    def differences(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]:
        return self._in_batches(llm_params, visual_tokens, reference)

    def best_tokens(self, line: BudgetLine) -> tuple[float, float]:
        def value(values: FloatArray) -> FloatArray:
            params = self.trial.params(values)
            return np.log(by_search(line, lambda n, t: self.form.value(params, n, t), len(values)))

        low, high = (math.exp(end) for end in self._ends(value))
        return min(max(low, line.low), line.high), min(max(high, line.low), line.high)

    def _errors(self, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._in_batches(llm_params, visual_tokens, None)

    def _parameter(self, name: str) -> Interval:
        if name in fixed(self.law):
            return Interval(self.law.params[name], self.law.params[name])
        position = [one.name for one in self.trial.free].index(name)
        low, high = self._ends(lambda values: values[:, position])
        one = self.form.parameter(name)
        cut_low = math.isfinite(one.low) and low - one.low <= _AT_LOWEST * one.size
        cut_high = math.isfinite(one.high) and high >= one.high - _AT_LIMIT * (one.high - max(one.low, 0.0))
        return Interval(math.nan if cut_low else low, math.nan if cut_high else high)

    def _ends(self, value: Callable[[FloatArray], FloatArray]) -> tuple[float, float]:
        """The range of one quantity, (P, p) -> (P,)."""
        signs = np.array([-1.0, 1.0])
        here = value(self.inside)
        starts = self.inside[[int(np.argmin(here)), int(np.argmax(here))]]

        def signed(values: FloatArray, which: IntArray) -> FloatArray:
            return signs[which] * value(values)

        def gradient(values: FloatArray, which: IntArray) -> FloatArray:
            low, high = self.trial.bounds
            columns = []
            for k, step in enumerate(_STEP * self._spread):
                up, down = values.copy(), values.copy()
                up[:, k], down[:, k] = np.minimum(up[:, k] + step, high[k]), np.maximum(down[:, k] - step, low[k])
                columns.append((signed(up, which) - signed(down, which)) / (up[:, k] - down[:, k]))
            return np.stack(columns, axis=1)

        low, high = signs * farthest(self.trial, self.rss_level, starts, signed, gradient)[0]
        return float(low), float(high)

    def _in_batches(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float] | None
    ) -> tuple[FloatArray, FloatArray]:
        """Intervals of errors at points (Q,), less that at a reference if there is one."""
        parts = [
            self._of_errors(llm_params[first : first + _BATCH], visual_tokens[first : first + _BATCH], reference)
            for first in range(0, len(llm_params), _BATCH)
        ]
        low, high = (np.concatenate(side) for side in zip(*parts, strict=True))
        return low, high

    def _of_errors(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float] | None
    ) -> tuple[FloatArray, FloatArray]:
        n, t = llm_params / self.law.n_unit_params, visual_tokens
        base = None if reference is None else (reference[0] / self.law.n_unit_params, reference[1])
        count = len(n)
        signs = np.repeat([-1.0, 1.0], count)
        points = (np.tile(n, 2)[:, None], np.tile(t, 2)[:, None])  # (2 Q, 1)

        def value(values: FloatArray, which: IntArray) -> FloatArray:
            params = self.trial.params(values)
            out = self.form.value(params, points[0][which], points[1][which])
            if base is not None:
                out = out - self.form.value(params, *base)
            return signs[which] * np.broadcast_to(out, (len(values), 1))[:, 0]

        def gradient(values: FloatArray, which: IntArray) -> FloatArray:
            out = self.trial.gradient(values, points[0][which], points[1][which])
            if base is not None:
                out = out - self.trial.gradient(values, np.full((1, 1), base[0]), np.full((1, 1), base[1]))
            return signs[which][:, None] * out[:, 0]

        def errors_at(values: FloatArray) -> FloatArray:
            """At the points, (M, Q)."""
            params = self.trial.params(values)
            errors = np.broadcast_to(self.form.value(params, n, t), (len(values), count))
            return errors if base is None else errors - self.form.value(params, *base)

        def starts_among(values: FloatArray) -> tuple[FloatArray, FloatArray]:
            """For each search the value that is farthest already, (2 Q,), and the parameters there."""
            errors = errors_at(values)
            lowest, highest = errors.argmin(axis=0), errors.argmax(axis=0)
            ends = np.concatenate([-errors.min(axis=0), errors.max(axis=0)])
            return ends, values[np.concatenate([lowest, highest])]

        _, starts = starts_among(self.inside)
        reached, found = farthest(self.trial, self.rss_level, starts, value, gradient)
        for _ in range(_EXCHANGES):  # what one search has found can be a better start for another
            ends, starts = starts_among(found)
            better = np.flatnonzero(ends > reached + _BETTER * np.abs(reached))
            if not len(better):
                break

            def some_values(values: FloatArray, which: IntArray, some: IntArray = better) -> FloatArray:
                return value(values, some[which])

            def some_gradients(values: FloatArray, which: IntArray, some: IntArray = better) -> FloatArray:
                return gradient(values, some[which])

            again, there = farthest(self.trial, self.rss_level, starts[better], some_values, some_gradients)
            reached[better], found[better] = again, there
        found_ends = signs * reached
        return found_ends[:count], found_ends[count:]
