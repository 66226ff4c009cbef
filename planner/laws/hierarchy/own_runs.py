"""A study of one's own: its runs join the evidence, and its noise is estimated with them.

The evidence is conditioned once; own runs are then conditioned on in the space of the runs and of the cells asked
about. Their noise is averaged over, a grid of values weighted by prior and marginal likelihood: where 30 runs agree
to .004, an interval that assumes the .0125 of an average study is far too wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import Cells, FloatArray
from planner.laws.hierarchy.conditioning import Gaussian, Posterior
from planner.laws.hierarchy.noise import Noise, noise_variance

SPREADS, STEPS = 3.0, 13  # of the grid of noises


@dataclass(frozen=True)
class Mixture:
    """Errors of m cells together: Gaussians, each with its probability."""

    weights: FloatArray
    """(k,): sum to 1."""
    parts: tuple[Gaussian, ...]

    @cached_property
    def mean(self) -> FloatArray:
        """(m,)."""
        found: FloatArray = sum(w * part.mean for w, part in zip(self.weights, self.parts, strict=True))
        return found

    @cached_property
    def covariance(self) -> FloatArray:
        """(m, m)."""
        total = np.zeros((len(self.mean), len(self.mean)))
        for weight, part in zip(self.weights, self.parts, strict=True):
            apart = part.mean - self.mean
            total += weight * (part.covariance + np.outer(apart, apart))
        return total

    @property
    def sd(self) -> FloatArray:
        """(m,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))


@dataclass(frozen=True)
class OwnRuns:
    """Measured cells of a study that is not in the evidence."""

    cells: Cells
    """n of them."""
    error: FloatArray
    """(n,)."""
    error_se: FloatArray
    """(n,): each run's own standard error, nan where it is not known."""


@dataclass(frozen=True)
class OwnNoise:
    """What own runs say of their noise, for a task of factor 1."""

    values: FloatArray
    """(k,): in error."""
    weights: FloatArray
    """(k,): their probabilities."""

    @property
    def mean(self) -> float:
        return float(self.weights @ self.values)


def predict_with(posterior: Posterior, own: OwnRuns, cells: Cells, noise: Noise) -> tuple[Mixture, OwnNoise]:
    """Errors of some cells without noise, given the evidence and own runs, and the noise of the own runs.

    Args:
        posterior: the evidence.
        own: the runs.
        cells: asked about.
        noise: prior of the own study's, and the tasks' factors.

    Raises InputError for sizes and token counts that are not above 0.
    """
    joint = posterior.predict(own.cells.then(cells))
    known = len(own.error)
    values, factors = noise_grid(noise), noise.of_tasks(own.cells.task)
    variances = [noise_variance(value * factors, own.error_se) for value in values]
    likely = np.array([_log_likelihood(joint, own.error, variance) for variance in variances])
    weights = _normalised(likely - 0.5 * (np.log(values / noise.median) / noise.spread) ** 2)
    kept = weights > 1e-4 * weights.max()
    parts = tuple(
        joint.given(known, own.error, variance) for variance, keep in zip(variances, kept, strict=True) if keep
    )
    weights = weights[kept] / weights[kept].sum()
    return Mixture(weights, parts), OwnNoise(values[kept], weights)


def noise_grid(noise: Noise) -> FloatArray:
    """The noises that are averaged over, evenly spaced in their logarithm."""
    found: FloatArray = noise.median * np.exp(noise.spread * np.linspace(-SPREADS, SPREADS, STEPS))
    return found


def _log_likelihood(joint: Gaussian, error: FloatArray, noise_variance: FloatArray) -> float:
    known = len(error)
    root = np.linalg.cholesky(joint.covariance[:known, :known] + np.diag(noise_variance))
    half = np.linalg.solve(root, error - joint.mean[:known])
    return float(-0.5 * half @ half - np.log(np.diag(root)).sum())


def _normalised(logs: Sequence[float] | FloatArray) -> FloatArray:
    found: FloatArray = np.exp(np.asarray(logs) - np.max(logs))
    found /= found.sum()
    return found
