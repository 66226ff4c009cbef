"""Products that are not one dense matrix product: experts, each with rows of its own, and convolutions.

    t = (C^p + B^p)^(1/p) + overhead, as for a matrix product, but

    experts        C counts the rows of each of E experts up to whole tiles of b rows: of m rows m + E b / 2 on average
                   (half of an expert's last tile is empty), at least E b; b = 16 up to 16 rows an expert, else 64
    convolutions   B reads the values that are there, not those of every window
    depthwise      C at the peak of fp32 without matrix units: each output has its own inputs, so nothing is shared

b: the tiles that fused kernels of vLLM and SGLang take where none are tuned (`get_default_config` of `fused_moe`).
"""

from __future__ import annotations

import numpy as np

from planner.costs.rates import Rates
from planner.parts.walk import Matmul, Number

FEW_ROWS = 16
"""Rows of an expert up to which tiles are as high as that."""
TILE_ROWS = 64
"""Height of a tile for more rows."""


def tiled_rows(rows: Number, groups: Number) -> Number:
    """Rows that are computed where each of some groups fills whole tiles, on average over where its last tile ends."""
    tile = np.where(np.asarray(rows) <= FEW_ROWS * np.asarray(groups), float(FEW_ROWS), float(TILE_ROWS))
    found: Number = np.maximum(groups * tile, rows + groups * tile / 2)
    return found


def computed_rows(rows: Number, groups: Number | None) -> Number:
    """Rows that a product's kernel computes; `groups`: of experts, None for another product."""
    return rows if groups is None else tiled_rows(rows, groups)


def product_peak(rates: Rates, kernel: Matmul) -> float:
    """FLOPs per second that a product can have at most."""
    vector = rates.hardware.flops_per_s.get("fp32")
    return min(rates.flops_per_s, vector) if kernel.depthwise and vector else rates.flops_per_s


def read_values(kernel: Matmul) -> Number:
    """Input values that are read for a row."""
    return kernel.k if kernel.inputs is None else kernel.inputs
