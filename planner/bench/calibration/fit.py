"""The fit: robust least squares of log(predicted / measured), with a weak prior toward the start.

    minimise over x   sum rho(log(predicted(x) / measured) / s_i) + sum ((x - start) / w)^2

x are natural logarithms of shares and launch costs, rho is soft L1 (square up to about two s, linear beyond), s the
robust standard deviation of the residuals, found in turns, w the width of the prior; s_i^2 = s^2 + u_i^2 with u_i the
error of a time that was disturbed (`pool.disturbance`), 0 for the others. The sum runs over all stages of
all measurements. Intervals are of 95 %, by Student's t: the wider one of two standard errors, that of the Jacobian
(which takes every residual for independent) and that of the jackknife over shapes (which does not). Neither sees that
the form of a prediction is wrong: where residuals have a trend, `trends` widens them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.bench.calibration.parameters import FITTED, Scale
from planner.bench.calibration.pool import Pool
from planner.bench.calibration.trends import Linear, Trend, find_trends
from planner.hardware import Hardware
from planner.laws.student import two_sided_quantile

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LEVEL = 0.95
IDENTIFIED_WITHIN = 2.0
"""A number is identified if its interval ends within this factor on both sides, and it follows no trend."""
_BEND = 2.0  # in s, where the loss turns from square to linear
_FIRST_NOISE = 0.15
_LEAST_NOISE = 1e-4
_TURNS = 4
_STEP = 1e-4
_INSENSITIVE = 1e-9


@dataclass(frozen=True)
class Fit:
    """The optimum and what is around it."""

    scale: Scale
    logs: FloatArray
    noise: float
    """Robust standard deviation of log(predicted / measured)."""
    left_out: FloatArray
    """Optimum without each shape, (shapes, parameters)."""
    errors: FloatArray
    """Standard errors of the logarithms."""
    at_bound: BoolArray
    identified: BoolArray
    t: float
    """Student's factor of the intervals."""
    trends: tuple[Trend, ...] = ()
    """What the form of the predictions leaves over."""

    @property
    def ends(self) -> tuple[FloatArray, FloatArray]:
        """Of the intervals, logarithms, within the bounds."""
        low, high = self.scale.bounds
        reach = self.t * self.errors
        return np.maximum(self.logs - reach, low), np.minimum(self.logs + reach, high)


def fit(pool: Pool, start: Hardware) -> Fit:
    """The optimum for all measurements and without each shape, intervals."""
    scale = _sensitive(pool, Scale(start))
    everything = np.ones(len(pool.measurements), bool)
    logs, noise = scale.centre, _FIRST_NOISE
    for _ in range(_TURNS):
        problem = _Problem(pool, scale, noise, everything)
        logs = problem.solve(logs)
        before, noise = noise, problem.noise(logs)
        if abs(np.log(noise / before)) < 0.05:
            break
    problem = _Problem(pool, scale, noise, everything)
    logs = problem.solve(logs)
    left_out = np.array([without(pool, scale, noise, logs, pool.shape_of == shape) for shape in range(pool.shapes)])
    by_jacobian, freedom = problem.standard_errors(logs)
    at_bound = scale.at_bound(logs)
    trends, by_trend, follows = find_trends(pool, problem.linear(logs, ~at_bound))
    errors = np.maximum(np.maximum(by_jacobian, _jackknife(left_out)), by_trend)
    t = two_sided_quantile(LEVEL, max(min(freedom, pool.shapes - 1), 1))
    return Fit(
        scale=scale,
        logs=logs,
        noise=noise,
        left_out=left_out,
        errors=errors,
        at_bound=at_bound,
        identified=(t * errors < np.log(IDENTIFIED_WITHIN)) & ~follows,
        t=t,
        trends=trends,
    )


def without(pool: Pool, scale: Scale, noise: float, logs: FloatArray, gone: BoolArray) -> FloatArray:
    """The optimum without some measurements, from the one with them."""
    if gone.all():
        return scale.centre
    return _Problem(pool, scale, noise, ~gone).solve(logs)


def _sensitive(pool: Pool, scale: Scale) -> Scale:
    """The parameters on which any measured time depends."""
    problem = _Problem(pool, scale, _FIRST_NOISE, np.ones(len(pool.measurements), bool))
    slopes = np.abs(problem.slopes(scale.centre)).max(axis=0, initial=0.0)
    names = tuple(name for name, slope in zip(FITTED, slopes, strict=True) if slope > _INSENSITIVE)
    return Scale(scale.start, names)


class _Problem:
    """The residuals of some measurements."""

    def __init__(self, pool: Pool, scale: Scale, noise: float, rows: BoolArray) -> None:
        self._pool, self._scale, self._noise = pool, scale, noise
        runs = pool.predict(scale.hardware(scale.centre)) > 0
        self._kept = np.isfinite(pool.measured) & runs & rows[:, None]
        self._target = np.log(pool.measured[self._kept])
        self._sigma = np.hypot(noise, pool.disturbed[self._kept])

    def log_ratios(self, logs: FloatArray) -> FloatArray:
        """Of predicted over measured seconds."""
        found: FloatArray = np.log(self._pool.predict(self._scale.hardware(logs))[self._kept]) - self._target
        return found

    def slopes(self, logs: FloatArray) -> FloatArray:
        """Of the log ratios, by forward differences; backward at an upper bound."""
        steps = np.where(logs + _STEP <= self._scale.bounds[1], _STEP, -_STEP)
        sets = np.concatenate([logs[None], logs + np.diag(steps)])
        base, *moved = np.log(self._pool.predict(self._scale.many(sets), len(sets))[:, self._kept])
        return np.stack([(one - base) / step for one, step in zip(moved, steps, strict=True)], axis=1)

    def solve(self, logs: FloatArray) -> FloatArray:
        from scipy.optimize import least_squares

        scale = self._scale
        if not len(logs):
            return logs
        low, high = scale.bounds
        spread = np.diag(1 / scale.width)

        def residuals(x: FloatArray) -> FloatArray:
            return np.concatenate([self.log_ratios(x) / self._sigma, (x - scale.centre) / scale.width])

        def jacobian(x: FloatArray) -> FloatArray:
            return np.concatenate([self.slopes(x) / self._sigma[:, None], spread])

        def loss(squares: FloatArray) -> FloatArray:
            """Soft L1 for the data, squares for the prior: values and two derivatives."""
            rho = np.stack([squares, np.ones_like(squares), np.zeros_like(squares)])
            data = slice(0, len(self._target))
            bent = np.sqrt(1 + squares[data] / _BEND**2)
            rho[:, data] = 2 * _BEND**2 * (bent - 1), 1 / bent, -0.5 / (_BEND**2 * bent**3)
            return rho

        inside = np.clip(logs, low + 1e-9, high - 1e-9)
        solved = least_squares(
            residuals, inside, jac=jacobian, bounds=(low, high), loss=loss, xtol=1e-6, ftol=1e-8, max_nfev=60
        )
        found: FloatArray = solved.x
        return found

    def noise(self, logs: FloatArray) -> float:
        """Robust standard deviation of the log ratios, for as many as the fit left free."""
        ratios = np.abs(self.log_ratios(logs))
        quiet = self._pool.disturbed[self._kept] == 0
        if 2 * np.count_nonzero(quiet) >= len(ratios):
            ratios = ratios[quiet]
        free = max(len(ratios) - self._told(logs), 1.0)
        return max(1.4826 * float(np.median(ratios)) * math.sqrt(len(ratios) / free), _LEAST_NOISE)

    def standard_errors(self, logs: FloatArray) -> tuple[FloatArray, int]:
        """Of the logarithms, data and prior together, and the degrees of freedom."""
        information = self._information(logs)
        covariance = np.linalg.inv(information + np.diag(self._scale.width**-2.0))
        freedom = max(int(len(self._target) - self._told(logs)), 1)
        return np.sqrt(np.diag(covariance)), freedom

    def linear(self, logs: FloatArray, free: BoolArray) -> Linear:
        """The fit near these logarithms, of which some are free."""
        residuals, slopes = self.log_ratios(logs) / self._sigma, self.slopes(logs) / self._sigma[:, None]
        weights = 1 / np.sqrt(1 + (residuals / _BEND) ** 2)
        told, width = self._told(logs), self._scale.width
        return Linear(self._kept, residuals, slopes, weights, width, self._noise, self._sigma, told, free)

    def _information(self, logs: FloatArray) -> FloatArray:
        slopes = self.slopes(logs) / self._sigma[:, None]
        weights = 1 / np.sqrt(1 + (self.log_ratios(logs) / self._sigma / _BEND) ** 2)
        found: FloatArray = slopes.T @ (weights[:, None] * slopes)
        return found

    def _told(self, logs: FloatArray) -> float:
        """How many parameters the data, not the prior, decide."""
        information = self._information(logs)
        return float(np.trace(np.linalg.solve(information + np.diag(self._scale.width**-2.0), information)))


def _jackknife(left_out: FloatArray) -> FloatArray:
    """Standard errors by leaving out one shape at a time."""
    shapes = len(left_out)
    off = left_out - left_out.mean(axis=0)
    found: FloatArray = np.sqrt((shapes - 1) / shapes * np.sum(off * off, axis=0))
    return found
