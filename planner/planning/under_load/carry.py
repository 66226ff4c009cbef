"""One candidate under the load: a replica and what comes to it, by the numerical level."""

from __future__ import annotations

from planner.base.errors import NothingFitsError
from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.under_load.asked import ARRIVING, Traffic
from planner.planning.under_load.served import Carried
from planner.planning.under_load.service import percentiles_of, service_of
from planner.traffic.chain import Chain, Spread, chain
from planner.traffic.service import Service

_ROUNDS, _NEAR = 3, 0.01
"""Of the search for the rate that keeps so many requests under way, and how near it ends."""


def carried(candidate: Candidate, load: Load, deployment: Deployment) -> Carried | None:
    """A candidate under the load, by the numerical level; None where it does not keep up, or that does not answer."""
    try:
        service = service_of(candidate, load, deployment)
    except NothingFitsError:
        return None
    traffic, replicas = deployment.traffic, int(candidate.quantities["replicas"])
    assert traffic is not None
    rate = candidate.quantities[ARRIVING] / replicas
    found = chain(service.replica, service.requests, rate)
    if traffic.concurrency is not None:
        found = _under_way(service, found, traffic.concurrency / replicas)
    return _of_chain(found, candidate, traffic) if found.stable and not found.events_only else None


def _under_way(service: Service, found: Chain, wanted: float) -> Chain:
    """At the rate that keeps so many requests under way, by the latency at a rate near it."""
    for _ in range(_ROUNDS):
        if found.latency_s is None:
            return found
        rate = wanted / found.latency_s.mean
        if abs(rate / found.rate - 1) < _NEAR:
            return found
        found = chain(service.replica, service.requests, rate)
    return found


def idle_gpus(candidate: Candidate) -> int:
    """Of those that are paid for, the ones too few for another replica."""
    return int(candidate.quantities["gpus"]) - int(candidate.quantities["replicas"]) * candidate.tensor_parallel


def times_of_chain(found: Spread, traffic: Traffic) -> dict[str, float]:
    """By mean and percentiles."""
    return {"mean": found.mean, **{f"p{q:g}": found.percentile(q) for q in percentiles_of(traffic)}}


def _of_chain(found: Chain, candidate: Candidate, traffic: Traffic) -> Carried:
    def times(one: Spread | None) -> dict[str, float]:
        return {} if one is None else times_of_chain(one, traffic)

    assert found.running is not None
    replicas = int(candidate.quantities["replicas"])
    return Carried(
        level=found.level,
        requests_per_second=found.rate * replicas,
        gpus=int(candidate.quantities["gpus"]),
        idle_gpus=idle_gpus(candidate),
        replicas=replicas,
        utilisation=found.utilisation,
        running=found.running,
        ttft_s=times(found.ttft_s),
        tpot_s=times(found.tpot_s),
        latency_s=times(found.latency_s),
    )
