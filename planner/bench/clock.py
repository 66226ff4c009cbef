"""Taking samples: warm up, synchronise, time, with what disturbed them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from planner.bench.meters import CoreWait, Gpu
from planner.bench.samples import Samples

WARM_UPS = 2
_GPU_WARM_UP_S = 0.2  # until its clocks are up
FEWEST, MOST = 5, 200
_FEWEST_OF_LONG = 3  # where one call takes longer than all samples together should
_BUNCH_S = 2e-3  # on the host, a sample of less is all jitter


class Clock:
    """Seconds that work takes on a device. CUDA events on a GPU: what the device spends, gaps between kernels
    included; the host's clock elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.on_gpu = device.type == "cuda"

    def time(self, work: Callable[[], object]) -> float:
        """Seconds of one run, from an idle device to an idle device."""
        if not self.on_gpu:
            start = time.perf_counter()
            work()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(self.device)
        with torch.cuda.device(self.device):
            begin.record()
            work()
            end.record()
        torch.cuda.synchronize(self.device)
        return float(begin.elapsed_time(end)) / 1e3


@dataclass(frozen=True)
class Task:
    """What is timed."""

    work: Callable[[int], object]
    """Done for the n-th time, on inputs of its own."""
    before: Callable[[int], object] = lambda calls: None
    """Not timed, ahead of a sample of so many calls: puts caches back to where they were."""
    bunches: bool = True
    """Whether short work may be done several times for one sample."""


def agreed(count: int) -> int:
    """The first process's count, where several run the same calls and wait for each other in each of them."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return count
    told = [count]
    torch.distributed.broadcast_object_list(told)
    return told[0]


def take(task: Task, clock: Clock, seconds: float, gpu: Gpu | None = None) -> Samples:
    """Samples of a task, for about so many seconds; at least three."""
    turn, start = 0, time.perf_counter()
    while turn < WARM_UPS or (clock.on_gpu and agreed(int(time.perf_counter() - start < _GPU_WARM_UP_S))):
        task.before(1)
        clock.time(partial(task.work, turn))
        turn += 1
    task.before(1)
    once = clock.time(partial(task.work, turn))
    calls = 1
    if task.bunches and not clock.on_gpu:
        calls = max(1, math.ceil(_BUNCH_S / max(once, 1e-9)))
    fewest = FEWEST if once * FEWEST <= seconds else _FEWEST_OF_LONG
    rounds = min(max(round(seconds / max(calls * once, 1e-9)), fewest), MOST)
    calls, rounds = agreed(calls), agreed(rounds)
    turn += 1
    taken: list[float] = []
    waited, throttled = CoreWait(), gpu.clock_limits() if gpu else frozenset()
    for _ in range(rounds):
        task.before(calls)
        first = turn

        def bunch(first: int = first) -> None:
            for offset in range(calls):
                task.work(first + offset)

        taken.append(clock.time(bunch) / calls)
        turn += calls
    limits = sorted(gpu.clock_limits() | throttled) if gpu else ()
    return Samples(tuple(taken), calls, waited.share(), tuple(limits))
