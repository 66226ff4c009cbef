"""Tail: how far what was measured lies from what was predicted, in predicted standard deviations."""

from __future__ import annotations

import math

from planner.base.dataclass import dataclass
from planner.laws.student import two_sided_quantile, within


@dataclass(frozen=True)
class Tail:
    """Student's t: a task or a model is sometimes unlike all others, more often than a Gaussian says."""

    dof: int
    """Degrees of freedom, whole."""
    scale: float
    """Of the t, in predicted standard deviations."""

    def quantile(self, probability: float) -> float:
        """The predicted standard deviations below which a share of above one half lies."""
        return self.scale * two_sided_quantile(2 * probability - 1, self.dof)

    def below(self, z: float) -> float:
        """The share that lies below z predicted standard deviations."""
        return 0.5 + 0.5 * math.copysign(within(abs(z) / self.scale, self.dof), z)
