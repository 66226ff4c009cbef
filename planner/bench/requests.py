"""Whole requests timed: time to first token, time per output token, and all of it, as the model's own forward runs."""

from __future__ import annotations

from functools import partial

from planner.bench.caches import Cache
from planner.bench.clock import Clock, Sampling
from planner.bench.measurement import EAGER
from planner.bench.meters import Gpu
from planner.bench.runnable import Runnable
from planner.bench.samples import WITHIN, Samples

_WARM_UP_STEPS = 2


def time_requests(
    stages: Runnable, clock: Clock, seconds: float, gpu: Gpu | None = None, within: float = WITHIN
) -> tuple[dict[str, Samples], tuple[str, ...]]:
    """Samples of "ttft", "tpot" and "request", and what has to be said of them.

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
    stages.begin(0)
    stages.go_on(stages.begin(1), min(steps, _WARM_UP_STEPS))
    sampling, turn = Sampling(clock, seconds, gpu, within=within), 2
    while sampling.more():
        held: list[Cache] = []
        before = sampling.glance()
        first.append(clock.time(partial(_keep, held, stages, turn)))
        rest = clock.time(partial(stages.go_on, held[0], steps)) if steps else 0.0
        sampling.keep(first[-1] + rest, before)
        if steps:
            each.append(rest / steps)
        turn += 1
    whole = sampling.samples()
    if stages.mode != EAGER:
        why = f"whole requests ran without the {stages.mode} mode's faster parts; TTFT and TPOT are of the stages"
        return {"request": whole}, (why,)
    parts = {"ttft": first, "tpot": each}
    found = {name: sampling.samples(taken) for name, taken in parts.items() if taken}
    return {**found, "request": whole}, ()


def _keep(held: list[Cache], stages: Runnable, turn: int) -> None:
    held.append(stages.begin(turn))
