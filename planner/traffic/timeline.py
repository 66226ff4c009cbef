"""A while of an engine under load, iteration by iteration: what it computes, and how long that takes."""

from __future__ import annotations

import math

from planner.base.dataclass import dataclass
from planner.base.quantities import positive_number
from planner.traffic.arrivals import Arrivals
from planner.traffic.course import Step
from planner.traffic.events import check_fits, prepared
from planner.traffic.loop import run
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests

_SETTLED = 3.0
"""Of the mean latency, after which as many requests are under way as will be."""
_BEFORE = (200, 8_000)
"""Requests that come before, at least and at most."""
_MORE = 1.5
"""Of the requests that come in that while on average, that are let come."""


@dataclass(frozen=True)
class Timeline:
    """Iterations that begin within a while."""

    start_s: float
    seconds: float
    steps: tuple[Step, ...]
    """One after the other; each of a single iteration."""
    requests_per_second: float
    token_budget: int
    """Of an iteration, at most."""

    level = "events"


def timeline(
    replica: Replica,
    requests: Requests,
    arrivals: Arrivals,
    requests_per_second: float,
    latency_s: float,
    *,
    seconds: float = 1.0,
    seed: int = 0,
) -> Timeline:
    """Simulate an engine until as many requests are under way as will be, and keep what it does from then on.

    Args:
        replica: the engine.
        requests: what comes.
        arrivals: when they come.
        requests_per_second: that come, on average.
        latency_s: mean time of a request, which says how long it takes until as many are under way as will be.
        seconds: for how long iterations are kept.
        seed: of the numbers that are drawn.

    Raises:
        InputError: no time, or a request that the engine can never run.
    """
    seconds = positive_number(seconds, "seconds")
    check_fits(replica, requests)
    low, high = _BEFORE
    before = min(max(low, math.ceil(_SETTLED * latency_s * requests_per_second)), high)
    count = before + math.ceil(_MORE * seconds * requests_per_second) + low
    work, room, times = prepared(replica, requests, arrivals, count, seed)
    mark = min(before, len(work.comes_s) - 1)
    start = run(work, room, times, think_s=replica.request_s, marks=(mark,)).marks[0].time_s
    window = (start, start + seconds)
    course = run(work, room, times, think_s=replica.request_s, recorded_s=window)
    budget = replica.scheduler.max_num_batched_tokens
    return Timeline(start, seconds, tuple(course.steps), requests_per_second, budget)
