"""The most that a candidate carries: the highest rate at which every limit of time is kept."""

from __future__ import annotations

from planner.planning.under_load.asked import Traffic
from planner.planning.under_load.served import TIMES, Carried, Most
from planner.traffic.limits import Limits
from planner.traffic.rate import largest_rate
from planner.traffic.service import Service

CAPACITY = "capacity"
"""What ends the rate where no limit does: beyond it only a simulation would say more."""


def most_of(service: Service, found: Carried, traffic: Traffic) -> Most:
    """Of all replicas of a candidate, by the numerical level.

    Args:
        service: one replica.
        found: the candidate under the load; at its rate the limits are known to be kept.
        traffic: the load.
    """
    rate = found.requests_per_second / found.replicas
    limits = Limits(*(traffic.limits.get(name) for name in TIMES))
    largest = largest_rate(service.replica, service.requests, limits, traffic.percentile)
    known = largest.at_least if largest.requests_per_second is None else largest.requests_per_second
    return Most(
        requests_per_second=max(known, rate) * found.replicas,
        bound=largest.bound if largest.requests_per_second else CAPACITY,
        level=largest.level,
        unstable_above=largest.unstable_above * found.replicas,
    )
