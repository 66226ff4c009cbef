"""Whole requests timed, as the mode runs them: time to first token, each further token and their mean, all of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from planner.bench.caches import Cache
from planner.bench.clock import Clock, Sampling
from planner.bench.meters import Gpu
from planner.bench.runnable import Runnable
from planner.bench.samples import WITHIN, Samples

_WARM_UP_STEPS = 2


def time_requests(
    stages: Runnable, clock: Clock, seconds: float, gpu: Gpu | None = None, within: float = WITHIN
) -> dict[str, Samples]:
    """Samples of "ttft", "tpot", "itl" (each further token, request by request) and "request".

    Args:
        stages: of the model with its batch.
        clock: of its device.
        seconds: of sampling, about; at least seven requests are timed.
        gpu: its counters.
        within: how near the ends of the interval of the requests' median are to be, relative to it.
    """
    steps = max(stages.workload.generated_tokens - 1, 0)
    first: list[float] = []
    each: list[float] = []
    tokens: list[float] = []
    stages.begin(0)
    stages.go_on(stages.begin(1), min(steps, _WARM_UP_STEPS))
    sampling, turn = Sampling(clock, seconds, gpu, within=within), 2
    while sampling.more():
        held: list[Cache] = []
        before = sampling.glance()
        first.append(clock.time(partial(_keep, held, stages, turn)))
        laps = clock.laps(partial(stages.go_on, held[0], 1), steps)
        sampling.keep(first[-1] + sum(laps), before)
        tokens += laps
        if steps:
            each.append(sum(laps) / steps)
        turn += 1
    whole = sampling.samples()
    parts = {"ttft": first, "tpot": each}
    found = {name: sampling.samples(taken) for name, taken in parts.items() if taken}
    if tokens:
        found["itl"] = replace(whole, seconds=tuple(tokens), hit=())  # a sample is a token, not a request
    return {**found, "request": whole}


def _keep(held: list[Cache], stages: Runnable, turn: int) -> None:
    held.append(stages.begin(turn))
