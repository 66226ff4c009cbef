"""What the runs themselves say of N or of T, whatever the form: how the error moves with it while the other stays.

    error = an offset for each level of T, or for each LLM, + b ln(letter) + noise

by least squares, all runs alike: a weight says how well an error was measured, not which runs there are.
"""

from __future__ import annotations

import math

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.quantities import format_params, format_tokens
from planner.laws.fit_data import FitData
from planner.laws.student import two_sided_quantile

LEVEL = 0.95
"""How sure a fall or a rise has to be."""

_ROUNDING = 1e-12  # of an error: a smaller step is none


@dataclass(frozen=True)
class Trend:
    """How the error moves from the smallest to the largest level of N or of T, the other held."""

    letter: str
    """"N" or "T"."""
    change: float
    """In error over the whole range, negative where it falls."""
    uncertainty: float
    """Half of the 95 % interval of `change`; 0 where no run is left to tell it."""
    ends: tuple[float, float]
    """Smallest and largest level: parameters in the law's unit, or visual tokens."""

    @property
    def falls(self) -> bool:
        """Whether the error clearly falls."""
        return self.change < -max(self.uncertainty, _ROUNDING)

    @property
    def rises(self) -> bool:
        """Whether the error clearly rises."""
        return self.change > max(self.uncertainty, _ROUNDING)

    def step(self, n_unit_params: float) -> str:
        """ "by 0.013 from 256 to 1024"."""
        low, high = (
            map(format_tokens, self.ends)
            if self.letter == "T"
            else (format_params(end * n_unit_params) for end in self.ends)
        )
        return f"by {abs(self.change):.2g} from {low} to {high}"


def trend_of(letter: str, data: FitData) -> Trend:
    """The trend of the runs of a fit in "N" or in "T"; no change where no token count, or no LLM, has two of it."""
    data = data if letter == "N" else data.with_tokens
    own = data.n if letter == "N" else data.t
    level = np.unique(data.t, return_inverse=True)[1].ravel() if letter == "N" else data.llm_groups()
    indicators = (level[:, None] == np.arange(level.max() + 1)).astype(float)
    share = indicators / indicators.sum(axis=0)
    x, y = (column - indicators @ (share.T @ column) for column in (np.log(own), data.y))
    ends = (float(own.min()), float(own.max()))
    squares = float(x @ x)
    span = math.log(ends[1] / ends[0])
    if squares <= _ROUNDING:
        return Trend(letter, 0.0, 0.0, ends)
    slope = float(x @ y) / squares
    dof = len(y) - indicators.shape[1] - 1
    half = 0.0
    if dof > 0:
        left = y - slope * x
        half = two_sided_quantile(LEVEL, dof) * math.sqrt(float(left @ left) / dof / squares)
    return Trend(letter, slope * span, half * span, ends)
