"""Where the runs of a fit stand, centred: everything about it but the measured errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Where the runs stand, centred; n runs."""

    x: FloatArray
    """ln N - its mean, shape (n,)."""
    t: FloatArray
    """ln T - its mean, shape (n,)."""
    x_mean: float
    """Mean of ln N, N in the unit that the design was made with."""
    t_mean: float
    """Mean of ln T."""
    root_weight: FloatArray
    """Square roots of the weights, shape (n,); the mean weight is 1."""

    @property
    def n(self) -> FloatArray:
        """N of every run, in the unit that the design was made with, shape (n,)."""
        return np.exp(self.x + self.x_mean)

    @property
    def tokens(self) -> FloatArray:
        """T of every run, shape (n,)."""
        return np.exp(self.t + self.t_mean)


def make_design(n: FloatArray, t: FloatArray, weights: FloatArray) -> Design:
    """Centre N (in any unit) and T, and scale the weights, each of shape (n,)."""
    x, log_t = np.log(n), np.log(t)
    root_weight = np.sqrt(weights / weights.mean())
    return Design(x - x.mean(), log_t - log_t.mean(), float(x.mean()), float(log_t.mean()), root_weight)
