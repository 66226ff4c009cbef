"""A candidate under the load, simulated request by request."""

from __future__ import annotations

from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.under_load.asked import Traffic
from planner.planning.under_load.carry import idle_gpus
from planner.planning.under_load.served import Carried
from planner.planning.under_load.service import percentiles_of
from planner.traffic.arrivals import Arrivals, Poisson
from planner.traffic.estimates import Estimate
from planner.traffic.events import simulate
from planner.traffic.levels import capacity
from planner.traffic.outcome import Outcome
from planner.traffic.service import Service


def simulated(
    candidate: Candidate, service: Service, rate: float, load: Load, deployment: Deployment
) -> Carried | None:
    """A candidate whose replicas get so many requests per second each, by events: at random, or as a log has them. None
    where its queue grows."""
    traffic, replicas = deployment.traffic, int(candidate.quantities["replicas"])
    assert traffic is not None
    found = simulate(service.replica, service.requests, arrivals_of(load, replicas, rate))
    if not found.stable:
        return None
    most, _ = capacity(service.replica, service.requests)
    limits = traffic.limits
    good = found.goodput(ttft_s=limits.get("ttft_s"), tpot_s=limits.get("tpot_s"), latency_s=limits.get("request_s"))
    ttft, tpot, latency = _times(found, traffic)
    return Carried(
        level=found.level,
        requests_per_second=rate * replicas,
        gpus=int(candidate.quantities["gpus"]),
        idle_gpus=idle_gpus(candidate),
        replicas=replicas,
        utilisation=rate / most,
        running=found.running,
        ttft_s=ttft,
        tpot_s=tpot,
        latency_s=latency,
        goodput=good.value,
    )


def arrivals_of(load: Load, replicas: int, rate: float) -> Arrivals:
    """At one of the replicas."""
    if load.arrivals is None:
        return Poisson(rate)
    return load.arrivals.divided(replicas).at_rate(rate)


def _times(found: Outcome, traffic: Traffic) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """TTFT, TPOT and latency by mean and percentiles."""

    def named(mean: Estimate, values: dict[float, Estimate]) -> dict[str, float]:
        return {"mean": mean.value, **{f"p{q:g}": one.value for q, one in values.items()}}

    percents = percentiles_of(traffic)
    several = bool((found.generated_tokens > 1).any())
    return (
        named(found.mean_ttft, {q: found.ttft(q) for q in percents}),
        named(found.mean_tpot, {q: found.tpot(q) for q in percents}) if several else {},
        named(found.mean_latency, {q: found.latency(q) for q in percents}),
    )
