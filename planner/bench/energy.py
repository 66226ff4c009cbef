"""Energy of requests by the device's own counter: many of them one after the other, for seconds.

A GPU's counter (nvmlDeviceGetTotalEnergyConsumption, "in millijoules since the driver was last reloaded", Volta and
newer) moves in steps of 20 to 100 ms, and on some cards the sensor behind it looks at a part of the time only (Yang and
others 2023, "Part-time power measurements", arXiv 2312.02741): a window of less than 5 s can be off by 10 to 20 %.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from planner.bench.facts import Energy

WINDOW_S = 5.0
"""The shortest that is reliable: two steps of 100 ms are 4 % of it."""
_MOST = 100_000


class Counter(Protocol):
    """Counts joules."""

    def energy_joules(self) -> float | None:
        """Since some moment that stays the same; None where it cannot be read."""

    @property
    def counts(self) -> str:
        """What is counted, in words."""

    @property
    def advice(self) -> str:
        """What to do where it cannot be read."""


def energy_of(
    work: Callable[[int], object],
    counter: Counter,
    requests: int,
    seconds: float = WINDOW_S,
    *,
    now: Callable[[], float] = time.perf_counter,
) -> Energy:
    """Joules of a request, idle power of the device included.

    Args:
        work: a batch of requests, done for the n-th time when it returns.
        counter: of the device.
        requests: in a batch.
        seconds: for which batches run, at least; less than WINDOW_S gives an energy that is marked as not valid.
        now: a clock in seconds.
    """
    if counter.energy_joules() is None:
        return Energy(None, False, f"not known: {counter.advice}")
    work(0)
    start, before, count = now(), counter.energy_joules(), 0
    after = before
    while count < 1 or (now() - start < seconds and count < _MOST):
        count += 1
        work(count)
        after = counter.energy_joules()
    took = now() - start
    if before is None or after is None:
        return Energy(None, False, "not known: the energy counter could not be read to the end")
    note = f"{count} {'batch' if count == 1 else 'batches'} in {took:.2f} s, {counter.counts}"
    if took < WINDOW_S:
        note += f"; too short for the steps of the counter: {WINDOW_S:g} s are reliable (--seconds 1 or more)"
    return Energy((after - before) / (count * requests), took >= WINDOW_S, note)
