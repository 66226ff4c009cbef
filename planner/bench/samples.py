"""Raw samples of a time, what they say, and whether they can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from planner.base.errors import InputError
from planner.base.quantities import format_percent, shown
from planner.base.stored import Whole

SPREAD_LIMIT = 0.15
"""Of the middle half of the samples, relative to their median; more is noise that a median does not cure."""
DRIFT_LIMIT = 0.10
"""Between the medians of the first and the second half."""
WAITED_LIMIT = 0.05
"""Of the core time that this process wanted, which it waited for."""
_FEWEST_FOR_DRIFT = 6


PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
"""That are told of what users wait for."""


@dataclass(frozen=True)
class Samples:
    """Seconds of the same work, done again and again; nothing is thrown away."""

    seconds: tuple[float, ...]
    """Of one call each, in the order in which they were taken."""
    calls_per_sample: Annotated[int, Whole(1)] = 1
    """A sample of several calls is their mean: short work is timed in bunches."""
    waited: float | None = None
    """Share of the core time that this process's threads wanted and waited for; None where it cannot be read."""
    throttled: tuple[str, ...] = ()
    """Why the device lowered its clocks meanwhile."""

    def __post_init__(self) -> None:
        if not self.seconds or not all(0 <= one < math.inf for one in self.seconds):
            raise InputError(f"samples: expected seconds from 0 on, at least one, got {shown(self.seconds)}")

    @property
    def median_s(self) -> float:
        return float(np.median(self.seconds))

    @property
    def quartiles_s(self) -> tuple[float, float]:
        """What the middle half lies between."""
        low, high = np.quantile(self.seconds, (0.25, 0.75))
        return float(low), float(high)

    def percentile_s(self, share: float) -> float | None:
        """What such a share of the samples does not exceed; None above the median where that leaves less than one
        sample beyond it: a 99th percentile takes a hundred."""
        if not 0 < share < 1:
            raise InputError(f"percentile: expected a share between 0 and 1, got {shown(share)}")
        if share > 0.5 and len(self.seconds) * (1 - share) < 1 - 1e-9:
            return None
        return float(np.quantile(self.seconds, share))

    @property
    def percentiles_s(self) -> dict[str, float | None]:
        """By name: "p50", "p90", "p99"."""
        return {name: self.percentile_s(share) for name, share in PERCENTILES.items()}

    @property
    def spread(self) -> float:
        """Width of the middle half, relative to the median."""
        low, high = self.quartiles_s
        return (high - low) / self.median_s if self.median_s else 0.0

    @property
    def drift(self) -> float:
        """Median of the second half over that of the first, less 1; 0 for too few samples."""
        if len(self.seconds) < _FEWEST_FOR_DRIFT:
            return 0.0
        half = len(self.seconds) // 2
        first, second = np.median(self.seconds[:half]), np.median(self.seconds[-half:])
        return float(second / first - 1) if first else 0.0

    def complaints(self) -> tuple[str, ...]:
        """Why the median may not be what a quiet machine would give; nothing if it may be trusted."""
        if self.waited is not None and self.waited > WAITED_LIMIT:  # spread and drift would follow from it
            return (f"waited for a core {format_percent(self.waited, 1.0)} of the time",)
        found = []
        if self.spread > SPREAD_LIMIT:
            found.append(f"the middle half spreads over {format_percent(self.spread, 1.0)} of the median")
        if abs(self.drift) > DRIFT_LIMIT:
            way = "slower" if self.drift > 0 else "faster"
            found.append(f"the second half is {format_percent(abs(self.drift), 1.0)} {way} than the first")
        found += [f"clocks were lowered: {reason}" for reason in self.throttled]
        return tuple(found)


ADVICE = {
    "waited for": "other programs use the cores: end them, or measure when the machine is idle",
    "spreads over": "samples differ: measure longer (--seconds), on an idle machine",
    "second half": "times drift: let the device warm up, or cool down, and measure again",
    "clocks were": "the device limits its clocks: see to its cooling and power limit; it will do the same in service",
}
"""Words of a complaint -> what to do about it."""


def merged_advice(advice: Iterable[str]) -> tuple[str, ...]:
    """Advice for several measurements, each said once, with the first example."""
    first = {text.partition(" (")[0]: text for text in reversed(list(advice))}
    return tuple(reversed(first.values()))


def advice_for(complaints: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What to do about the complaints of several stages, each advice once, with where it was seen."""
    found = []
    for words, advice in ADVICE.items():
        where = [f"{name}: {text}" for name, texts in complaints.items() for text in texts if words in text]
        if where:
            more = "" if len(where) == 1 else f" and {len(where) - 1} more"
            found.append(f"{advice} ({where[0]}{more})")
    return tuple(found)
