"""What a run is expected to gain by joint draws of a belief that is not Gaussian, and what the pick may cost now.

The belief over all forms has long tails: it mixes forms and sizes of misfit, each a Student. In each draw the errors of
all points are known, and so is what a run would show: the error there with noise. What is expected of a candidate once
an outcome y is seen is a smooth curve in y; it is fitted to the draws, as a spline of few pieces:

    E[error_k | y] ~ a_k + b_k y + sum over knots of c_kj max(y - knot_j, 0)

and, after several runs, as a sum of such curves. The least of these is picked, and what that gains is judged by the
errors in the draws themselves. So no gain is above what the pick is expected to cost now, however long the tails are,
and both are below 1, as errors beyond what is possible are cut there.

Letters: K candidates, C cells, P = K + C points, S draws.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]

DRAWS = 4000
_KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the outcome between which a curve is straight."""
_FEWEST_VARIANCE = 1e-24
"""Of a column of unit variance: what is left of it below this is rounding."""


@dataclass(frozen=True, eq=False)
class DrawnBeliefs:
    """What is believed of the errors of any points, the candidates first, then the cells."""

    errors: FloatArray
    """Expected errors, shape (P,)."""
    draws: FloatArray
    """Joint draws of the errors, of these means, shape (S, P)."""
    noise_sd: FloatArray
    """Standard deviation of the error of a run of mean weight, in each draw, shape (S,)."""
    log_det_gain: FloatArray
    """By how much a run at each point raises log det of the information matrix, shape (P,)."""
    sampling_variance: FloatArray
    """What the noise of a run at each point has more, as it is evaluated on few questions, shape (P,)."""

    @property
    def noise_variance(self) -> float:
        """Mean variance of the error of a run of mean weight."""
        return float(np.mean(np.square(self.noise_sd)))

    @property
    def noise(self) -> FloatArray:
        """Mean variance of a run's measured error at each point, (P,)."""
        found: FloatArray = self.noise_variance + self.sampling_variance
        return found

    def expected_regret(self, count: int, seed: int = 0) -> float:
        """Expected true error of the pick above that of the best of the first `count` points."""
        of = self._possible(count)
        return max(float(np.min(of.mean(axis=0)) - of.min(axis=1).mean()), 0.0)

    def gains(self, count: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
        """What a run of each cell gains, and how likely another candidate is picked after it, (C,) each.

        Args:
            count: K: how many of the points are candidates.
            seed: of the noise of the runs.
        """
        found = self._judged(_Known.nothing(self._worth_picking(count)), self._outcomes(count, seed, 0))
        return np.array([gain for gain, _ in found]), np.array([changes for _, changes in found])

    def batch(self, count: int, runs: int, once: bool, seed: int = 0) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Positions of the cells to run together, each chosen for what it adds, and what they gain up to each.

        Args:
            count: K.
            runs: how many.
            once: whether a cell is chosen once at most: where another run of it would show the same.
            seed: of the noise of the runs.
        """
        known = _Known.nothing(self._worth_picking(count))
        chosen: list[int] = []
        total: list[float] = []
        for place in range(runs):
            outcomes = self._outcomes(count, seed, place)
            gain = np.array([gain for gain, _ in self._judged(known, outcomes)])
            if once:
                gain[chosen] = -np.inf
            best = int(np.argmax(gain))
            known = known.with_run(outcomes[:, best])
            chosen.append(best)
            total.append(max(float(gain[best]), *total[-1:], 0.0))  # one more outcome need not be heeded
        return tuple(chosen), tuple(total)

    @staticmethod
    def _judged(known: _Known, outcomes: FloatArray) -> list[tuple[float, float]]:
        return [known.with_run(outcome).judged() for outcome in outcomes.T]

    def _outcomes(self, count: int, seed: int, place: int) -> FloatArray:
        """What the run in some place of a batch shows in each draw, at any of the cells, (S, C).

        The noise is one for all cells, of which one is run: so they are compared by what they are.
        """
        noise = np.random.default_rng([seed, place]).standard_normal((len(self.draws), 1))
        variance = np.square(self.noise_sd)[:, None] + self.sampling_variance[count:]
        found: FloatArray = self.draws[:, count:] + np.sqrt(variance) * noise
        return found

    def _possible(self, count: int) -> FloatArray:
        return np.clip(self.draws[:, :count], 0.0, 1.0)

    def _worth_picking(self, count: int) -> FloatArray:
        """Draws of the candidates to which none of the likeliest is better in every draw, (S, some)."""
        of = self._possible(count)
        wins = np.bincount(of.argmin(axis=1), minlength=count)
        likeliest = np.argsort(-wins, kind="stable")[:8]
        beaten = np.any([(of >= of[:, [one]]).all(axis=0) for one in likeliest], axis=0)
        return of[:, ~beaten | (wins > 0)]


@dataclass(frozen=True, eq=False)
class _Known:
    """Candidates, and orthonormal columns that span what is known of each draw."""

    candidates: FloatArray
    """(S, K)."""
    columns: FloatArray
    """(S, columns), the first constant."""
    fitted: FloatArray
    """The candidates' expected errors in each draw by what is known there, (S, K)."""

    @classmethod
    def nothing(cls, candidates: FloatArray) -> _Known:
        """Before any run."""
        constant = np.full((len(candidates), 1), len(candidates) ** -0.5)
        return cls(candidates, constant, np.broadcast_to(candidates.mean(axis=0), candidates.shape))

    def with_run(self, outcome: FloatArray) -> _Known:
        """Once an outcome is known, of shape (S,)."""
        z = (outcome - outcome.mean()) / (outcome.std() or 1.0)
        ordered = np.sort(z)
        curve = np.column_stack([z, *(np.maximum(z - ordered[int(knot * len(z))], 0.0) for knot in _KNOTS)])
        for _ in range(2):  # twice: what rounding left of the columns goes too
            curve = curve - self.columns @ (self.columns.T @ curve)
        left, size, _ = np.linalg.svd(curve, full_matrices=False)
        new = left[:, size**2 > _FEWEST_VARIANCE * len(z)]
        fitted = self.fitted + new @ (new.T @ self.candidates)
        return replace(self, columns=np.hstack([self.columns, new]), fitted=fitted)

    def judged(self) -> tuple[float, float]:
        """What picking by what is known gains, 0 where it loses, and how often it picks another candidate."""
        before = int(np.argmin(self.candidates.mean(axis=0)))
        pick = self.fitted.argmin(axis=1)
        gain = np.mean(self.candidates[:, before] - self.candidates[np.arange(len(pick)), pick])
        return max(float(gain), 0.0), float(np.mean(pick != before))
