"""What a device reaches there and then: a large matrix product, a large copy, a large sum; products of few rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

import torch

from planner.bench.clock import Clock
from planner.bench.few_rows import measure_few_rows
from planner.bench.measurement import Ceilings
from planner.bench.place import room_bytes

_SIDES = {"cuda": (4096, 8192), "cpu": (1024, 2048)}
_MOVED_BYTES = {"cuda": 2**30, "cpu": 2**28}
"""Beyond every cache."""
_FEWEST, _MOST = 3, 30
SUSTAINED = 4
"""Times as long as asked for a GPU, 2 s for the usual half second: in the first tenths of a second its clocks are above
what its power limit allows for long."""
_MOST_SUSTAINED = 20_000


def measure_ceilings(
    device: torch.device, dtype: torch.dtype, seconds: float = 0.5, *, few_rows: bool = False
) -> Ceilings:
    """The best of a few runs of each, for about so many seconds a test; on a GPU what it sustains over four times as
    many.

    Args:
        device: where.
        dtype: of the matrices.
        seconds: for each of the tests.
        few_rows: whether products of few rows are measured too, four times as long.
    """
    clock = Clock(device)
    kind = "cuda" if device.type == "cuda" else "cpu"
    rate = 0.0
    for side in _SIDES[kind]:
        left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        out = torch.empty_like(left)

        def multiply(left: torch.Tensor = left, right: torch.Tensor = right, out: torch.Tensor = out) -> None:
            torch.mm(left, right, out=out)

        rate = max(rate, 2 * side**3 / _reached_s(multiply, clock, seconds / len(_SIDES[kind])))
    moved = room_bytes(device, _MOVED_BYTES[kind])
    source = torch.ones(moved // 4, device=device)
    target = torch.empty_like(source)
    copied = 2 * moved / _reached_s(lambda: target.copy_(source), clock, seconds)
    read = moved / _reached_s(lambda: source.sum(), clock, seconds)
    table = measure_few_rows(device, dtype, 4 * seconds) if few_rows else None
    return Ceilings(matmul_flops_per_s=rate, copy_bytes_per_s=copied, read_bytes_per_s=read, few_rows=table)


def _reached_s(work: Callable[[], object], clock: Clock, seconds: float) -> float:
    """Seconds of one run, the best of a few; on a GPU the median of the second half of runs one behind the other."""
    work()
    once = clock.time(work)
    if clock.on_gpu:
        count = min(max(math.ceil(SUSTAINED * seconds / max(once, 1e-9)), 2 * _FEWEST), _MOST_SUSTAINED)
        return median(clock.laps(work, count)[count // 2 :])
    rounds = min(max(math.ceil(seconds / max(once, 1e-9)), _FEWEST), _MOST)
    return min(once, *(clock.time(work) for _ in range(rounds)))
