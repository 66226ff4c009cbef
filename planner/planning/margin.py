"""By how much one candidate is worse than the pick, where a law knows differences of errors but not their level."""

from __future__ import annotations

from planner.base.dataclass import dataclass


@dataclass(frozen=True)
class Margin:
    """An expected difference of two errors, in percentage points."""

    points: float
    """Above 0: the pick is better by so much."""
    interval: tuple[float, float] | None = None
    """95 % interval, in points; None of the pick itself, and of what does not fit."""

    @property
    def error(self) -> float:
        """The same as an error, between 0 and 1."""
        return self.points / 100
