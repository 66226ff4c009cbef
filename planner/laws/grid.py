"""Where to start: the projected residual sum of squares over a grid of exponents, and its basins.

On the grid the least squares in A, B, D >= 0 needs inner products only, so the whole grid costs a few matrix products.
Letters: R data sets, G grid values of each exponent, n runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from planner.laws.faces import Design

FloatArray = NDArray[np.float64]

EXPONENTS = np.geomspace(3e-4, 6.0, 24)
"""Grid values of alpha and of beta; neighbours differ by a factor 1.54, far less than the width of a basin."""
STARTS_MAX = 8


def basins(form_name: str, design: Design, y: FloatArray) -> FloatArray:
    """Exponents (P, 2) from which to descend: the best local minima of the grid, and the best node with D = 0.

    Args:
        form_name: "additive" or "multiplicative".
        design: where the runs stand.
        y: measured errors, shape (n,).
    """
    axis, (rss,), (zero_d_rss,) = _GRIDS[form_name](design, y[None])
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


def best_nodes(form_name: str, design: Design, y: FloatArray) -> FloatArray:
    """The best node (R, 2) of the grid for each of R data sets (R, n)."""
    axis, rss, _ = _GRIDS[form_name](design, y)
    nodes: FloatArray = axis[np.stack(np.unravel_index(rss.reshape(len(y), -1).argmin(axis=1), rss.shape[1:]), axis=1)]
    return nodes


def _additive(design: Design, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Axis (G,), best RSS and best RSS with D = 0 at every (alpha, beta), each (R, G, G), for y (R, n)."""
    root = design.root_weight
    n_power = np.exp(-EXPONENTS[:, None] * design.x)
    t_power = np.exp(-EXPONENTS[:, None] * design.t)
    target, y_mean = _centred(y, root)
    n_free, n_mean = _centred(n_power, root)
    t_free, t_mean = _centred(t_power, root)
    y_mean = y_mean[:, None, None]
    with_d = _pair(n_free, t_free, target, lambda a, b: y_mean - a * n_mean[:, None] - b * t_mean)
    without_d = _pair(n_power * root, t_power * root, y * root)
    best = np.minimum(with_d, without_d)
    for single in (
        _single(n_free, target, lambda a: y_mean[:, 0] - a * n_mean)[:, :, None],
        _single(t_free, target, lambda b: y_mean[:, 0] - b * t_mean)[:, None],
        _single(n_power * root, y * root)[:, :, None],
        _single(t_power * root, y * root)[:, None],
    ):
        best = np.minimum(best, single)
    return EXPONENTS, best, without_d


def _multiplicative(design: Design, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """As `_additive`; here an exponent may be zero."""
    root = design.root_weight
    axis = np.concatenate([[0.0], EXPONENTS])
    n_power, t_power = np.exp(-axis[:, None] * design.x), np.exp(-axis[:, None] * design.t)
    power = (n_power[:, None] * t_power[None]).reshape(-1, y.shape[1])
    target, y_mean = _centred(y, root)
    free, mean = _centred(power, root)
    with_d = _single(free, target, lambda a: y_mean[:, None] - a * mean)
    without_d = _single(power * root, y * root)
    shape = (len(y), len(axis), len(axis))
    return axis, np.minimum(with_d, without_d).reshape(shape), without_d.reshape(shape)


_GRIDS = {"additive": _additive, "multiplicative": _multiplicative}


def _centred(columns: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Columns (..., n) less their weighted means, times the root weight; and the means (...,)."""
    mean = columns @ root**2 / (root @ root)
    return (columns - mean[..., None]) * root, mean


def _single(columns: FloatArray, y: FloatArray, offset: Callable[[FloatArray], FloatArray] | None = None) -> FloatArray:
    """RSS (R, K) of y (R, n) on each of K columns (K, n); infinite where the coefficient or the offset is negative."""
    length = np.einsum("kn,kn->k", columns, columns)
    product = y @ columns.T
    coefficient = product / np.where(length > 0, length, np.inf)
    feasible = (coefficient >= 0) & (length > 0)
    if offset is not None:
        feasible &= offset(coefficient) >= 0
    return np.where(feasible, np.einsum("rn,rn->r", y, y)[:, None] - coefficient * product, np.inf)


def _pair(
    first: FloatArray,
    second: FloatArray,
    y: FloatArray,
    offset: Callable[[FloatArray, FloatArray], FloatArray] | None = None,
) -> FloatArray:
    """RSS (R, K, L) of y (R, n) on all pairs of first (K, n) and second (L, n) columns; infinite where not feasible."""
    s11 = np.einsum("kn,kn->k", first, first)[:, None]
    s22 = np.einsum("ln,ln->l", second, second)[None]
    s12 = first @ second.T
    y1, y2 = (y @ first.T)[:, :, None], (y @ second.T)[:, None]
    determinant = s11 * s22 - s12**2
    regular = determinant > 1e-14 * s11 * s22
    determinant = np.where(regular, determinant, 1.0)
    a, b = (s22 * y1 - s12 * y2) / determinant, (s11 * y2 - s12 * y1) / determinant
    feasible = regular & (a >= 0) & (b >= 0)
    if offset is not None:
        feasible &= offset(a, b) >= 0
    return np.where(feasible, np.einsum("rn,rn->r", y, y)[:, None, None] - a * y1 - b * y2, np.inf)
