"""The covariance of the rows, V, factored: blocks of one task each, bordered by the effects across tasks.

    V = B + U U',    B = one block per task (effects within a task, and noise),    U = columns of effects across tasks
    M = 1 + U' B^-1 U,    V^-1 = B^-1 - B^-1 U M^-1 U' B^-1,    log |V| = log |B| + log |M|

Exact, and far cheaper than the Cholesky factor of V: the blocks are small, and M has one row per column of U.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import CellColumns, FloatArray
from planner.laws.hierarchy.design import LAYOUT, Book, Columns, Layout, Side, columns, kernel, side

IntpArray = NDArray[np.intp]

_SMALL = 96  # triangles up to this size are inverted by LAPACK at once


@dataclass(frozen=True)
class Frame:
    """Rows as numbers, ordered by task: what does not depend on the variances."""

    layout: Layout
    books: dict[str, Book]
    order: IntpArray
    """(n,): the rows in order of their task."""
    rows: Side
    """In that order."""
    slices: tuple[slice, ...]
    """Of each task's rows."""
    columns: tuple[Columns, ...]
    """Of the effects across tasks."""

    @classmethod
    def of(cls, cells: CellColumns, layout: Layout = LAYOUT) -> Frame:
        """The frame of some rows."""
        rows, books = side(layout, cells, {})
        order = np.argsort(rows.task, kind="stable")
        rows = rows.at(order)
        ends = np.cumsum(np.bincount(rows.task)) if len(rows) else np.array([], int)
        slices = tuple(slice(int(end - size), int(end)) for end, size in zip(ends, np.bincount(rows.task), strict=True))
        return cls(layout, books, order, rows, slices, columns(layout, rows))

    def design(self, cells: Side, sds: FloatArray) -> FloatArray:
        """(m, q): U of some cells."""
        design, end = np.zeros((len(cells), sum(map(len, self.columns)))), 0
        for one in self.columns:
            start, end = end, end + len(one)
            one.fill(design[:, start:end], cells, float(sds[one.effect]))
        return design


@dataclass(frozen=True)
class Block:
    """One task's rows, with B_j = L L'."""

    rows: slice
    inverse: FloatArray
    """(n_j, n_j): L^-1."""
    used: IntpArray
    """Columns of U that are not all 0 here."""
    border: FloatArray
    """(n_j, used): L^-1 U_j."""
    error: FloatArray
    """(n_j,): L^-1 y_j."""
    log_det: float
    """log |B_j|."""


@dataclass(frozen=True)
class Factor:
    """V of some rows with their errors, factored."""

    frame: Frame
    sds: FloatArray
    """(e,)."""
    blocks: tuple[Block, ...]
    inverse: FloatArray
    """(q, q): R^-1, where M = R R'."""
    mean: FloatArray
    """(q,): posterior mean of the coefficients of U, which are N(0, 1) before."""
    log_likelihood: float
    """Log marginal likelihood of the errors, nats."""

    @classmethod
    def of(cls, frame: Frame, error: FloatArray, noise_variance: FloatArray, sds: FloatArray) -> Factor:
        """Factor.

        Args:
            frame: the rows.
            error: (n,) measured errors, in the rows' own order.
            noise_variance: (n,) of their noise.
            sds: (e,) standard deviations of the effects.
        """
        error, noise_variance = error[frame.order], noise_variance[frame.order]
        design = frame.design(frame.rows, sds)
        blocks = tuple(
            _block(frame, rows, design[rows], error[rows], noise_variance[rows], sds) for rows in frame.slices
        )
        size = design.shape[1]
        total, right = np.eye(size), np.zeros(size)
        for block in blocks:
            entries = (block.used[:, None] * size + block.used).ravel()
            total.reshape(-1)[entries] += (block.border.T @ block.border).ravel()
            right[block.used] += block.border.T @ block.error
        root = np.linalg.cholesky(total)
        inverse = lower_inverse(root)
        half = inverse @ right
        log_det = sum(block.log_det for block in blocks) + 2 * np.log(np.diag(root)).sum()
        square = sum(float(block.error @ block.error) for block in blocks) - half @ half
        log_likelihood = -0.5 * (square + log_det + len(error) * np.log(2 * np.pi))
        return cls(frame, sds, blocks, inverse, inverse.T @ half, float(log_likelihood))


def _block(
    frame: Frame, rows: slice, design: FloatArray, error: FloatArray, noise_variance: FloatArray, sds: FloatArray
) -> Block:
    cells = frame.rows.at(rows)
    covariance = kernel(frame.layout.within_task, cells, cells, sds)
    covariance[np.diag_indices_from(covariance)] += noise_variance
    root = np.linalg.cholesky(covariance)
    inverse = lower_inverse(root)
    used = np.flatnonzero(design.any(axis=0))
    log_det = 2 * float(np.log(np.diag(root)).sum())
    return Block(rows, inverse, used, inverse @ design[:, used], inverse @ error, log_det)


def lower_inverse(root: NDArray[np.floating[Any]]) -> FloatArray:
    """Inverse of a lower triangle, by halves: numpy has no triangular solver, and scipy takes long to load."""
    size = len(root)
    if size <= _SMALL:
        return np.tril(np.linalg.inv(root)) if size else np.zeros((0, 0))
    half = size // 2
    first, second = lower_inverse(root[:half, :half]), lower_inverse(root[half:, half:])
    found = np.zeros_like(root)
    found[:half, :half], found[half:, half:] = first, second
    found[half:, :half] = -second @ (root[half:, :half] @ first)
    return found
