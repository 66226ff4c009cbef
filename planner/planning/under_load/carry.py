"""One candidate under the load: a replica and what comes to it, by the numerical level or by simulated events."""

from __future__ import annotations

from planner.base.errors import NothingFitsError
from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.under_load.asked import Traffic
from planner.planning.under_load.columns import scheduler_of
from planner.planning.under_load.room import memory_share
from planner.planning.under_load.served import Carried
from planner.traffic.arrivals import Arrivals, Closed, Poisson
from planner.traffic.chain import Chain, Spread, chain
from planner.traffic.service import Service

STORED = (50.0, 95.0, 99.0)
"""Percentiles that a plan's file holds."""


def service_of(candidate: Candidate, load: Load, deployment: Deployment) -> Service:
    """One replica of a candidate, and what comes to it.

    Raises:
        NothingFitsError: its memory has no room for a request beside what runs.
    """
    card, traffic = deployment.hardware, deployment.traffic
    assert card is not None and traffic is not None
    share = memory_share(card, traffic.memory_bytes)
    return Service(candidate.model, candidate.run(card), load.kinds, load.shares, scheduler_of(card), share)


def arrivals_of(traffic: Traffic, replicas: int) -> Arrivals:
    """At one of so many replicas."""
    if traffic.concurrency is not None:
        return Closed(traffic.concurrency).divided(replicas)
    assert traffic.requests_per_second is not None
    return Poisson(traffic.requests_per_second).divided(replicas)


def carried(candidate: Candidate, load: Load, deployment: Deployment) -> Carried | None:
    """A candidate under the load, by the numerical level where that answers; None where it does not keep up."""
    try:
        service = service_of(candidate, load, deployment)
    except NothingFitsError:
        return None
    traffic, replicas = deployment.traffic, int(candidate.quantities["replicas"])
    assert traffic is not None
    if traffic.requests_per_second is not None:
        found = chain(service.replica, service.requests, traffic.requests_per_second / replicas)
        if not found.stable:
            return None
        if not found.events_only:
            return _of_chain(found, candidate, traffic)
    from planner.planning.under_load.simulated import simulated  # only where the numerical level does not answer

    return simulated(candidate, service, deployment)


def percentiles_of(traffic: Traffic) -> tuple[float, ...]:
    """Those that are stored, and the one that limits hold for."""
    return tuple(sorted({*STORED, traffic.percentile}))


def _of_chain(found: Chain, candidate: Candidate, traffic: Traffic) -> Carried:
    def times(one: Spread | None) -> dict[str, float]:
        if one is None:
            return {}
        return {"mean": one.mean, **{f"p{q:g}": one.percentile(q) for q in percentiles_of(traffic)}}

    assert traffic.requests_per_second is not None and found.running is not None
    return Carried(
        level=found.level,
        requests_per_second=traffic.requests_per_second,
        gpus=int(candidate.quantities["gpus"]),
        replicas=int(candidate.quantities["replicas"]),
        utilisation=found.utilisation,
        running=found.running,
        ttft_s=times(found.ttft_s),
        tpot_s=times(found.tpot_s),
        latency_s=times(found.latency_s),
    )
