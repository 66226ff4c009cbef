"""What a service promises: seconds that a percentile of its requests, or their mean, keeps within."""

from __future__ import annotations

import math
from dataclasses import fields

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown

MEAN = "mean"
"""In place of a percentile."""


@dataclass(frozen=True)
class Limits:
    """Raises InputError for a limit that is no time."""

    ttft_s: float | None = None
    """To the first token."""
    tpot_s: float | None = None
    """Of a token after the first: each request's mean."""
    latency_s: float | None = None
    """Of a whole request."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None and not (_is_number(value) and 0 < value < math.inf):
                raise InputError(f"{item.name}: expected seconds above 0, got {shown(value)}")

    @property
    def given(self) -> dict[str, float]:
        """Those that are set, by name without unit: "ttft", "tpot", "latency"."""
        named = {"ttft": self.ttft_s, "tpot": self.tpot_s, "latency": self.latency_s}
        return {name: value for name, value in named.items() if value is not None}


def checked_percentile(percentile: float | str) -> float | str:
    """Percent of the requests, or "mean". Raises InputError."""
    if percentile != MEAN and not (_is_number(percentile) and 0 < float(percentile) < 100):
        raise InputError(f'percentile: expected a number between 0 and 100 or "{MEAN}", got {shown(percentile)}')
    return percentile


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
