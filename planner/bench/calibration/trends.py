"""Trends in what a fit leaves over: signs that the form of a predicted time is wrong, which no residual alone shows.

A number that is fitted may take over what the form lacks, with a narrow interval: a decode step that slows down with
the batch made the cache look fifty times too slow. So each stage is given free levels by batch, visual tokens, context
or language model beside the numbers, one such set after the other, as long as one

    lowers the sum of squares by more than chance does (F test, `CHANCE`),  and
    has levels further apart than the noise and than `SMALL`.

With the levels of all that were found, the numbers move by d and have the variance v (linear, at the optimum): the
squared standard error of each is at least v + d^2. A number on which a stage with a trend depends (`SHARE`) is not
identified, however narrow its interval is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.bench.calibration.pool import Pool
from planner.bench.measurement import Measurement
from planner.costs.latency import LATENCY_STAGES

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

CHANCE = 1e-3
"""Of finding a trend where there is none, over all that are tried."""
SMALL = 0.05
"""Of logarithms: levels that are no further apart are let be."""
SHARE = 0.1
"""Of a stage's time that follows a number, on average over its shapes: less is no dependence."""
_MOST_LEVELS = 6
"""More values than that are put into as many groups."""
_VISION = ("encoder", "compressor")
"""Stages that know no context and no language model."""


@dataclass(frozen=True)
class Trend:
    """Predictions of one stage that change, against what was measured, with something that the shapes differ in."""

    stage: str
    along: str
    """"batch", "visual tokens", "context" or "language model"."""
    levels: tuple[str, ...]
    ratios: tuple[float, ...]
    """Predicted over measured at each level, by a fit that does not bend its numbers to it; that of the first is 1."""

    @property
    def factor(self) -> float:
        """Between the levels that are furthest apart."""
        return max(self.ratios) / min(self.ratios)

    def __str__(self) -> str:
        low, high = (self.levels[self.ratios.index(end(self.ratios))] for end in (min, max))
        stage = self.stage.replace("_", " ")
        return (
            f"{stage}: predicted over measured is {self.factor:.2f} times as high at {self.along} {high} as at {low}, "
            "more than noise explains: the prediction lacks something, and what it rests on is not called identified"
        )


@dataclass(frozen=True)
class Linear:
    """A fit near its optimum: residuals in standard deviations, one for each time that is there."""

    where: BoolArray
    """(measurements, LATENCY_STAGES): which times those are."""
    residuals: FloatArray
    slopes: FloatArray
    """Of the residuals, (times, numbers)."""
    weights: FloatArray
    width: FloatArray
    """Standard deviations of the prior of each number."""
    noise: float
    """Standard deviation of a logarithm that nothing disturbed."""
    sigma: FloatArray
    """Of each."""
    told: float
    """How many numbers the data decide."""
    free: BoolArray
    """Which numbers are at no bound."""


def find_trends(pool: Pool, fit: Linear) -> tuple[tuple[Trend, ...], FloatArray, BoolArray]:
    """Trends, the strongest first; the least standard error that each number has because of them, and which numbers the
    stages with a trend depend on."""
    candidates = list(_candidates(pool, fit))
    found: list[_Levels] = []
    chosen: list[tuple[_Levels, FloatArray]] = []
    while candidates:
        best = min(candidates, key=lambda one: _chance(fit, found, one), default=None)
        if best is None or _chance(fit, found, best) * max(len(candidates), 1) > CHANCE:
            break
        candidates.remove(best)
        heights = _solve(fit, [*found, best])[0][-best.columns.shape[1] :] * fit.noise
        if np.ptp([0.0, *heights]) <= max(fit.noise, SMALL):
            continue
        found.append(best)
        chosen.append((best, heights))
    if not found:
        return (), np.zeros(len(fit.width)), np.zeros(len(fit.width), bool)
    moved, covariance = _solve(fit, found)
    errors = np.zeros(len(fit.width))
    count = int(fit.free.sum())
    errors[fit.free] = np.sqrt(np.diag(covariance)[:count] + moved[:count] ** 2)
    # what the levels take up is subtracted from the residuals: log(predicted / measured) is minus their height
    trends = tuple(
        Trend(one.stage, one.along, one.names, (1.0, *(float(np.exp(-height)) for height in heights)))
        for one, heights in chosen
    )
    stages = np.nonzero(fit.where)[1]
    follows = np.zeros(len(fit.width), bool)
    for place in {LATENCY_STAGES.index(one.stage) for one in trends}:
        slopes = fit.sigma[:, None] * np.abs(fit.slopes)
        follows |= slopes[stages == place].mean(axis=0) > SHARE
    return trends, errors, follows


@dataclass(frozen=True, eq=False)
class _Levels:
    """One stage by the levels of one thing: a column of 0 and 1 for each level but the first, less where disturbed."""

    stage: str
    along: str
    names: tuple[str, ...]
    columns: FloatArray
    """(times, levels - 1)."""


def _candidates(pool: Pool, fit: Linear) -> Iterator[_Levels]:
    rows, stages = np.nonzero(fit.where)
    for place, stage in enumerate(LATENCY_STAGES):
        own = stages == place
        seen: set[tuple[int, ...]] = set()
        for along, values in _along(pool.measurements, stage).items():
            names, of = _grouped(values)
            groups = of[rows]
            counts = np.bincount(groups[own], minlength=len(names))
            kept = np.flatnonzero(counts >= 2)  # a level of one time is that time
            if len(kept) < 2 or (key := tuple(groups[own].tolist())) in seen:
                continue
            seen.add(key)
            columns = np.stack([(own & (groups == level)) * (fit.noise / fit.sigma) for level in kept[1:]], axis=1)
            yield _Levels(stage, along, tuple(names[level] for level in kept), columns)


def _along(measurements: Sequence[Measurement], stage: str) -> dict[str, list[float] | list[str]]:
    found: dict[str, list[float] | list[str]] = {"batch": [float(one.batch) for one in measurements]}
    if stage in _VISION:
        return found
    found["visual tokens"] = [float(one.model.visual_tokens) for one in measurements]
    found["context"] = [_context(one) for one in measurements]
    found["language model"] = [one.model.llm for one in measurements]
    return found


def _context(one: Measurement) -> float:
    """Tokens that the middle one of an answer attends to."""
    load = one.workload
    prompt = load.cached_tokens + load.prefilled_text_tokens + load.images * one.model.visual_tokens
    return prompt + load.generated_tokens / 2


def _grouped(values: list[float] | list[str]) -> tuple[list[str], NDArray[np.intp]]:
    """Names of the levels, and the level of each value."""
    distinct, of = np.unique(np.array(values), return_inverse=True)
    names = [one if isinstance(one, str) else f"{one:g}" for one in distinct.tolist()]
    if len(names) <= _MOST_LEVELS:
        return names, of
    parts = np.array_split(np.arange(len(names)), _MOST_LEVELS)
    joined = [f"{names[part[0]]} to {names[part[-1]]}" for part in parts]
    return joined, np.repeat(np.arange(len(parts)), [len(part) for part in parts])[of]


def _solve(fit: Linear, levels: Sequence[_Levels]) -> tuple[FloatArray, FloatArray]:
    """How far the free numbers move and how high the levels are, in standard deviations for these; and covariances."""
    slopes = fit.slopes[:, fit.free]
    design = np.concatenate([slopes, *(one.columns for one in levels)], axis=1)
    weighted = fit.weights[:, None] * design
    prior = np.zeros(design.shape[1])
    prior[: slopes.shape[1]] = fit.width[fit.free] ** -2.0
    gradient = weighted.T @ fit.residuals
    gradient[: slopes.shape[1]] = 0.0  # at the optimum the prior and the data balance
    inverse = np.linalg.pinv(design.T @ weighted + np.diag(prior), hermitian=True)
    return -inverse @ gradient, inverse


def _lowered(fit: Linear, levels: Sequence[_Levels]) -> float:
    """By how much the levels lower the sum of squares."""
    if not levels:
        return 0.0
    count = sum(one.columns.shape[1] for one in levels)
    columns = np.concatenate([one.columns for one in levels], axis=1)
    heights = _solve(fit, levels)[0][-count:]
    return float(-(columns.T @ (fit.weights * fit.residuals)) @ heights)


def _chance(fit: Linear, found: Sequence[_Levels], more: _Levels) -> float:
    """The probability that levels which mean nothing lower the sum of squares as much, beside those that were found."""
    from scipy.special import fdtrc

    before, after = _lowered(fit, found), _lowered(fit, [*found, more])
    count = more.columns.shape[1]
    freedom = len(fit.residuals) - fit.told - sum(one.columns.shape[1] for one in found) - count
    if freedom < 1:
        return 1.0
    rest = max(float(np.sum(fit.weights * fit.residuals**2)) - after, 1e-12)
    return float(fdtrc(count, freedom, max(after - before, 0.0) / count / (rest / freedom)))
