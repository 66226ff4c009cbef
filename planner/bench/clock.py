"""Taking samples: warm up, synchronise, time, with what disturbed them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import torch

from planner.bench.meters import ClockWatch, Gpu
from planner.bench.samples import FEWEST, WITHIN, Samples
from planner.bench.sensors import STALLED_LIMITS, WAITED_LIMIT, Reading, Sensors

WARM_UPS = 2
_GPU_WARM_UP_S = 0.2  # until its clocks are up
_READY_CALLS = 3
"""On a GPU, ahead of the warm-up, whose time they must not use up: the first compiles or captures, and what
torch.compile makes in the mode "reduce-overhead" is recorded into a CUDA graph in the second call and replayed from the
third on (PyTorch, "CUDAGraph Trees")."""
MOST = 200
_SETTLED_S = 0.2  # what disturbs comes and goes: few short samples agree with each other by chance
BUNCH_S = 2e-3
"""On the host, a sample of less is all jitter."""


class Clock:
    """Seconds that work takes on a device. CUDA events on a GPU: what the device spends, gaps between kernels
    included; the host's clock elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.on_gpu = device.type == "cuda"
        self._flushed: torch.Tensor | None = None

    @property
    def cache_bytes(self) -> int:
        """Of the last cache of a GPU (cudaDeviceProp.l2CacheSize); 0 elsewhere."""
        return int(torch.cuda.get_device_properties(self.device).L2_cache_size) if self.on_gpu else 0

    def flush(self) -> None:
        """Puts what a GPU's L2 held out of it: a buffer of its size is written, as NVBench and Triton's do_bench do
        ahead of each cold run. `time` waits for it before it begins."""
        if self._flushed is None:
            self._flushed = torch.empty(self.cache_bytes, dtype=torch.int8, device=self.device)
        self._flushed.zero_()

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

    def laps(self, work: Callable[[], object], count: int) -> list[float]:
        """Seconds of each of so many runs, one right behind the other: a device is not waited for between them."""
        if not count:
            return []
        if not self.on_gpu:
            times = [time.perf_counter()]
            for _ in range(count):
                work()
                times.append(time.perf_counter())
            return [end - begin for begin, end in pairwise(times)]
        events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        torch.cuda.synchronize(self.device)
        with torch.cuda.device(self.device):
            events[0].record()
            for event in events[1:]:
                work()
                event.record()
        torch.cuda.synchronize(self.device)
        return [float(begin.elapsed_time(end)) / 1e3 for begin, end in pairwise(events)]


@dataclass(frozen=True)
class Task:
    """What is timed."""

    work: Callable[[int], object]
    """Done for the n-th time, on inputs of its own."""
    before: Callable[[int], object] = lambda calls: None
    """Not timed, ahead of a sample of so many calls: puts caches back to where they were."""
    bunches: bool = True
    """Whether short work may be done several times for one sample."""
    cold: bool = False
    """Whether its weights fit in a GPU's L2, where they are not when a request comes to it: flushed ahead of each
    sample, not timed."""


def agreed(count: int) -> int:
    """The first process's count, where several run the same calls and wait for each other in each of them."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return count
    told = [count]
    torch.distributed.broadcast_object_list(told)
    return told[0]


class Sampling:
    """Decides how many samples are taken, and watches the host meanwhile: at least seven, and on until the interval of
    the median is as narrow as asked or the time is over."""

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        gpu: Gpu | None = None,
        *,
        within: float = WITHIN,
        most: int = MOST,
        sensors: Sensors | None = None,
    ) -> None:
        """
        Args:
            clock: of the device.
            seconds: after which no sample is begun, but for the fewest.
            gpu: its counters.
            within: ends of the median's 95 % interval, relative to it, that are near enough.
            most: samples, however much they differ.
            sensors: of the host.
        """
        self._clock, self._seconds = clock, seconds
        self._within, self._most, self._sensors = within, most, sensors or Sensors()
        self.taken: list[float] = []
        self._hit: list[int] = []
        self._clocks = ClockWatch(gpu)
        self._start = self._sensors.read()

    def more(self) -> bool:
        """Whether another sample is to be taken; the first process decides for all."""
        return bool(agreed(int(not self._enough())))

    def sample(self, work: Callable[[], object], calls: int = 1) -> float:
        """Seconds of each of so many calls that `work` makes; kept as a sample."""
        before = self._sensors.glance()
        seconds = self._clock.time(work) / calls
        self.keep(seconds, before)
        return seconds

    def glance(self) -> Reading:
        """Where a sample begins that is made up of several times."""
        return self._sensors.glance()

    def keep(self, seconds: float, since: Reading) -> None:
        """A sample of which the parts were timed."""
        seen = self._sensors.glance().since(since)
        if (seen.waited or 0.0) > WAITED_LIMIT or (seen.stalled_memory or 0.0) > STALLED_LIMITS["memory"]:
            self._hit.append(len(self.taken))
        self.taken.append(seconds)

    def samples(self, seconds: Sequence[float] | None = None, calls: int = 1) -> Samples:
        """What was taken, with what disturbed it; `seconds` of something else that was timed in the same samples."""
        seen = self._sensors.read().since(self._start)
        if self._clock.on_gpu:  # other programs may use the cores that a GPU's host does not need
            seen = replace(seen, stalled_cpu=None, stalled_io=None, others_cores=None)
        return Samples(
            tuple(self.taken if seconds is None else seconds),
            calls,
            waited=seen.waited,
            throttled=self._clocks.limits(),
            host=replace(seen, waited=None),
            hit=tuple(self._hit),
        )

    def _enough(self) -> bool:
        count = len(self.taken)
        if count < FEWEST:
            return False
        took = time.perf_counter() - self._start.at_s
        if took >= self._seconds or count >= self._most:
            return True
        known = Samples(tuple(self.taken)).uncertainty
        return took >= _SETTLED_S and known is not None and known <= self._within


def take(
    task: Task,
    clock: Clock,
    seconds: float,
    gpu: Gpu | None = None,
    *,
    within: float = WITHIN,
    sensors: Sensors | None = None,
) -> Samples:
    """Samples of a task: at least seven, and on until their median is known `within` or the seconds are over."""
    for turn in range(_READY_CALLS if clock.on_gpu else 0):
        task.before(1)
        clock.time(partial(task.work, turn))
    turn, start = 0, time.perf_counter()
    while turn < WARM_UPS or (clock.on_gpu and agreed(int(time.perf_counter() - start < _GPU_WARM_UP_S))):
        task.before(1)
        clock.time(partial(task.work, turn))
        turn += 1
    task.before(1)
    once = clock.time(partial(task.work, turn))
    calls = 1
    if task.bunches and not clock.on_gpu:
        calls = max(1, math.ceil(BUNCH_S / max(once, 1e-9)))
    calls = agreed(calls)
    turn += 1
    sampling = Sampling(clock, seconds, gpu, within=within, sensors=sensors)
    while sampling.more():
        task.before(calls)
        if task.cold:
            clock.flush()
        first = turn

        def bunch(first: int = first) -> None:
            for offset in range(calls):
                task.work(first + offset)

        sampling.sample(bunch, calls)
        turn += calls
    return sampling.samples(calls=calls)
