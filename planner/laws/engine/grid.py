"""Where to start: the projected residual sum of squares over a grid of exponents, and its basins.

On the grid the least squares in A, B, D >= 0 needs inner products only, so the whole grid costs a few matrix products.
Letters: R data sets, G grid values of each exponent, n runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.laws.engine.design import Design
from planner.laws.engine.projection import Powers

FloatArray = NDArray[np.float64]

STARTS_MAX = 8


def basins(form: Powers, design: Design, y: FloatArray) -> FloatArray:
    """Exponents (P, 2) from which to descend: the best local minima of the grid, and the best node with D = 0.

    Args:
        form: its powers.
        design: where the runs stand.
        y: measured errors, shape (n,).
    """
    axis, (rss,), (zero_d_rss,) = form.grid(design, y[None])
    padded = np.pad(rss, 1, constant_values=np.inf)
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    size = len(axis)
    is_minimum = np.isfinite(rss)
    for i, j in shifts:
        is_minimum &= rss <= padded[i : i + size, j : j + size]
    nodes = np.argwhere(is_minimum)
    nodes = nodes[np.argsort(rss[tuple(nodes.T)], kind="stable")][: STARTS_MAX - 1]
    best_zero_d = np.array(np.unravel_index(np.argmin(zero_d_rss), zero_d_rss.shape))
    starts: FloatArray = axis[np.unique(np.vstack([nodes, best_zero_d[None]]), axis=0)]
    return starts


def best_nodes(form: Powers, design: Design, y: FloatArray) -> FloatArray:
    """The best node (R, 2) of the grid for each of R data sets (R, n)."""
    axis, rss, _ = form.grid(design, y)
    nodes: FloatArray = axis[np.stack(np.unravel_index(rss.reshape(len(y), -1).argmin(axis=1), rss.shape[1:]), axis=1)]
    return nodes
