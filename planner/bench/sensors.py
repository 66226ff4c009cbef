"""What disturbs a measurement on the host, from the counters that the system keeps.

waiting         /proc/self/task/*/schedstat   this process's threads were ready to run and had no core
stalls          /proc/pressure/*, "some"      tasks of the machine stood still for want of a core, memory or storage
steal           /proc/stat                    the hypervisor ran other guests on the cores
other programs  /proc/stat, psutil elsewhere  core time in use, less that of this process

Where a counter does not exist, what it would say is None: not known.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from planner.base.codec import SPARSE
from planner.base.quantities import format_percent
from planner.base.stored import NOT_NEGATIVE

WAITED_LIMIT = 0.05
"""Of the core time that this process wanted, which it waited for: a third of what a calibrated check allows."""
STALLED_LIMITS = {"cpu": 0.10, "memory": 0.01, "io": 0.10}
"""Of the time, by resource. Tasks of any program count, so short waits of daemons for a core or a disk are usual;
whoever waits for memory is being paged, a hundred times slower than the rest."""
STOLEN_LIMIT = 0.02
"""Of the machine's core time: idle clouds steal less than 1 %."""
OTHERS_CORES, OTHERS_SHARE = 0.2, 0.02
"""Cores that other programs may keep busy, the larger of a number and a share of all: daemons take some hundredths of a
core, a program that streams through memory takes a whole one."""
SHORTEST_S = 0.2
"""Of a look at ticks of 10 ms; what is shorter says nothing of steal and other programs."""
_TICKS_PER_S = 100 if not hasattr(os, "sysconf") else float(os.sysconf("SC_CLK_TCK"))
_SHORT_OF = {"cpu": "tasks stood still for a core", "memory": "memory was short", "io": "storage was waited for"}
_PROC = Path("/proc")


@dataclass(frozen=True)
class Disturbance:
    """What happened on the host between two readings; None is not known."""

    waited: Annotated[float, NOT_NEGATIVE] | None = field(default=None, metadata=SPARSE)
    """Share of the core time that this process's threads wanted, which they waited for."""
    stalled_cpu: Annotated[float, NOT_NEGATIVE] | None = field(default=None, metadata=SPARSE)
    """Share of the time in which a task of the machine stood still for a core."""
    stalled_memory: Annotated[float, NOT_NEGATIVE] | None = field(default=None, metadata=SPARSE)
    """The same for memory: paging, reclaim."""
    stalled_io: Annotated[float, NOT_NEGATIVE] | None = field(default=None, metadata=SPARSE)
    """The same for storage."""
    stolen: Annotated[float, NOT_NEGATIVE] | None = field(default=None, metadata=SPARSE)
    """Share of the machine's core time that the hypervisor gave to others."""
    others_cores: Annotated[float, NOT_NEGATIVE] | None = field(default=None, metadata=SPARSE)
    """Cores that other programs kept busy, on average."""
    cores: int | None = field(default=None, metadata=SPARSE)
    """Of the machine."""

    NAMES: ClassVar[tuple[str, ...]] = (
        "waited", "stalled_cpu", "stalled_memory", "stalled_io", "stolen", "others_cores",
    )  # fmt: skip

    def complaints(self) -> tuple[str, ...]:
        """What exceeds its limit, in words."""
        found = []
        if self.waited is not None and self.waited > WAITED_LIMIT:
            found.append(f"waited for a core {format_percent(self.waited, 1.0)} of the time")
        others = max(OTHERS_CORES, OTHERS_SHARE * (self.cores or 0))
        if self.others_cores is not None and self.others_cores > others:
            count = f"{self.others_cores:.2g}"
            found.append(f"other programs kept {count} {'core' if count == '1' else 'cores'} busy")
        for resource, limit in STALLED_LIMITS.items():
            share = getattr(self, f"stalled_{resource}")
            if share is not None and share > limit and not (resource == "cpu" and found):  # they say it better
                found.append(f"{_SHORT_OF[resource]} {format_percent(share, 1.0)} of the time")
        if self.stolen is not None and self.stolen > STOLEN_LIMIT:
            found.append(f"the hypervisor took {format_percent(self.stolen, 1.0)} of the core time")
        return tuple(found)

    @classmethod
    def worst(cls, *seen: Disturbance | None) -> Disturbance:
        """Of several, each number where it was largest."""
        found: dict[str, Any] = {}
        for one in seen:
            for name in (*cls.NAMES, "cores"):
                value = getattr(one, name, None)
                if value is not None:
                    found[name] = max(value, found.get(name, 0))
        return cls(**found)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of what this system does not tell."""
        return tuple(name for name in self.NAMES if getattr(self, name) is None)


@dataclass(frozen=True)
class Reading:
    """All counters at one moment; they only grow."""

    at_s: float
    threads: Mapping[str, tuple[int, int]] | None = None
    """Nanoseconds for which each thread of this process ran, and waited."""
    stalled_us: Mapping[str, int] = field(default_factory=dict)
    """By resource."""
    busy_s: float | None = None
    """Core time of all programs, this one included."""
    stolen_s: float | None = None
    own_s: float = 0.0
    """Core time of this process."""
    cores: int = 1

    def since(self, before: Reading) -> Disturbance:
        """What happened from `before` until this one."""
        took = max(self.at_s - before.at_s, 1e-9)
        stalled: dict[str, float | None] = {}
        for resource in STALLED_LIMITS:
            both = [one.stalled_us.get(resource) for one in (before, self)]
            start, end = both
            stalled[f"stalled_{resource}"] = None if start is None or end is None else _share((end - start) / 1e6, took)
        stolen = others = None
        if took >= SHORTEST_S and self.busy_s is not None and before.busy_s is not None:
            others = max(self.busy_s - before.busy_s - (self.own_s - before.own_s), 0.0) / took
            if self.stolen_s is not None and before.stolen_s is not None:
                stolen = _share(self.stolen_s - before.stolen_s, took * self.cores)
        return Disturbance(self.waited_since(before), **stalled, stolen=stolen, others_cores=others, cores=self.cores)

    def waited_since(self, before: Reading) -> float | None:
        """Share of the core time that was wanted, which was waited for."""
        if self.threads is None or before.threads is None:
            return None
        ran = waited = 0
        for thread, (ran_ns, waited_ns) in self.threads.items():
            first = before.threads.get(thread, (0, 0))
            ran, waited = ran + ran_ns - first[0], waited + waited_ns - first[1]
        return waited / (ran + waited) if ran + waited > 0 else 0.0


def _share(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0)


class Sensors:
    """Reads the counters of this machine."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc

    def read(self) -> Reading:
        """All of them."""
        busy_s, stolen_s, cores = self._core_time()
        return Reading(
            at_s=time.perf_counter(),
            threads=self._threads(),
            stalled_us=self._stalls(),
            busy_s=busy_s,
            stolen_s=stolen_s,
            own_s=time.process_time(),
            cores=cores,
        )

    def glance(self) -> Reading:
        """Those that a single sample has something to say of; takes some ten microseconds a thread."""
        return Reading(at_s=time.perf_counter(), threads=self._threads(), stalled_us=self._stalls())

    def load_1min(self) -> float | None:
        """Tasks that ran or wanted to, on average over a minute."""
        try:
            return os.getloadavg()[0]
        except (AttributeError, OSError):
            return None

    def running(self) -> int | None:
        """Tasks that run or want to at this moment, this one left out."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return max(int((self._proc / "loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]) - 1, 0)
        return None

    def _threads(self) -> dict[str, tuple[int, int]] | None:
        found = {}
        with contextlib.suppress(OSError):
            for thread in (self._proc / "self" / "task").iterdir():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    ran, waited, *_ = (thread / "schedstat").read_text(encoding="ascii").split()
                    found[thread.name] = (int(ran), int(waited))
        return found or None

    def _stalls(self) -> dict[str, int]:
        found = {}
        for resource in STALLED_LIMITS:
            with contextlib.suppress(OSError, ValueError, IndexError):
                first = (self._proc / "pressure" / resource).read_text(encoding="ascii").splitlines()[0]
                found[resource] = int(first.rpartition("total=")[2])
        return found

    def _core_time(self) -> tuple[float | None, float | None, int]:
        """Seconds in use and stolen since the start of the machine, and its cores."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self._proc / "stat").read_text(encoding="ascii").splitlines()
            cores = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)
            user, nice, system, _, _, irq, softirq, steal = map(int, lines[0].split()[1:9])
            return (user + nice + system + irq + softirq) / _TICKS_PER_S, steal / _TICKS_PER_S, max(cores, 1)
        with contextlib.suppress(Exception):  # whatever psutil lacks on this system
            import psutil

            times = psutil.cpu_times()
            busy = sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "interrupt"))
            return float(busy), None, os.cpu_count() or 1
        return None, None, os.cpu_count() or 1
