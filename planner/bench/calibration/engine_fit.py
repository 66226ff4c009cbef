"""The fit to load tests: robust least squares of log(predicted / measured), with a prior toward the start.

    minimise over x   sum rho(log(predicted(x) / measured) / s_i) + sum ((x - start) / w)^2,     s_i^2 = s^2 + c_i^2

x as in `engine_numbers`, rho soft L1 (as in `fit`), c_i what chance does to a number of a test of that length (by
repetition with other seeds), s the noise beside that, found in turns, w the width of the prior. Predictions are whole
simulations (`engine_replay`), so slopes are finite differences with the same random numbers.

Tests at a rate above `SATURATED` of what the engine carries tell their throughput and no times: a queue that grows has
no percentile. In a closed loop the load is bounded, so those count. Tests in which requests failed tell nothing.

The optimum without a test is one step of Gauss and Newton away from the one with it; what it predicts of that test is a
simulation again. Intervals are of 95 %, the wider one of two standard errors: that of the Jacobian and that of leaving
out each test. A number is identified where the tests, not the prior, decide it and its interval is narrow: within a
factor, or for seconds of the host also within a share of the time that they are part of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.bench.calibration.engine_numbers import OF_HOST, Numbers
from planner.bench.calibration.engine_points import NUMBERS, Point
from planner.bench.calibration.engine_problem import SATURATED_WORD, Problem
from planner.bench.calibration.engine_replay import Replayed, replay
from planner.bench.calibration.fit import IDENTIFIED_WITHIN, LEVEL
from planner.bench.loadtests.load_test import CLOSED
from planner.hardware import Hardware
from planner.laws.student import two_sided_quantile

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SATURATED = 0.9
FAILED_MOST = 0.01
"""Share of requests that may fail before the times of the others are those of another load."""
NEGLIGIBLE = 0.05
"""Of the median time that seconds of the host are part of: an interval that ends below is a determined number too."""
_FIRST_NOISE, _TURNS = 0.05, 3
_INSENSITIVE = 0.01
"""Of a logarithm, for a factor e in a share: a number on which no test depends more is left as it was."""
_DECIDED = 0.5
"""Share of the prior's standard deviation that a number's own must be below."""


@dataclass(frozen=True, eq=False)
class EngineFit:
    """The optimum and what is around it."""

    numbers: Numbers
    points: tuple[Point, ...]
    x: FloatArray
    noise: float
    errors: FloatArray
    """Standard errors of x."""
    identified: BoolArray
    at_bound: BoolArray
    t: float
    """Student's factor of the intervals."""
    left_out: FloatArray
    """Optimum without each test, (points, x)."""
    why_not: tuple[str, ...]
    """Of each test, why its times do not count; "" where they do."""
    fitted: Replayed
    chance: FloatArray
    """What chance does to each number, relative, (points, NUMBERS)."""

    @property
    def ends(self) -> tuple[FloatArray, FloatArray]:
        """Of the intervals, within the bounds."""
        low, high = self.numbers.bounds
        reach = self.t * self.errors
        return np.maximum(self.x - reach, low), np.minimum(self.x + reach, high)


def fit_engine(points: Sequence[Point], numbers: Numbers, x: FloatArray | None = None) -> EngineFit:
    """The optimum for all tests and without each.

    Args:
        points: the tests.
        numbers: what may be fitted; on what no test depends stays as it is.
        x: where to begin; the start by default.
    """
    begin = numbers.centre if x is None else x
    chance = _chance(points, numbers.hardware(begin))
    numbers, begin = _sensitive(points, numbers, begin)
    noise, why = _FIRST_NOISE, why_not(points, replay(points, numbers.hardware(begin)))
    replays: dict[bytes, Replayed] = {}
    for turn in range(_TURNS):
        problem = Problem(points, numbers, noise, why, chance, replays)
        begin = problem.solve(begin)
        seen = problem.replayed(begin)
        noise_before, why_before = noise, why
        noise, why = problem.noise(begin), why_not(points, seen)
        if turn and why == why_before and abs(math.log(noise / noise_before)) < 0.1:
            break
    problem = Problem(points, numbers, noise, why, chance, replays)
    return _around(problem, tuple(points), numbers, problem.solve(begin), noise, why, chance)


def loss_of(points: Sequence[Point], fit: EngineFit) -> float:
    """Sum of rho over what other points say at an optimum: the same tests on another scheduler."""
    return Problem(points, fit.numbers, fit.noise, fit.why_not, fit.chance).loss(fit.x)


def why_not(points: Sequence[Point], predicted: Replayed) -> tuple[str, ...]:
    """Of each test, why its times do not count."""
    found = []
    for point, share in zip(points, predicted.utilisation, strict=True):
        test = point.test
        failed = test.failed / max(test.tried, 1)
        if failed > FAILED_MOST:
            found.append(f"{test.failed} of {test.tried} requests failed")
        elif test.arrivals != CLOSED and (share > SATURATED or _fell_behind(point)):
            found.append(SATURATED_WORD)
        else:
            found.append("")
    return tuple(found)


def _fell_behind(point: Point) -> bool:
    """Whether a test answered fewer requests per second than were offered, its last answers allowed for."""
    test = point.test
    if test.requests_per_second is None or test.throughput_per_s is None:
        return False
    last = point.measured.get("latency_mean", 0.0)
    span = test.tried / test.requests_per_second + last
    drawn = 1 - 2 / math.sqrt(max(test.tried, 1))  # Poisson: two standard deviations
    return test.throughput_per_s < SATURATED * max(drawn, 0.0) * test.tried / span


def _chance(points: Sequence[Point], hardware: Hardware) -> FloatArray:
    """What chance does to each number, by at least four seeds."""
    found = np.zeros((len(points), len(NUMBERS)))
    for place, point in enumerate(points):
        drawn = max(point.seeds, 4)
        found[place] = replay([point], hardware, drawn).chance[0] * math.sqrt(1 + 1 / point.seeds)
    return found


def _sensitive(points: Sequence[Point], numbers: Numbers, x: FloatArray) -> tuple[Numbers, FloatArray]:
    """Without the shares on which no test depends."""
    base = replay(points, numbers.hardware(x), 1).numbers
    kept = []
    for place in range(len(numbers.shares)):
        moved = x.copy()
        high = numbers.bounds[1][place]
        step = numbers.steps[place] if x[place] + numbers.steps[place] <= high else -numbers.steps[place]
        moved[place] += step
        with np.errstate(invalid="ignore"):
            slopes = np.abs(np.log(replay(points, numbers.hardware(moved), 1).numbers / base) / step)
        kept.append(bool(np.nanmax(slopes, initial=0.0) > _INSENSITIVE))
    names = tuple(name for name, keep in zip(numbers.shares, kept, strict=True) if keep)
    return replace(numbers, shares=names), x[np.array([*kept, *[True] * len(OF_HOST)])]


def _around(
    problem: Problem,
    points: tuple[Point, ...],
    numbers: Numbers,
    x: FloatArray,
    noise: float,
    why: tuple[str, ...],
    chance: FloatArray,
) -> EngineFit:
    """The optimum with its intervals, and those without each test."""
    information, prior = problem.information(x), np.diag(numbers.width**-2.0)
    by_jacobian = np.sqrt(np.diag(np.linalg.inv(information + prior)))
    left_out = _left_out(problem, numbers, x)
    counted = np.array([bool(row.any()) for row in problem.kept])
    off = left_out[counted] - x
    several = int(counted.sum())
    by_jackknife = np.sqrt((several - 1) / several * np.sum(off * off, axis=0)) if several > 1 else 0 * x
    errors = np.maximum(by_jacobian, by_jackknife)
    freedom = max(int(int(problem.kept.sum()) - problem.told(x)), 1)
    t = two_sided_quantile(LEVEL, max(min(freedom, several - 1), 1))
    low, high = numbers.bounds
    at_bound = (x <= low + 1e-6) | (x >= high - 1e-6)
    return EngineFit(
        numbers=numbers,
        points=points,
        x=x,
        noise=noise,
        errors=errors,
        identified=_identified(numbers, x, t * errors, errors),
        at_bound=at_bound,
        t=t,
        left_out=left_out,
        why_not=why,
        fitted=problem.replayed(x),
        chance=chance,
    )


def _identified(numbers: Numbers, x: FloatArray, reach: FloatArray, errors: FloatArray) -> BoolArray:
    count = len(numbers.shares)
    factor = reach < np.log(IDENTIFIED_WITHIN)
    host = (reach < x * (1 - 1 / IDENTIFIED_WITHIN)) | (np.maximum(x, 0) + reach < NEGLIGIBLE)
    narrow = np.concatenate([factor[:count], host[count:]])
    found: BoolArray = narrow & (errors < _DECIDED * numbers.width)
    return found


def _left_out(problem: Problem, numbers: Numbers, x: FloatArray) -> FloatArray:
    residuals, slopes, weights = problem.weighted(x)
    of = np.nonzero(problem.kept)[0]
    whole = problem.information(x) + np.diag(numbers.width**-2.0)
    low, high = numbers.bounds
    found = []
    for place in range(len(problem.kept)):
        own = of == place
        j, w = slopes[own], weights[own]
        gradient = j.T @ (w * residuals[own])
        rest = whole - j.T @ (w[:, None] * j)
        found.append(np.clip(x + np.linalg.lstsq(rest, gradient, rcond=None)[0], low, high))
    return np.array(found)
