"""Means and percentiles of a run whose requests depend on each other, with intervals.

The run is cut into batches of successive requests, long beside the time for which requests depend on each other; each
batch gives an estimate, and their scatter the interval (batch means; Law, Simulation Modeling and Analysis, 9.5.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.traffic.iteration_time import FloatArray

_BATCHES = 20
_QUANTILE = 2.093
"""Of Student's distribution with 19 degrees of freedom, for 95 %."""
_LEAST = 10
"""Requests of a batch, below which no interval is given."""


@dataclass(frozen=True)
class Estimate:
    """A number and its interval of 95 %."""

    value: float
    low: float
    """Not a number where the run is too short for an interval."""
    high: float

    def __float__(self) -> float:
        return self.value


UNBOUNDED = Estimate(math.inf, math.inf, math.inf)
"""Of what grows for as long as requests come."""


def mean(values: FloatArray) -> Estimate:
    """The mean of successive requests."""
    return _estimate(values, lambda some: float(some.mean()))


def percentile(values: FloatArray, q: float) -> Estimate:
    """The q-th percentile of successive requests, q between 0 and 100. Raises InputError."""
    checked_percentile(q)
    return _estimate(values, lambda some: float(np.percentile(some, q)))


def checked_percentile(q: float) -> float:
    """A percentile that can be asked for, above 0 and below 100. Raises InputError."""
    if isinstance(q, bool) or not isinstance(q, int | float) or not 0 < q < 100:
        raise InputError(f"percentile: expected a number between 0 and 100, such as 95, got {shown(q)}")
    return float(q)


def _estimate(values: FloatArray, of: Callable[[FloatArray], float]) -> Estimate:
    if values.size == 0:
        return Estimate(math.nan, math.nan, math.nan)
    found = of(values)
    if values.size < _LEAST * _BATCHES:
        return Estimate(found, math.nan, math.nan)
    batches = np.array([of(some) for some in np.array_split(values, _BATCHES)])
    half = _QUANTILE * float(batches.std(ddof=1)) / math.sqrt(_BATCHES)
    return Estimate(found, found - half, found + half)
