"""Two short tests of a device: is it as fast as it was?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from planner.bench.clock import BUNCH_S, Clock
from planner.bench.crosschecks import Probe
from planner.bench.samples import Samples

_SIDES = {"cuda": 4096, "cpu": 512}
_COPIED_BYTES = {"cuda": 2**29, "cpu": 2**26}
"""Beyond every cache."""
_REPEATS = 5


def probe(device: torch.device, dtype: torch.dtype) -> Probe:
    """How fast the device is at this moment: medians of five runs, a tenth of a second in all."""
    clock, kind = Clock(device), "cuda" if device.type == "cuda" else "cpu"
    side = _SIDES[kind]
    left, right = (torch.ones(side, side, device=device, dtype=dtype) for _ in range(2))
    out, source = torch.empty_like(left), torch.ones(_COPIED_BYTES[kind] // 4, device=device)
    target = torch.empty_like(source)
    return Probe(
        matmul_s=_median(lambda: torch.mm(left, right, out=out), clock),
        copy_s=_median(lambda: target.copy_(source), clock),
    )


def _median(work: Callable[[], object], clock: Clock) -> float:
    """Of single calls, or of bunches of short ones."""
    work()
    calls = max(1, math.ceil(BUNCH_S / max(clock.time(work), 1e-9)))

    def bunch() -> None:
        for _ in range(calls):
            work()

    return Samples(tuple(clock.time(bunch) / calls for _ in range(_REPEATS))).median_s
