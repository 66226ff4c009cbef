"""What a stage takes: seconds and bytes, and what they are spent on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]
Number = FloatArray | float

BOUNDS = ("compute", "bandwidth", "overhead", "interconnect")


@dataclass(frozen=True)
class StageTime:
    """Seconds and bytes of one stage; each a float, or an array over candidates."""

    seconds: Number = 0.0
    bytes: Number = 0.0
    """Read and written by one GPU."""
    compute_s: Number = 0.0
    """What the products alone would take, at the card's efficiency; so the next three."""
    bandwidth_s: Number = 0.0
    overhead_s: Number = 0.0
    interconnect_s: Number = 0.0
    ideal_s: Number = 0.0
    """Speed of light: the larger of FLOPs / peak and bytes / bandwidth, and the interconnect at its peak."""

    @property
    def bound(self) -> NDArray[np.str_] | str:
        """What the stage spends most on: "compute", "bandwidth", "overhead" or "interconnect"."""
        parts = np.broadcast_arrays(*(getattr(self, f"{name}_s") for name in BOUNDS))
        bound: NDArray[np.str_] = np.array(BOUNDS)[np.argmax(parts, axis=0)]
        return bound if bound.ndim else str(bound)

    def at(self, place: Place) -> StageTime:
        """The numbers of one candidate."""
        return StageTime(*map(place.entry, _numbers(self)))


_numbers = attrgetter(*(item.name for item in fields(StageTime)))


class Place:
    """One candidate, by its place in the broadcast shape of all; its numbers are read without a view for each."""

    def __init__(self, shape: tuple[int, ...], index: tuple[int, ...]) -> None:
        self._shape, self._index = shape, index
        self._known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def entry(self, value: Number) -> float:
        """One number of those that broadcast to the shape."""
        if isinstance(value, float):
            return float(value)
        own = value.shape
        if own not in self._known:
            lead = len(self._shape) - len(own)
            places = zip(own, self._shape[lead:], self._index[lead:], strict=True)
            self._known[own] = tuple(0 if size == 1 < full else place for size, full, place in places)
        return float(value.item(self._known[own]))


def summed(stages: Sequence[StageTime]) -> StageTime:
    """Stages one after the other."""
    total, *others = stages
    for stage in others:
        total = StageTime(*(plus(getattr(total, item.name), getattr(stage, item.name)) for item in fields(StageTime)))
    return total


def plus(one: Number, other: Number) -> Number:
    """The sum; a plain zero costs no pass over a grid of candidates."""
    if type(one) is float and one == 0.0:
        return other
    return one if type(other) is float and other == 0.0 else one + other
