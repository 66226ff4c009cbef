"""The residuals of load tests, and the optimum of their sum: `engine_fit` says what is minimised.

Steps of Gauss and Newton with residuals reweighted for soft L1, slopes by finite differences of whole simulations and
corrected by Broyden's rule between two times that they are taken anew; a step is cut where it does not lower the sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.bench.calibration.engine_numbers import Numbers
from planner.bench.calibration.engine_points import FITTED, NUMBERS, THROUGHPUT, Point, measured_columns
from planner.bench.calibration.engine_replay import Replayed, replay

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SATURATED_WORD = "saturated"
"""Why the times of a test do not count, and its throughput does."""
_BEND = 2.0
_LEAST_NOISE = 0.005
_ROUNDS, _STEPS = 2, 3
_SETTLED, _SMALL = 0.3, 1e-3
"""Of the sum that is minimised and of x: less is nothing."""


def _alike(kept: BoolArray) -> FloatArray:
    """By how much the numbers of one quantity of one test say less than as many of different tests: together they count
    as two, its middle and its spread."""
    what = [name.partition("_")[0] for name in NUMBERS]
    found = np.ones(kept.shape)
    for quantity in set(what):
        own = np.array([one == quantity for one in what])
        found[:, own] = np.sqrt(np.maximum(kept[:, own].sum(axis=1, keepdims=True) / 2, 1.0))
    return found


class Problem:
    """The residuals of some tests."""

    def __init__(
        self,
        points: Sequence[Point],
        numbers: Numbers,
        noise: float,
        why: tuple[str, ...],
        chance: FloatArray,
        known: dict[bytes, Replayed] | None = None,
    ) -> None:
        self._points, self._numbers, self._chance = tuple(points), numbers, chance
        self._known = {} if known is None else known
        measured = measured_columns(points)
        fitted = np.array([name in FITTED for name in NUMBERS])
        full = np.array([not reason for reason in why])
        only = np.array([reason == SATURATED_WORD for reason in why])
        throughput = np.array([name == THROUGHPUT for name in NUMBERS])
        kept = np.isfinite(measured) & fitted & (full[:, None] | (only[:, None] & throughput))
        with np.errstate(invalid="ignore"):
            kept &= np.isfinite(self.replayed(numbers.centre).numbers)
        self.kept = kept
        """Which numbers count, (points, NUMBERS)."""
        self._target = np.log(np.where(kept, measured, 1.0))
        self._sigma = np.hypot(noise, chance) * _alike(kept)
        self._slopes_at: tuple[bytes, FloatArray] | None = None

    def replayed(self, x: FloatArray) -> Replayed:
        key = x.tobytes()
        if key not in self._known:
            self._known[key] = replay(self._points, self._numbers.hardware(x))
        return self._known[key]

    def log_ratios(self, x: FloatArray) -> FloatArray:
        """Of predicted over measured numbers, those that count."""
        found: FloatArray = (np.log(np.where(self.kept, self.replayed(x).numbers, 1.0)) - self._target)[self.kept]
        return found

    def slopes(self, x: FloatArray) -> FloatArray:
        """Of the log ratios; (numbers that count, x)."""
        if self._slopes_at is None or self._slopes_at[0] != x.tobytes():
            base, columns = self.log_ratios(x), []
            for place, step in enumerate(self._numbers.steps):
                moved = x.copy()
                moved[place] += step if x[place] + step <= self._numbers.bounds[1][place] else -step
                numbers = self.replayed(moved).numbers
                ratios = (np.log(np.where(self.kept, numbers, 1.0)) - self._target)[self.kept]
                columns.append((ratios - base) / (moved[place] - x[place]))
            self._slopes_at = x.tobytes(), np.stack(columns, axis=1)
        return self._slopes_at[1]

    def solve(self, x: FloatArray) -> FloatArray:
        """The optimum near x."""
        low, high = self._numbers.bounds
        x = np.clip(x, low, high)
        for _ in range(_ROUNDS):
            slopes, began = self.slopes(x), self.objective(x)
            for _ in range(_STEPS):
                step = self._step(x, slopes)
                moved, lowered = self._lowered(x, step)
                if not lowered:
                    break
                change = moved - x
                missed = self.log_ratios(moved) - self.log_ratios(x) - slopes @ change
                slopes = slopes + np.outer(missed, change) / float(change @ change)
                x = moved
            if began - self.objective(x) < _SETTLED:
                break
        return x

    def objective(self, x: FloatArray) -> float:
        """What is minimised."""
        off = (x - self._numbers.centre) / self._numbers.width
        return self.loss(x) + float(off @ off)

    def _step(self, x: FloatArray, slopes: FloatArray) -> FloatArray:
        """To the optimum of the quadratic form, along those numbers that no bound holds."""
        numbers, sigma = self._numbers, self._sigma[self.kept]
        low, high = numbers.bounds
        residuals = self.log_ratios(x) / sigma
        weighted = slopes / sigma[:, None] / np.sqrt(1 + (residuals / _BEND) ** 2)[:, None]
        gradient = weighted.T @ residuals + (x - numbers.centre) / numbers.width**2
        hessian = weighted.T @ (slopes / sigma[:, None]) + np.diag(numbers.width**-2.0)
        free = ~((x <= low) & (gradient > 0) | (x >= high) & (gradient < 0))
        step = np.zeros_like(x)
        if free.any():
            step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        return step

    def _lowered(self, x: FloatArray, step: FloatArray) -> tuple[FloatArray, bool]:
        """As far along a step as the sum falls."""
        low, high = self._numbers.bounds
        now = self.objective(x)
        for cut in (1.0, 0.5, 0.2, 0.07):
            moved = np.clip(x + cut * step, low, high)
            if np.max(np.abs(moved - x)) < _SMALL:
                break
            if self.objective(moved) < now:
                return moved, True
        return x, False

    def noise(self, x: FloatArray) -> float:
        """The noise beside chance for which the middle of all residuals is what it should be."""
        ratios, chance = np.abs(self.log_ratios(x)), self._chance[self.kept]
        free = max(len(ratios) - self.told(x), 1.0)
        wanted = 0.6745 * math.sqrt(free / len(ratios))
        low, high = _LEAST_NOISE, 3.0
        if np.median(ratios / np.hypot(low, chance)) <= wanted:
            return low
        for _ in range(40):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if np.median(ratios / np.hypot(middle, chance)) > wanted else (low, middle)
        return high

    def loss(self, x: FloatArray) -> float:
        """Sum of rho over the data."""
        squares = (self.log_ratios(x) / self._sigma[self.kept]) ** 2
        return float(np.sum(2 * _BEND**2 * (np.sqrt(1 + squares / _BEND**2) - 1)))

    def weighted(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Residuals and slopes in standard deviations, and the weights that soft L1 gives them."""
        sigma = self._sigma[self.kept]
        residuals = self.log_ratios(x) / sigma
        return residuals, self.slopes(x) / sigma[:, None], 1 / np.sqrt(1 + (residuals / _BEND) ** 2)

    def information(self, x: FloatArray) -> FloatArray:
        _, slopes, weights = self.weighted(x)
        found: FloatArray = slopes.T @ (weights[:, None] * slopes)
        return found

    def told(self, x: FloatArray) -> float:
        """How many numbers the tests, not the prior, decide."""
        information = self.information(x)
        return float(np.trace(np.linalg.solve(information + np.diag(self._numbers.width**-2.0), information)))
