"""What the hierarchy would have predicted of rows had it not seen them, without conditioning again.

    W = V^-1, a = W y:    y_g - E[y_g | the others] = W_gg^-1 a_g,    Cov[y_g | the others] = W_gg^-1

exact for any group of rows at given variances, the rows' noise included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import FloatArray
from planner.laws.hierarchy.conditioning import Gaussian
from planner.laws.hierarchy.factor import Factor


@dataclass(frozen=True)
class Inverse:
    """V^-1 of the rows, kept in two parts: its blocks and its border."""

    blocks: FloatArray
    """(n, n): B^-1, in the rows' own order."""
    border: FloatArray
    """(q, n): R^-1 U' B^-1."""
    error: FloatArray
    """(n,): y."""
    scaled: FloatArray
    """(n,): V^-1 y."""

    @classmethod
    def of(cls, factor: Factor, error: FloatArray) -> Inverse:
        """Of factored rows, with their errors in their own order."""
        frame, n = factor.frame, len(error)
        blocks, border, scaled = np.zeros((n, n)), np.zeros((len(factor.inverse), n)), np.zeros(n)
        for block in factor.blocks:
            rows = frame.order[block.rows]
            blocks[np.ix_(rows, rows)] = block.inverse.T @ block.inverse
            border[:, rows] = factor.inverse[:, block.used] @ (block.border.T @ block.inverse)
            scaled[rows] = block.inverse.T @ (block.error - block.border @ factor.mean[block.used])
        return cls(blocks, border, error, scaled)

    def within(self, rows: NDArray[np.intp]) -> FloatArray:
        """W_gg, (g, g)."""
        found: FloatArray = self.blocks[np.ix_(rows, rows)] - self.border[:, rows].T @ self.border[:, rows]
        return found


def left_out(factor: Factor, error: FloatArray, groups: Iterable[NDArray[np.intp]]) -> Iterator[Gaussian]:
    """Each group's rows predicted from all the others, noise included.

    Args:
        factor: the rows.
        error: (n,) their measured errors, in their own order.
        groups: positions of the rows of each group.
    """
    inverse = Inverse.of(factor, error)
    for rows in groups:
        covariance = np.linalg.inv(inverse.within(rows))
        covariance = (covariance + covariance.T) / 2
        yield Gaussian(error[rows] - covariance @ inverse.scaled[rows], covariance)
