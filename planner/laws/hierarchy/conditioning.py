"""Conditioning: what the evidence says of any cells, an exact Gaussian.

    posterior = Posterior(factor)
    posterior.predict(cells)        means and covariance of their errors without noise

A cell of a group that no row has (another task, another compressor) keeps the spread of that effect's population.
"""

from __future__ import annotations

import numpy as np

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import CellColumns, FloatArray
from planner.laws.hierarchy.design import kernel, side
from planner.laws.hierarchy.factor import Factor


@dataclass(frozen=True)
class Gaussian:
    """Errors of m cells together."""

    mean: FloatArray
    """(m,)."""
    covariance: FloatArray
    """(m, m)."""

    @property
    def sd(self) -> FloatArray:
        """(m,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    def given(self, known: int, error: FloatArray, noise_variance: FloatArray) -> Gaussian:
        """The cells after the first `known` of them, given measured errors of those: (known,) and their noise."""
        gain = np.linalg.solve(
            self.covariance[:known, :known] + np.diag(noise_variance), self.covariance[:known, known:]
        )
        mean = self.mean[known:] + gain.T @ (error - self.mean[:known])
        covariance = self.covariance[known:, known:] - self.covariance[known:, :known] @ gain
        return Gaussian(mean, (covariance + covariance.T) / 2)


@dataclass(frozen=True)
class Posterior:
    """The effects, given the rows of a factor."""

    factor: Factor

    def predict(self, cells: CellColumns) -> Gaussian:
        """Errors of some cells without noise. Raises InputError for sizes and token counts that are not above 0."""
        factor = self.factor
        frame = factor.frame
        points, _ = side(frame.layout, cells, frame.books)
        design = frame.design(points, factor.sds)
        covariance = kernel(frame.layout.groupings, points, points, factor.sds) - design @ design.T
        mean = np.zeros(len(points))
        for task in np.unique(points.task).tolist():
            if task >= len(factor.blocks):
                continue
            block, at = factor.blocks[task], np.flatnonzero(points.task == task)
            within = kernel(frame.layout.within_task, frame.rows.at(block.rows), points.at(at), factor.sds)
            weights = block.inverse @ within
            design[np.ix_(at, block.used)] -= weights.T @ block.border
            covariance[np.ix_(at, at)] -= weights.T @ weights
            mean[at] += weights.T @ block.error
        spread = factor.inverse @ design.T
        covariance += spread.T @ spread
        return Gaussian(mean + design @ factor.mean, (covariance + covariance.T) / 2)
