"""One belief of several, each from the runs that its forms can take: runs without visual tokens, T = 0, inform only the
forms that are finite there.

How likely each form is rests on the runs that all can take: to a form that is infinite at T = 0 the other runs are no
evidence for or against it. What the forms leave out (`misfit`) is a function of ln T, so that what it is at T = 0 says
nothing of any T above: the limit of its correlation as T goes to zero, and what a model does without an image need not
go on smoothly from what it does with little of one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.belief.belief import Belief, Measured, Points

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MixedBelief:
    """Beliefs with a probability each."""

    parts: tuple[Belief, ...]
    """The last one has all runs, and is of the forms that are finite at T = 0."""
    weights: tuple[float, ...]
    """Their probabilities."""

    @property
    def measured(self) -> Measured:
        """All runs."""
        return self.parts[-1].measured

    def shares(self) -> dict[str, float]:
        """Probability of each form, the likeliest first."""
        found: dict[str, float] = {}
        for weight, part in zip(self.weights, self.parts, strict=True):
            for form, share in part.shares().items():
                found[form] = found.get(form, 0.0) + weight * share
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    def noise_sd(self) -> float:
        """Standard deviation of a run of mean weight about what is believed: the root of the mean variance."""
        variances = [part.noise_sd() ** 2 for part in self.parts]
        return float(np.sqrt(np.dot(self.weights, variances)))

    def expected(self, points: Points) -> FloatArray:
        """The expected errors, shape (points,); at T = 0 by the forms that are finite there."""
        zero = points.t == 0
        found = np.empty(len(points))
        found[zero] = self.parts[-1].expected(points.take(zero))
        rest = points.take(~zero)
        found[~zero] = sum(w * part.expected(rest) for w, part in zip(self.weights, self.parts, strict=True))
        return found

    def draws(self, points: Points, count: int, seed: int = 0) -> FloatArray:
        """As `Belief.draws`, at T above 0."""
        return self.draws_of(points, count, seed)[0]

    def draws_of(self, points: Points, count: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
        """As `Belief.draws_of`, at T above 0."""
        counts = np.random.default_rng([seed, len(self.parts)]).multinomial(count, self.weights)
        drawn = [part.draws_of(points, own, seed) for part, own in zip(self.parts, counts.tolist(), strict=True) if own]
        return np.concatenate([errors for errors, _ in drawn]), np.concatenate([noise for _, noise in drawn])
