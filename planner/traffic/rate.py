"""The largest rate of requests that one replica carries within limits, at the level that is asked for.

    "steady"  closed form, to discard candidates;  "chain"  numerical, for a shortlist;  "events"  simulated

It is the rate at which the first limit is just met, or the capacity, above which the replica is unstable. The closed
form points to it; from there the rate goes up while the limits hold, or down until they do, and the crossing is
narrowed. Times that do not grow with the rate (kernels that are slower with fewer rows) are followed as they are.
"""

from __future__ import annotations

import math

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import UnknownNameError
from planner.traffic.levels import CHAIN, LEVELS, STEADY, At, Level, capacity
from planner.traffic.limits import Limits, checked_percentile
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests

_TOLERANCE = 0.004
"""Of the rate, to which it is narrowed."""
_TRIES = 20
_FACTOR = 1.15
"""From one rate to the next while a crossing is looked for."""
_LEAST = 1e-3
"""Of the capacity: what breaks a limit there breaks it with a single request."""


@dataclass(frozen=True)
class LargestRate:
    """What one replica carries."""

    requests_per_second: float | None
    """0 where a single request breaks a limit; None where only events answer."""
    bound: str
    """What ends it: "ttft", "tpot", "latency", or what is full where it becomes unstable: "compute", "seats", "kv",
    "encoder"."""
    level: str
    unstable_above: float
    """Requests per second; the capacity."""
    at: At | None
    """The replica at that rate; None where there is none."""
    at_least: float
    """Requests per second at which the limits were seen to hold."""
    events_only: str = ""
    """Why the level does not answer; "" where it does."""


def largest_rate(
    replica: Replica,
    requests: Requests,
    limits: Limits,
    percentile: float | str = 95.0,
    *,
    level: str | Level = CHAIN.name,
) -> LargestRate:
    """The largest rate within limits on a percentile of the requests, or on their mean.

    Args:
        replica: the server.
        requests: what comes, at random.
        limits: none: the capacity.
        percentile: percent of the requests that keep within each limit, or "mean".
        level: "steady", "chain" or "events"; or a level of one's own, such as EventsLevel(seed).

    Raises:
        InputError: a percentile that is none, a level that is not known, prompts that the engine refuses.
    """
    checked_percentile(percentile)
    if not isinstance(level, Level):
        if level not in LEVELS:
            raise UnknownNameError("level of traffic", level, LEVELS)
        level = LEVELS[level]
    return _Search(replica, requests, limits, percentile, level).found()


@dataclass(frozen=True)
class _Tried:
    at: At
    over: float
    """The worst time by its limit; infinite where it is unstable, NaN where the level does not answer."""
    which: str

    @property
    def holds(self) -> bool:
        return self.over <= 1.0


class _Search:
    def __init__(
        self, replica: Replica, requests: Requests, limits: Limits, percentile: float | str, level: Level
    ) -> None:
        self.replica, self.requests, self.limits, self.percentile = replica, requests, limits, percentile
        self.level = level
        self.capacity, self.full = capacity(replica, requests)

    def tried(self, rate: float) -> _Tried:
        at = self.level.at(self.replica, self.requests, rate, self.percentile)
        if at.events_only and at.stable:
            return _Tried(at, math.nan, "")
        if not at.stable:
            return _Tried(at, math.inf, self.full)
        over = {name: at.times_s[name] / most for name, most in self.limits.given.items() if name in at.times_s}
        value, which = max(((value, name) for name, value in over.items()), default=(0.0, self.full))
        return _Tried(at, value, which)

    def found(self) -> LargestRate:
        low, high = self._bracket(self._start())
        for _ in range(_TRIES):
            if low is None or high is None or high.at.rate / low.at.rate - 1 < _TOLERANCE:
                break
            middle = self.tried(_between(low, high))
            low, high = (middle, high) if middle.holds else (low, middle)
        return self._told(low, high)

    def _start(self) -> float:
        """Where the closed form sees the crossing."""
        rates = self.capacity * np.concatenate([np.geomspace(_LEAST, 0.1, 12), np.linspace(0.1, 0.99, 60)[1:]])
        over = STEADY.over(self.replica, self.requests, rates, self.percentile, self.limits)
        holds = np.flatnonzero(over <= 1.0)
        return float(rates[holds[-1]] if holds.size else rates[0])

    def _bracket(self, start: float) -> tuple[_Tried | None, _Tried | None]:
        """Where the limits hold, and a higher rate where they do not; None where there is none."""
        now = self.tried(min(start, self.capacity * self.level.most))
        if now.holds:
            while now.at.rate < self.capacity * self.level.most * (1 - 1e-9):
                above = self.tried(min(now.at.rate * _FACTOR, self.capacity * self.level.most))
                if not above.holds:
                    return now, above
                now = above
            return now, None
        factor = _FACTOR
        while now.at.rate > self.capacity * _LEAST * (1 + 1e-9):
            below = self.tried(max(now.at.rate / factor, self.capacity * _LEAST))
            if below.holds:
                return below, now
            now, factor = below, factor * _FACTOR
        return None, now

    def _told(self, low: _Tried | None, high: _Tried | None) -> LargestRate:
        level, capacity = self.level.name, self.capacity
        if low is None:
            assert high is not None
            if math.isnan(high.over):
                return LargestRate(None, "", level, capacity, None, 0.0, high.at.events_only)
            return LargestRate(0.0, high.which, level, capacity, None, 0.0)
        if high is not None and math.isnan(high.over):
            return LargestRate(None, "", level, capacity, None, low.at.rate, high.at.events_only)
        if high is None and self.level.most < 1.0:
            reason = f"the limits hold up to {self.level.most:.0%} of what is stable"
            return LargestRate(None, "", level, capacity, None, low.at.rate, reason)
        return LargestRate(
            low.at.rate, high.which if high is not None else self.full, level, capacity, low.at, low.at.rate
        )


def _between(low: _Tried, high: _Tried) -> float:
    """By the secant of the logarithms, kept away from the ends; in the middle where there is none."""
    share = 0.5
    if 0 < low.over < high.over < math.inf:
        share = min(max(-math.log(low.over) / math.log(high.over / low.over), 0.1), 0.9)
    return float(low.at.rate * (high.at.rate / low.at.rate) ** share)
