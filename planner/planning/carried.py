"""From a server to the load that it carries: the rate, its times there, and those at other loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from planner.base.errors import NothingFitsError
from planner.base.quantities import format_significant, whole_number
from planner.configuration import Model, Run
from planner.costs.stages import Workload
from planner.planning.capacity_result import Capacity, LoadPoint, Times
from planner.planning.comes import Comes
from planner.traffic.arrivals import Closed
from planner.traffic.estimates import Estimate
from planner.traffic.events import simulate
from planner.traffic.levels import EventsLevel
from planner.traffic.limits import Limits
from planner.traffic.outcome import Outcome
from planner.traffic.rate import largest_rate
from planner.traffic.service import Service
from planner.traffic.static import cannot_keep, static_batch

OTHER_LOADS = (0.5, 2.0)
"""Of the highest rate, that are shown beside it."""
_ALONE = 400
"""Requests, one after the other, that say what one takes alone."""
_COARSE = 4000
"""Requests that say what a server answers at most."""


def carried(
    service: Service,
    comes: Comes,
    limits: Mapping[str, float],
    percentile: float,
    concurrency: int | None,
    seed: int,
) -> Capacity:
    """The load of a server with continuous batching.

    Args:
        service: the server and its requests.
        comes: what those are, and when they come.
        limits: most seconds, by name: "ttft_s", "tpot_s", "latency_s"; none with a concurrency.
        percentile: percent of the requests that keep within each.
        concurrency: users of a closed loop, in place of limits.
        seed: of the requests that are drawn.

    Raises:
        NothingFitsError: one request alone breaks a limit.
    """
    replica, requests = service.replica, service.requests
    users = None if concurrency is None else whole_number(concurrency, "concurrency", 1)
    if users is not None:
        found = simulate(replica, requests, Closed(users), seed=seed)
        bound, others = "concurrency", []
    else:
        _check_alone(service, limits, percentile)
        largest = largest_rate(replica, requests, Limits(**limits), percentile, level=EventsLevel(seed, comes.arrivals))
        rate, bound = largest.requests_per_second, largest.bound
        if not rate:
            raise NothingFitsError(
                f"the limits hold for {percentile:g} % of the requests at no load above "
                f"{format_significant(largest.unstable_above / 1000)} requests per second: allow more time, or choose "
                "faster hardware, more GPUs that share the model, or a smaller model"
            )
        found, *others = [
            simulate(replica, requests, comes.arrivals(share * rate), seed=seed) for share in (1.0, *OTHER_LOADS)
        ]
    stable = max(found.offered_per_second or found.requests_per_second, _saturated_rate(service, seed))
    at = _point(found, stable, percentile)
    return Capacity(
        model=service.model,
        run=service.run,
        workload=comes.mean,
        requests=comes.count,
        log=comes.log,
        scheduler=service.scheduler,
        limits=limits,
        percentile=percentile,
        bound=bound,
        level=Outcome.level,
        at=at if users is None or not found.stable else replace(at, concurrency=float(users)),
        others=tuple(_point(one, stable, percentile) for one in others),
        unstable_above=stable,
        gpus=service.gpus,
        kv_tokens=service.replica.kv_tokens,
        notes=(*service.notes, *comes.notes, *comes.scatter(percentile)),
        service=service,
    )


def _saturated_rate(service: Service, seed: int) -> float:
    """Requests per second that a server answers for which more always wait: a closed loop of twice its seats."""
    users = Closed(2 * service.scheduler.max_num_seqs)
    count = max(_COARSE, 6 * users.concurrency)
    return simulate(service.replica, service.requests, users, count=count, seed=seed).requests_per_second


def _check_alone(service: Service, limits: Mapping[str, float], percentile: float) -> None:
    """Raises NothingFitsError where one request after the other breaks a limit."""
    alone = simulate(service.replica, service.requests, Closed(1), count=_ALONE)
    found = _point(alone, 1.0, percentile)
    for name, most in limits.items():
        times: Times | None = getattr(found, name)
        if times is not None and times.asked > most:
            raise NothingFitsError(cannot_keep(name, times.asked, most))


def _point(found: Outcome, stable: float, percentile: float) -> LoadPoint:
    """One run, by the rate above which it is unstable."""
    rate = found.requests_per_second if found.offered_per_second is None else found.offered_per_second
    if not found.stable:
        return LoadPoint(rate, None, None, rate / stable, None, None, None)

    def times(of: Callable[[float], Estimate], mean: Estimate) -> Times:
        p50, p95, p99, asked = (of(q).value for q in (50, 95, 99, percentile))
        return Times(mean.value, p50, p95, p99, asked)

    latency = times(found.latency, found.mean_latency)
    return LoadPoint(
        requests_per_second=rate,
        concurrency=rate * latency.mean,
        batch=found.running,
        utilisation=rate / stable,
        ttft_s=times(found.ttft, found.mean_ttft),
        tpot_s=times(found.tpot, found.mean_tpot) if np.any(found.generated_tokens > 1) else None,
        latency_s=latency,
    )


def in_batches(model: Model, load: Workload, run: Run, limits: Mapping[str, float], percentile: float) -> Capacity:
    """The most that batches one after the other serve, without a queue.

    Raises:
        NothingFitsError: memory has no room for one request, or one alone breaks a limit.
    """
    found = static_batch(model, load, run, limits)
    taken = {"ttft_s": found.ttft_s, "tpot_s": found.tpot_s, "latency_s": found.latency_s}
    at = LoadPoint(
        requests_per_second=found.requests_per_second,
        concurrency=float(found.batch),
        batch=float(found.batch),
        utilisation=1.0,
        **{name: Times(one, one, one, one, one) for name, one in taken.items()},
    )
    return Capacity(
        model=model,
        run=run,
        workload=load,
        scheduler=None,
        limits=limits,
        percentile=percentile,
        bound=found.bound,
        level="static",
        at=at,
        others=(),
        unstable_above=None,
        gpus=int(run.tensor_parallel),
        kv_tokens=None,
        notes=("batches run one after the other: what requests wait for the next batch is in none of these times",),
    )
