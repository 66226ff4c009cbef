"""Errors that are believed to be jointly Gaussian: what a run is expected to gain then, in closed form.

Letters: K candidates, C cells, P = K + C points, S samples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.gain import expected_gain, expected_regret, inside, rivals

FloatArray = NDArray[np.float64]

_BATCH_SAMPLES = 512


@dataclass(frozen=True, eq=False)
class GaussianBeliefs:
    """Jointly Gaussian errors of some points, and the noise of a run."""

    errors: FloatArray
    """The law's own predictions, shape (P,)."""
    loadings: FloatArray
    """L: the covariance of the errors is L L^T, shape (P, columns)."""
    noise_variance: float
    """Of the measured error of one run of mean weight, about its expectation."""
    log_det_gain: FloatArray
    """By how much a run at each point raises log det of the information matrix, shape (P,)."""
    sampling_variance: FloatArray | float = 0.0
    """What the noise of a run at each point has more, as it is evaluated on few questions, shape (P,)."""
    pruned: bool = False
    """Whether candidates that could never be picked are left out of the reckoning: for many models with offsets."""

    @property
    def noise(self) -> FloatArray:
        """Variance of a run's measured error at each point, (P,)."""
        return np.broadcast_to(np.asarray(self.noise_variance + self.sampling_variance), self.errors.shape)

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of each error, shape (P,)."""
        found: FloatArray = np.sqrt(np.einsum("pr,pr->p", self.loadings, self.loadings))
        return found

    def steps(self, candidates: slice, cells: slice) -> FloatArray:
        """b: by how much a run at each cell moves each candidate, per unit of z, shape (C, K)."""
        there = self.loadings[cells]
        spread = np.sqrt(np.einsum("cr,cr->c", there, there) + self.noise[cells])
        b: FloatArray = there @ self.loadings[candidates].T / spread[:, None]
        return b

    def only(self, positions: NDArray[np.intp]) -> GaussianBeliefs:
        """The beliefs of some of the points."""
        return replace(
            self,
            errors=self.errors[positions],
            loadings=self.loadings[positions],
            log_det_gain=self.log_det_gain[positions],
            sampling_variance=np.broadcast_to(self.sampling_variance, self.errors.shape)[positions],
        )

    def after(self, position: int) -> GaussianBeliefs:
        """The beliefs once a run at a point is known; what it shows moves the errors, and is not known yet."""
        there = self.loadings[position]
        variance = float(there @ there)
        if variance == 0:
            return self
        noise = float(self.noise[position])
        shrink = (1 - np.sqrt(noise / (variance + noise))) / variance
        return replace(self, loadings=self.loadings - shrink * np.outer(self.loadings @ there, there))

    def expected_regret(self, count: int, seed: int = 0) -> float:
        """Expected true error of the pick above that of the best of the first `count` points, by samples."""
        return expected_regret(self.errors[:count], self.loadings[:count], seed)

    def gains(self, count: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
        """What a run of each cell gains, and how likely another candidate is picked after it, (C,) each.

        Args:
            count: K: how many of the points are candidates, the first ones.
            seed: not needed: nothing is sampled.
        """
        few, split = self._rivals_only(count)
        steps = few.steps(slice(0, split), slice(split, None))
        return expected_gain(few.errors[:split], steps, few.sd[:split])

    def batch(self, count: int, runs: int, once: bool, seed: int = 0) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Positions of the cells to run together, each chosen for what it adds, and what they gain up to each.

        Args:
            count: K.
            runs: how many.
            once: whether a cell is chosen once at most: where another run of it would show the same.
            seed: of the samples of what the runs show.
        """
        bounded = not inside(self.errors[:count], self.sd[:count])
        beliefs, split = self._rivals_only(count)
        random = np.random.default_rng(seed)
        samples = _BATCH_SAMPLES // (16 if bounded else 4 if self.pruned else 1)
        errors = beliefs.errors[None, :split]  # what may be predicted once the runs chosen so far are known, (S, K)
        chosen: list[int] = []
        total: list[float] = []
        for _ in range(runs):
            steps, sd = beliefs.steps(slice(0, split), slice(split, None)), beliefs.sd[:split]
            added, _ = expected_gain(errors[:, None], steps[None], sd)
            mean = added.mean(axis=0)
            if once:
                mean[chosen] = -np.inf
            best = int(np.argmax(mean))
            chosen.append(best)
            total.append((total[-1] if total else 0.0) + float(added[:, best].mean()))
            half = random.standard_normal(samples // 2)
            errors = errors + np.concatenate([half, -half])[:, None] * steps[best]
            beliefs = beliefs.after(split + best)
        return tuple(chosen), tuple(total)

    def _rivals_only(self, count: int) -> tuple[GaussianBeliefs, int]:
        """Without the candidates that could never be picked, where that was asked for, and how many are left."""
        if not self.pruned:
            return self, count
        kept = rivals(self.errors[:count], self.loadings[:count])
        return self.only(np.concatenate([kept, np.arange(count, len(self.errors))])), len(kept)
