"""Raw samples of a time, what they say, and whether they can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from planner.base.codec import SPARSE
from planner.base.errors import InputError
from planner.base.quantities import format_percent, shown
from planner.base.stored import Whole
from planner.bench.sensors import Disturbance

FEWEST = 7
"""Samples of everything: the interval of a median and a trend need six and five."""
WITHIN = 0.03
"""Sampling goes on until the 95 % interval of the median ends so near to it, or the time for it is over."""
INTERVAL_LIMIT = 0.10
"""Of the same, where the time was over: two thirds of what a calibrated check allows."""
SPREAD_LIMIT = 0.15
"""Of the middle half of the samples, relative to their median; more is noise that a median does not cure."""
DRIFT_LIMIT = 0.05
"""Between the medians of the first and the second half, if the trend is none that chance makes one time in twenty."""
HIT_LIMIT = 0.25
"""Of the samples, which may be disturbed: beyond it they move the quartiles."""
_FEWEST_FOR_DRIFT = 6
_TAIL = 40  # 1 / 40 of the probability lies beyond each end of the interval
_MANY = 500
_SIGNIFICANT = 1.96  # standard deviations of a normal, two-sided


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
    host: Disturbance | None = field(default=None, metadata=SPARSE)
    """What else happened on the host meanwhile."""
    hit: tuple[Annotated[int, Whole(0)], ...] = field(default=(), metadata=SPARSE)
    """Numbers, from 0 on, of the samples in which threads of this process waited, or tasks were out of memory."""

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

    @property
    def trend(self) -> float:
        """Kendall's test of a trend: pairs in rising order less those in falling order, in standard deviations of what
        chance makes of it, n (n - 1) (2 n + 5) / 18 less the same of each group of ties."""
        values = np.array(self.seconds)
        score = float(np.sign(values[None, :] - values[:, None])[np.triu_indices(len(values), 1)].sum())
        counts = np.append(len(values), -np.unique(values, return_counts=True)[1])
        size = abs(counts)
        variance = float((np.sign(counts) * size * (size - 1) * (2 * size + 5)).sum()) / 18
        return score / math.sqrt(variance) if variance > 0 else 0.0

    @property
    def interval_s(self) -> tuple[float, float] | None:
        """The 95 % interval of the median, by ranks: whatever the distribution, between the k-th smallest and the k-th
        largest sample lies the median but for 2 P(Bin(n, 1/2) < k). None for fewer than six samples."""
        return median_interval(self.seconds)

    @property
    def uncertainty(self) -> float | None:
        """How far the interval reaches, relative to the median; None for too few samples."""
        interval, median = self.interval_s, self.median_s
        if interval is None:
            return None
        return max(interval[1] - median, median - interval[0]) / median if median else 0.0

    @property
    def disturbance(self) -> Disturbance:
        """What happened on the host, as far as it is known."""
        return replace(self.host or Disturbance(), waited=self.waited)

    def beside(self, other: Samples, seconds: tuple[float, ...]) -> Samples:
        """Seconds made of those of both, sample by sample, with what disturbed either."""
        seen = Disturbance.worst(self.disturbance, other.disturbance)
        return Samples(
            seconds,
            waited=seen.waited,
            throttled=tuple(sorted({*self.throttled, *other.throttled})),
            host=replace(seen, waited=None),
            hit=tuple(number for number in sorted({*self.hit, *other.hit}) if number < len(seconds)),
        )

    def complaints(self) -> tuple[str, ...]:
        """Why the median may not be what a quiet machine would give; nothing if it may be trusted."""
        found = list(self.disturbance.complaints())
        share = len(self.hit) / len(self.seconds)
        if not found and share > HIT_LIMIT:
            found.append(f"{len(self.hit)} of {len(self.seconds)} samples were disturbed")
        if found:  # spread, drift and interval would follow from it
            return tuple(found)
        off = self.uncertainty or 0.0
        if self.spread > SPREAD_LIMIT:
            found.append(f"the middle half spreads over {format_percent(self.spread, 1.0)} of the median")
        elif off > INTERVAL_LIMIT:
            found.append(f"{len(self.seconds)} samples give the median within {format_percent(off, 1.0)} only")
        if abs(self.drift) > DRIFT_LIMIT and abs(self.trend) > _SIGNIFICANT:
            way = "slower" if self.drift > 0 else "faster"
            found.append(f"the second half is {format_percent(abs(self.drift), 1.0)} {way} than the first")
        found += [f"clocks were lowered: {reason}" for reason in self.throttled]
        return tuple(found)


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a median by ranks; None where all values together do not reach it."""
    count, beyond, below = len(values), 0, 0
    if count > _MANY:  # the binomial is a normal distribution
        below = math.floor(count / 2 - _SIGNIFICANT * math.sqrt(count) / 2)
    else:
        while (beyond := beyond + math.comb(count, below)) * _TAIL <= 2**count:
            below += 1
    if below < 1:
        return None
    ordered = sorted(values)
    return ordered[below - 1], ordered[count - below]


ADVICE = {
    "waited for a core": "other programs use the cores: end them, or measure when the machine is idle",
    "other programs": "other programs use cores and memory bandwidth: end them, or measure when the machine is idle",
    "tasks stood": "more tasks want cores than there are: end other programs, or use fewer threads",
    "memory was": "programs wait for memory: end what holds it, or take a smaller model or batch",
    "storage was": "programs wait for storage: measure when they are done",
    "hypervisor": "the cores are shared with other guests: measure at another time, or on a machine that is not shared",
    "were disturbed": "something ran now and then: end other programs, or measure when the machine is idle",
    "the median within": "samples differ: measure longer (--seconds), on an idle machine",
    "spreads over": "samples differ: measure longer (--seconds), on an idle machine",
    "disagree by": "times of the same work differ: something ran meanwhile; measure again when the machine is idle",
    "second half": "times drift: let the device warm up or cool down, or hold its clocks; vlm-planner doctor says how",
    "clocks were": "the device limits its clocks, and will in service: see to its cooling and power limit, or lock "
    "lower ones; vlm-planner doctor says how",
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
