"""The numbers of a serving engine that load tests may decide: what kernels reach, and what the host adds.

    x = (ln share_1, ..., ln share_n, host_1 / u_1, ...)

Shares as in `parameters`. Seconds of the host may be 0, so they are fitted as they are, in units u of the median TPOT
(of an iteration) or TTFT (of a prefill or request). Launch costs are not among them: what an engine adds to each
iteration is one number, `step_s`. The prior is wide, but for shares that were fitted to kernels of the card before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.bench.calibration.engine_points import Point
from planner.bench.calibration.parameters import OF_BANDWIDTH, OF_COMPUTE, PRIOR_SHARE, Scale
from planner.hardware import Hardware
from planner.hardware.efficiency import CALIBRATED, TRANSFERRED
from planner.hardware.host_costs import HostCosts

FloatArray = NDArray[np.float64]

OF_KERNELS = (
    "matmul_compute",
    "quantised_compute",
    "matmul_bandwidth",
    "attention_compute",
    "cache_bandwidth",
    "interconnect",
)
"""Shares that may be fitted."""
OF_HOST = ("step_s", "prefill_s", "request_s")
"""Entries of HostCosts."""
_PRIOR = {CALIBRATED: 0.25, TRANSFERRED: 0.5}
"""Standard deviations of logarithms of shares that were fitted before; of others `PRIOR_SHARE`."""
_PRIOR_HOST, _MOST_HOST = 1.0, 50.0
_STEP_SHARE, _STEP_HOST = 0.15, 0.04
"""Of finite differences: so large that requests which change their places do not matter."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """A profile to start from, and the way from x to a profile and back."""

    start: Hardware
    shares: tuple[str, ...]
    units_s: FloatArray
    """Of OF_HOST."""
    source: str
    """Of the host's costs."""

    @classmethod
    def of(cls, start: Hardware, points: Sequence[Point], source: str) -> Numbers:
        """All that may be fitted."""
        units = [_middle(points, what) for what in ("tpot", "ttft", "ttft")]
        return cls(start, OF_KERNELS, np.array(units), source)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.shares, *OF_HOST)

    @property
    def scale(self) -> Scale:
        return Scale(self.start, self.shares)

    @property
    def centre(self) -> FloatArray:
        host = self.start.efficiency.host
        return np.concatenate([self.scale.centre, [getattr(host, name) for name in OF_HOST] / self.units_s])

    @property
    def width(self) -> FloatArray:
        """Standard deviations of the prior."""
        share = _PRIOR.get(self.start.efficiency.source, PRIOR_SHARE)
        return np.array([share] * len(self.shares) + [_PRIOR_HOST] * len(OF_HOST))

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        low, high = self.scale.bounds
        return (
            np.concatenate([low, np.zeros(len(OF_HOST))]),
            np.concatenate([high, np.full(len(OF_HOST), _MOST_HOST)]),
        )

    @property
    def steps(self) -> FloatArray:
        """Of finite differences."""
        return np.array([_STEP_SHARE] * len(self.shares) + [_STEP_HOST] * len(OF_HOST))

    def host(self, x: FloatArray) -> HostCosts:
        step_s, prefill_s, request_s = map(float, np.maximum(x[len(self.shares) :], 0.0) * self.units_s)
        return HostCosts(step_s, prefill_s, request_s, self.source)

    def hardware(self, x: FloatArray) -> Hardware:
        """The profile with these numbers: for predictions."""
        return self._with_host(self.scale.hardware(x[: len(self.shares)]), x)

    def profile(self, x: FloatArray, origin: str) -> tuple[Hardware, tuple[str, ...]]:
        """The profile to keep, and what is to be said of it."""
        found, notes = self.scale.profile(x[: len(self.shares)], origin)
        return self._with_host(found, x), notes

    def values(self, x: FloatArray, profile: Hardware) -> FloatArray:
        """In the units of a profile, whose peaks may have been raised: shares, and seconds."""
        compute, bandwidth = self.scale.raised(profile)
        factors = dict.fromkeys(OF_COMPUTE, compute) | dict.fromkeys(OF_BANDWIDTH, bandwidth)
        shares = np.exp(x[: len(self.shares)]) / [factors.get(name, 1.0) for name in self.shares]
        return np.concatenate([shares, x[len(self.shares) :] * self.units_s])

    def _with_host(self, card: Hardware, x: FloatArray) -> Hardware:
        return replace(card, efficiency=replace(card.efficiency, host=self.host(x)))


def _middle(points: Sequence[Point], what: str) -> float:
    """Median over the tests of a time of requests; of the other where none of them says it."""
    names = (f"{what}_p50", f"{what}_mean", "latency_p50", "latency_mean")
    found = [next((one.measured[name] for name in names if name in one.measured), None) for one in points]
    known = [one for one in found if one is not None]
    return float(np.median(known)) if known else 1.0
