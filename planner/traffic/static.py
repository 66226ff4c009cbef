"""Static batches: so many requests run together, from prefill to the last answer, then the next ones; nobody waits.

    requests per second = B / request_s(B)

What a batch takes is `planner.costs.latency`; there is no queue in it, so that times hold for requests that come just
when a batch starts. It is no engine's way to serve, and stands here to be compared with.

Letters: B requests of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import NothingFitsError
from planner.base.quantities import format_bytes, format_seconds
from planner.configuration import Model, Run
from planner.costs.latency import latency
from planner.costs.memory import memory
from planner.costs.stages import Workload

BATCH_MAX = 4096
"""Batches that are tried, where memory has room for more."""


@dataclass(frozen=True)
class StaticBatch:
    """One batch after the other."""

    batch: int
    requests_per_second: float
    ttft_s: float
    tpot_s: float
    latency_s: float
    bound: str
    """What a larger batch would break: "ttft", "tpot", "latency" or "memory"; "batch" where none serves more."""


def static_batch(model: Model, workload: Workload, run: Run, limits: Mapping[str, float]) -> StaticBatch:
    """The batch that serves the most requests per second within limits and memory.

    Args:
        model: what runs.
        workload: each request.
        run: hardware, precisions and GPUs; its batch is chosen here.
        limits: most seconds, by name: "ttft_s", "tpot_s", "latency_s".

    Raises:
        NothingFitsError: memory has no room for one request, or one alone breaks a limit.
    """
    assert run.hardware is not None
    needed = memory(model, workload, replace(run, batch=1)).at()
    most = int(needed.requests_that_fit(run.hardware.memory_bytes))
    if not most:
        raise NothingFitsError(
            f"{model} does not fit: one request takes {format_bytes(float(needed.peak))} of the "
            f"{format_bytes(run.hardware.memory_bytes)} of {run.hardware.title}; choose hardware with more memory, "
            "more GPUs that share the model, or fewer bits"
        )
    batches = np.arange(1.0, min(most, BATCH_MAX) + 1)
    found = latency(model, workload, replace(run, batch=batches))
    taken = {"ttft_s": found.ttft_s, "tpot_s": found.tpot_s, "latency_s": found.request_s}
    times = {name: np.broadcast_to(np.asarray(one, float), batches.shape) for name, one in taken.items()}
    kept = {name: times[name] <= limit for name, limit in limits.items()}
    for name, limit in limits.items():
        if not kept[name][0]:
            raise NothingFitsError(cannot_keep(name, float(times[name][0]), limit))
    rates = np.where(np.all(list(kept.values()), axis=0), batches / times["latency_s"], 0.0)
    best = int(np.argmax(rates))
    broken = (name for name, keeps in kept.items() if best + 1 < len(batches) and not keeps[best + 1])
    bound = next(broken, "batch_s").removesuffix("_s")
    return StaticBatch(
        batch=best + 1,
        requests_per_second=float(rates[best]),
        **{name: float(values[best]) for name, values in times.items()},
        bound="memory" if best + 1 == most else bound,
    )


def cannot_keep(name: str, alone_s: float, limit_s: float) -> str:
    """That a limit is broken by a request alone, in a sentence."""
    title = {"ttft_s": "TTFT", "tpot_s": "TPOT", "latency_s": "latency"}[name]
    return (
        f"{title} of {format_seconds(limit_s)} cannot be kept: one request alone takes {format_seconds(alone_s)}; "
        "allow that at least, or choose faster hardware, more GPUs that share the model, or a smaller model"
    )
