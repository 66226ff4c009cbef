"""What pictures of a load show, of a plan or of a server: its curve over rates, and a while of one engine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from planner.base.errors import InputError
from planner.planning.under_load.service import percentiles_of, service_of
from planner.planning.under_load.simulated import arrivals_of
from planner.traffic.arrivals import Arrivals, Closed, Poisson
from planner.traffic.curve import LoadCurve, load_curve
from planner.traffic.events import REQUESTS
from planner.traffic.timeline import Timeline, timeline

if TYPE_CHECKING:
    from planner.planning.capacity_result import Capacity
    from planner.planning.result import Plan


def curve_of(plan: Plan) -> LoadCurve:
    """Of one replica of the pick. Raises InputError for a plan without a load."""
    traffic = plan.deployment.traffic
    if traffic is None or plan.carried is None:
        raise InputError("a load curve needs a plan with a load, such as budget=Budget(requests_per_second=30)")
    service = service_of(plan.best, plan.load, plan.deployment)
    log = None if plan.load.arrivals is None else partial(arrivals_of, plan.load, plan.carried.replicas)
    return load_curve(service.replica, service.requests, percentiles_of(traffic), arrivals=log)


def timeline_of(plan: Plan) -> Timeline:
    """A second of one replica of the pick. Raises InputError for a plan without a load."""
    if plan.carried is None:
        raise InputError("a timeline needs a plan with a load, such as budget=Budget(requests_per_second=30)")
    service, replicas = service_of(plan.best, plan.load, plan.deployment), plan.carried.replicas
    rate = plan.carried.requests_per_second / replicas
    arrivals = arrivals_of(plan.load, replicas, rate)
    return timeline(service.replica, service.requests, arrivals, rate, plan.carried.latency_s["mean"])


def curve_of_capacity(found: Capacity) -> LoadCurve:
    """Of a server that is asked for its highest rate. Raises InputError for a closed loop and for static batches."""
    service = found.service
    if service is None or not found.limits:
        raise InputError("a load curve needs limits and continuous batching: a closed loop has no rate of its own")
    percentiles = sorted({50.0, float(found.percentile), 99.0})
    log = None if found.log is None else found.log.repeated(REQUESTS).at_rate
    return load_curve(service.replica, service.requests, percentiles, unstable_above=found.unstable_above, arrivals=log)


def timeline_of_capacity(found: Capacity) -> Timeline:
    """A second of a server at the load that it carries. Raises InputError for static batches."""
    service, latency, rate = found.service, found.at.latency_s, found.requests_per_second
    if service is None or latency is None:
        raise InputError("a timeline needs continuous batching: static batches run one after the other")
    comes: Arrivals = Poisson(rate) if found.log is None else found.log.at_rate(rate)
    arrivals = comes if found.limits else Closed(round(found.at.concurrency or 1))
    return timeline(service.replica, service.requests, arrivals, rate, latency.mean)
