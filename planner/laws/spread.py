"""How far models that others made lie off a law, where somebody says by how much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    """How far models lie off a law."""

    sd: float
    """Standard deviation of a model's own offset in error; 0: all of them follow the law."""
    model_of_point: NDArray[np.intp]
    """Which model each point belongs to, shape (P,); points of one model share its offset. -1: one that the law was
    fitted to, which has none."""

    def columns(self) -> FloatArray:
        """What it adds to L, shape (P, models)."""
        models = sorted(set(self.model_of_point[self.model_of_point >= 0].tolist()))  # np.unique loads masked arrays
        found: FloatArray = self.sd * (self.model_of_point[:, None] == np.array(models, np.intp))
        return found
