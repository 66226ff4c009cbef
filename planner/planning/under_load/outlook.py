"""The pick and its rivals under the load, and what becomes of the pick at more load."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from planner.base.errors import NothingFitsError
from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.under_load.asked import ARRIVING
from planner.planning.under_load.carry import times_of_chain
from planner.planning.under_load.most import most_of
from planner.planning.under_load.room import engine_of
from planner.planning.under_load.served import Carried, Most, Rival, Scaled, ScheduledBy, Served
from planner.planning.under_load.service import service_of
from planner.planning.under_load.simulated import simulated
from planner.traffic.chain import chain
from planner.traffic.service import Service

if TYPE_CHECKING:
    from planner.planning.result import Plan

RIVALS = 2
"""Of the next best, that are simulated beside the pick."""


def served(plan: Plan) -> Served:
    """The pick of a plan with a load, its rivals, and what becomes of the pick at more load."""
    confirmed, deployment, traffic = plan.carried, plan.deployment, plan.deployment.traffic
    assert confirmed is not None and traffic is not None
    service = service_of(plan.best, plan.load, deployment)
    rate = confirmed.requests_per_second / confirmed.replicas
    found = simulated(plan.best, service, rate, plan.load, deployment) or confirmed
    most = confirmed.most or most_of(service, confirmed, traffic)
    engine = engine_of(deployment)
    return Served(
        requests_per_second=found.requests_per_second,
        gpus=found.gpus,
        replicas=found.replicas,
        utilisation=found.utilisation,
        goodput=found.goodput,
        ttft_s=found.ttft_s,
        tpot_s=found.tpot_s,
        latency_s=found.latency_s,
        max_requests_per_second=most.requests_per_second,
        level=found.level,
        max_level=most.level,
        bound=most.bound,
        unstable_above=most.unstable_above,
        running=found.running,
        percentile=traffic.percentile,
        confirmed=confirmed,
        scaled=_scaled(plan, service, found, most),
        rivals=tuple(_rival(one, plan.load, deployment) for one in plan.runners_up[:RIVALS]),
        scheduler=ScheduledBy(
            engine.scheduler.max_num_seqs, engine.scheduler.max_num_batched_tokens, dict(engine.source)
        ),
        idle_gpus=found.idle_gpus,
    )


def _scaled(plan: Plan, service: Service, found: Carried, most: Most) -> Scaled:
    """The pick at several times the load."""
    traffic = plan.deployment.traffic
    assert traffic is not None
    factor = traffic.next_scale
    rate = factor * found.requests_per_second
    each = most.requests_per_second / found.replicas
    replicas = math.ceil(rate / each)
    there = chain(service.replica, service.requests, rate / found.replicas)
    times = {} if there.ttft_s is None else times_of_chain(there.ttft_s, traffic)
    devices = plan.best.tensor_parallel
    return Scaled(
        factor=factor,
        requests_per_second=rate,
        stable=rate < most.unstable_above,
        gpus=replicas * devices,
        ttft_s=times,
    )


def _rival(candidate: Candidate, load: Load, deployment: Deployment) -> Rival:
    rate = candidate.quantities[ARRIVING] / candidate.quantities["replicas"]
    try:
        found = simulated(candidate, service_of(candidate, load, deployment), rate, load, deployment)
    except NothingFitsError:
        found = None
    return Rival(candidate.name, candidate.visual_tokens, candidate.precision, candidate.tensor_parallel, found)
