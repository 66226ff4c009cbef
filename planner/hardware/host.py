"""The processor of this host as one more accelerator, with peaks that are measured."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from planner.base.errors import InputError
from planner.hardware.card import HOST, Hardware
from planner.hardware.efficiency import SHARES, Efficiency

CPU = "cpu"
_MATRIX_SIDE = 1024
_COPIED_BYTES = 64 * 2**20  # beyond the caches; more costs time where memory comes slowly
_REPEATS = 5
_MEASURED_S = 0.25  # a slow host repeats less


@cache
def host_cpu() -> Hardware:
    """The processor of this host, with peaks measured once, in less than a second, by numpy.

    The rate is that of the best single-precision matrix product; it stands for bf16 too, since few processors are
    faster in it. The bandwidth is that of the best copy, what is read plus what is written.
    """
    import numpy as np

    side = np.ones((_MATRIX_SIDE, _MATRIX_SIDE), np.float32)
    product = np.empty_like(side)
    rate = 2 * _MATRIX_SIDE**3 / _best_seconds(lambda: np.matmul(side, side, out=product))
    source = np.ones(_COPIED_BYTES // 8)
    copy = np.empty_like(source)
    bandwidth = 2 * _COPIED_BYTES / _best_seconds(lambda: np.copyto(copy, source))
    measured = "measured here with numpy"
    return Hardware(
        name=CPU,
        title=f"{host_name()}, {os.cpu_count()} cores",
        flops_per_s={"bf16": rate, "fp32": rate},
        memory_bytes=_host_memory_bytes(),
        bandwidth_bytes_per_s=bandwidth,
        source={
            "flops_per_s": f"{measured}: a float32 product of {_MATRIX_SIDE} x {_MATRIX_SIDE}; taken for bf16 too",
            "memory_bytes": "read from the operating system",
            "bandwidth_bytes_per_s": f"{measured}: a copy of {_COPIED_BYTES // 2**20} MiB, read plus written",
        },
        # the peaks are measured: what is reached, not promised; a core computes or waits for memory, not both
        efficiency=Efficiency.from_dict(dict.fromkeys(SHARES, 1.0) | {"overlap": 1.0}),
        form_factor=HOST,
    )


def _best_seconds(work: Callable[[], object]) -> float:
    """The shortest of a few runs, after one that warms up."""
    work()
    taken: list[float] = []
    while len(taken) < _REPEATS and sum(taken) < _MEASURED_S:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def host_name() -> str:
    """The name of this host's processor."""
    described = ""
    with suppress(OSError):
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(\S.*)$", described, re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.processor() or platform.machine() or "this processor"


def _host_memory_bytes() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        raise InputError("cannot read how much memory this host has; name the path of a profile") from None
