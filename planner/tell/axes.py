"""Axes of charts: a range with a margin, and few ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from planner.tell.document import Axis, Line, Tick, Value

TICKS_MAX = 6


def log_axis(
    label: Line,
    values: Sequence[float],
    show: Callable[[float], Value],
    at: Sequence[float] | None = None,
    binary: bool = False,
) -> Axis:
    """A logarithmic axis that holds all values.

    Args:
        label: what it measures.
        values: positive numbers.
        show: a number of it as it is read.
        at: where its ticks stand; by default at round numbers.
        binary: whether round numbers are powers of two, as of bytes.
    """
    low, high = min(values), max(values)
    spread = max(math.log(high / low), 0.2)
    low, high = low * math.exp(-0.06 * spread), high * math.exp(0.06 * spread)
    places = list(at) if at is not None else _binary_ticks(low, high) if binary else _log_ticks(low, high)
    return Axis(label, low, high, tuple(Tick(place, show(place)) for place in places), log=True)


def linear_axis(label: Line, values: Sequence[float], show: Callable[[float], Value]) -> Axis:
    """An axis that holds all values."""
    low, high = min(values), max(values)
    spread = (high - low) or 0.02
    low, high = low - 0.07 * spread, high + 0.07 * spread
    return Axis(label, low, high, tuple(Tick(place, show(place)) for place in _linear_ticks(low, high)))


def share(axis: Axis, value: float) -> float:
    """Where a value stands: 0 at the low end of the axis, 1 at its high end."""
    if axis.log:
        return math.log(value / axis.low) / math.log(axis.high / axis.low)
    return (value - axis.low) / (axis.high - axis.low)


def _linear_ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, of the coarsest step that gives at least four; of more than
    `TICKS_MAX` the even multiples."""
    power = 10.0 ** math.floor(math.log10(high - low))
    for step in (factor * scale for scale in (power, power / 10) for factor in (5, 2, 1)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first >= 3:
            break
    if last - first >= TICKS_MAX:
        step, first, last = 2 * step, -(-first // 2), last // 2
    return [round(i * step, 12) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers, the coarsest kind that gives at least four."""
    for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [place for place in found if low <= place <= high]
        if len(found) >= 4:
            return thinned(found, TICKS_MAX)
    return _linear_ticks(low, high)


def _binary_ticks(low: float, high: float) -> list[float]:
    """Powers of two, or where there are fewer than three round parts of the one below: 8, 10, 12 GiB."""
    found = [2.0**power for power in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]
    if len(found) >= 3:
        return thinned(found, TICKS_MAX)
    unit = 2.0 ** (10 * (math.floor(math.log2(high)) // 10))
    return [unit * place for place in _log_ticks(low / unit, high / unit)]


def thinned(levels: Sequence[float], kept_max: int) -> list[float]:
    """At most so many of them, evenly, with the first and the last."""
    return [levels[round(i)] for i in np.linspace(0, len(levels) - 1, min(len(levels), kept_max)).tolist()]
