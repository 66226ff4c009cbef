"""The highest rate at which limits on percentiles hold, by simulating around it with the same random numbers.

From a rate at which one request hardly meets another it goes up by doubling until a limit breaks, and the crossing is
narrowed by the secant of the logarithms of time over limit. Where no limit breaks before the queue grows without end,
that ends the rate, and what is full there is named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from planner.base.dataclass import dataclass
from planner.traffic.arrivals import Closed, Poisson
from planner.traffic.events import REQUESTS, simulate
from planner.traffic.outcome import Outcome
from planner.traffic.service import Service

_COARSE = 4000
"""Requests while a limit is not near."""
_TOLERANCE = 1.004
"""Between a rate that holds and one that does not."""
_ROUNDS = 24
_FULL = 0.98
"""Share of the seats, or of the encoder's time, from which on they are what is full."""


@dataclass(frozen=True, eq=False)
class Tried:
    """A rate, and what became of its requests."""

    rate: float
    outcome: Outcome
    over: float
    """The worst time by its limit; infinite where the queue grows without end."""
    which: str
    """The limit that it is the time of, "ttft", "tpot" or "latency", or what is full."""

    @property
    def holds(self) -> bool:
        return self.over <= 1.0


def tried(
    service: Service, rate: float, limits: Mapping[str, float], percentile: float, seed: int, count: int = REQUESTS
) -> Tried:
    """A server at a rate of requests at random.

    Args:
        service: the server.
        rate: requests per second.
        limits: most seconds, by name: "ttft_s", "tpot_s", "latency_s".
        percentile: percent of the requests that keep within each.
        seed: of the requests that are drawn.
        count: how many.
    """
    found = simulate(service.replica, service.requests, Poisson(rate), count=count, seed=seed)
    if not found.stable:
        return Tried(rate, found, math.inf, what_is_full(service, found))
    times = {"ttft_s": found.ttft, "tpot_s": found.tpot, "latency_s": found.latency}
    over = {name: times[name](percentile).value / most for name, most in limits.items()}
    worst = max((name for name, value in over.items() if value == value), key=over.__getitem__, default="")
    return Tried(rate, found, over[worst] if worst else 0.0, worst.removesuffix("_s"))


def highest_rate(
    service: Service, limits: Mapping[str, float], percentile: float, seed: int, start: float
) -> tuple[Tried | None, Tried]:
    """The highest rate that was found to hold, and the lowest above it that was not; None where none holds.

    Args:
        service: the server.
        limits: most seconds, by name: "ttft_s", "tpot_s", "latency_s".
        percentile: percent of the requests that keep within each.
        seed: of the requests that are drawn.
        start: requests per second of a server that is hardly busy.
    """

    def at(rate: float, count: int = REQUESTS) -> Tried:
        return tried(service, rate, limits, percentile, seed, count)

    rate = start
    while at(rate, _COARSE).holds:
        rate *= 2
    high = at(rate)
    while high.holds:  # fewer requests scatter more
        rate *= 2
        high = at(rate)
    low = at(rate / 2)
    while not low.holds:
        if low.rate < start / 4:
            return None, low
        high, low = low, at(low.rate / 2)
    for _ in range(_ROUNDS):
        if high.rate / low.rate < _TOLERANCE:
            break
        middle = at(_between(low, high))
        low, high = (middle, high) if middle.holds else (low, middle)
    return low, high


def saturated_rate(service: Service, seed: int) -> float:
    """Requests per second that a server answers for which more always wait: a closed loop of twice its seats."""
    users = Closed(2 * service.scheduler.max_num_seqs)
    count = max(_COARSE, 6 * users.concurrency)
    return simulate(service.replica, service.requests, users, count=count, seed=seed).requests_per_second


def what_is_full(service: Service, found: Outcome) -> str:
    """Where the queue grows: "kv", "seats", "encoder" or "compute"."""
    replica, requests = service.replica, service.requests
    if found.preemptions:
        return "kv"
    if found.running > _FULL * replica.scheduler.max_num_seqs:
        return "seats"
    encoder = found.requests_per_second * requests.means.images * replica.encode_apart_s
    return "encoder" if encoder > _FULL else "compute"


def _between(low: Tried, high: Tried) -> float:
    """By the secant, kept away from the ends; in the middle where there is none."""
    share = 0.5
    if 0 < low.over < high.over < math.inf:
        share = min(max(-math.log(low.over) / math.log(high.over / low.over), 0.1), 0.9)
    return float(low.rate * (high.rate / low.rate) ** share)
