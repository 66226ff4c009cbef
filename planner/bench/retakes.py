"""Unstable measurements taken again, a stated number of times; the steadiest one is kept, marked if it is unstable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from planner.bench.crosschecks import crosschecked
from planner.bench.measurement import Measurement

RETAKES = 2
"""Of an unstable measurement: what disturbs for longer than three takes needs somebody to end it."""


def steadied(
    take: Callable[[], Measurement], retakes: int | None = None, kept: Measurement | None = None
) -> Measurement:
    """The first stable one of several takes, else the steadiest of them.

    Args:
        take: measures.
        retakes: how often an unstable measurement is taken again; RETAKES by default.
        kept: what an earlier run measured, in place of the first take.
    """
    from planner.bench.clock import agreed  # it needs torch

    best = take() if kept is None else kept
    for _ in range(RETAKES if retakes is None else retakes):
        if agreed(int(best.stable)):
            break
        best = steadier(best, take())
    return best


def steadier(one: Measurement, other: Measurement) -> Measurement:
    """The stable one, that with fewer complaints, or the faster one: disturbances lengthen times. It knows how many
    takes there were."""
    best = min(one, other, key=lambda found: (not found.stable, len(found.complaints), found.seconds("request") or 0.0))
    return replace(best, takes=one.takes + other.takes)


def settled(
    found: list[Measurement], again: Callable[[int], Measurement], retakes: int | None = None
) -> tuple[Measurement, ...]:
    """Measurements checked against each other; those that contradict the others are taken again.

    Args:
        found: of one device.
        again: takes the n-th of them again.
        retakes: how often; RETAKES by default.
    """
    taken = list(found)
    for _ in range(RETAKES if retakes is None else retakes):
        doubted = [place for place, one in enumerate(crosschecked(taken)) if one.doubts]
        if not doubted:
            break
        for place in doubted:
            other = again(place)
            taken[place] = replace(other, takes=taken[place].takes + other.takes)
    return crosschecked(taken)
