"""How the time of matrix products grows with few rows on a device, measured on a language model's weights.

Weights of whole layers are read one after the other, beyond every cache, as a decode step reads them.
"""

from __future__ import annotations

import math
from functools import partial

import torch

from planner.bench.clock import Clock
from planner.bench.place import room_bytes
from planner.hardware.few_rows import FewRows

ROWS = {
    "cuda": (1, 2, 3, 4, 6, 8, 16, 32, 48, 64, 96, 128, 192, 256),
    "cpu": (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64),
}
"""Beyond the last, the roofline goes on: what the library does otherwise with few rows is over by then."""
LAYERS = {
    "cuda": ((3584, 4608), (3584, 3584), (3584, 37888), (18944, 3584)),
    "cpu": ((896, 1152), (896, 896), (896, 9728), (4864, 896)),
}
"""Input and output widths of one layer: those of Qwen2.5-7B, and of Qwen2.5-0.5B."""
_READ_BYTES = {"cuda": 2**30, "cpu": 2**28}
"""Weights that a round reads, in whole layers."""
_FEWEST, _MOST = 3, 20


def measure_few_rows(device: torch.device, dtype: torch.dtype, seconds: float = 2.0) -> FewRows:
    """The table of a device: the best of a few rounds for each number of rows, each over all weights.

    Args:
        device: where.
        dtype: of weights and inputs.
        seconds: about so many in all, but three rounds at least.
    """
    clock = Clock(device)
    kind = "cuda" if device.type == "cuda" else "cpu"
    rows = ROWS[kind]
    layer = sum(k * n for k, n in LAYERS[kind]) * dtype.itemsize
    room = room_bytes(device, _READ_BYTES[kind])
    weights = [
        torch.randn(n, k, device=device, dtype=dtype)
        for _ in range(max(math.ceil(room / layer), 1))
        for k, n in LAYERS[kind]
    ]
    inputs = {(count, k): torch.randn(count, k, device=device, dtype=dtype) for count in rows for k, _ in LAYERS[kind]}

    def products(count: int) -> None:
        for weight in weights:
            torch.nn.functional.linear(inputs[count, weight.shape[1]], weight)

    with torch.inference_mode():
        for count in rows:
            products(count)
        best = {count: clock.time(partial(products, count)) for count in rows}
        rounds = min(max(math.ceil(seconds / max(sum(best.values()), 1e-9)), _FEWEST), _MOST)
        for _ in range(rounds - 1):
            for count in rows:
                best[count] = min(best[count], clock.time(partial(products, count)))
    return FewRows(tuple(map(float, rows)), tuple(best[count] / best[rows[0]] for count in rows))
