"""The numbers that a calibration fits, on a logarithmic scale, and how they become a hardware profile.

Shares are fitted of peaks that are HEADROOM times those of the profile where those were measured: a measured peak is
what one test reached, and a kernel whose data stay in a cache reaches more. The peak is raised afterwards.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.quantities import format_factor
from planner.bench.calibration.start import peaks_are_measured
from planner.hardware import Hardware
from planner.hardware.efficiency import SHARES, Efficiency

FloatArray = NDArray[np.float64]

FITTED = (
    *SHARES,
    "matmul_overhead_s",
    "quantised_overhead_s",
    "attention_overhead_s",
    "qk_norm_overhead_s",
    "cache_overhead_s",
    "elementwise_overhead_s",
    "all_reduce_overhead_s",
    "overlap",
)
"""Entries of Efficiency that measurements may change: those on which a measured time depends."""
OF_COMPUTE = ("matmul_compute", "quantised_compute", "attention_compute")
"""Shares of the peak of matrix products."""
OF_BANDWIDTH = ("matmul_bandwidth", "attention_bandwidth", "cache_bandwidth", "elementwise_bandwidth")
"""Shares of the memory's bandwidth."""
_OF_A_FRAMEWORK = ("framework", "multi_head")
"""What a start says of the frameworks that it was fitted to: what is measured here holds for every model."""
HEADROOM = 16.0
OVERLAP = "overlap"
PRIOR_SHARE, PRIOR_OVERHEAD, PRIOR_OVERLAP = 1.0, 2.0, 0.5
"""Standard deviations of the prior, of natural logarithms: about a factor of 3 for shares, 7 for launch costs."""
_LEAST_SHARE, _LEAST_OVERHEAD_S, _MOST_OVERHEAD_S, _MOST_OVERLAP = 1e-3, 1e-8, 1.0, 8.0
_UNKNOWN_OVERHEAD_S = 1e-6
"""Stands for a launch cost of 0, which has no logarithm."""


@dataclass(frozen=True)
class Scale:
    """A profile to start from, and the way from logarithms to a profile and back."""

    start: Hardware
    names: tuple[str, ...] = FITTED
    """Those that are fitted, in the order of the logarithms."""

    @property
    def headroom(self) -> float:
        return HEADROOM if peaks_are_measured(self.start) else 1.0

    @property
    def centre(self) -> FloatArray:
        """Logarithms of the start, each relative to the start's own peaks."""
        values = [getattr(self.start.efficiency, name) or _UNKNOWN_OVERHEAD_S for name in self.names]
        found: FloatArray = np.log(np.array(values, float))
        return found

    @property
    def width(self) -> FloatArray:
        """Standard deviations of the prior."""
        return np.array([_prior(name) for name in self.names])

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        low, high = np.log([self._ends(name) for name in self.names]).T if self.names else np.zeros((2, 0))
        return low, high

    def at_bound(self, logs: FloatArray) -> NDArray[np.bool_]:
        """Which logarithms are at an end of what is allowed."""
        low, high = self.bounds
        found: NDArray[np.bool_] = (logs <= low + 1e-6) | (logs >= high - 1e-6)
        return found

    def _ends(self, name: str) -> tuple[float, float]:
        if name == OVERLAP:
            return 1.0, _MOST_OVERLAP
        if name in SHARES:
            return _LEAST_SHARE, self.headroom if name in (*OF_COMPUTE, *OF_BANDWIDTH) else 1.0
        return _LEAST_OVERHEAD_S, _MOST_OVERHEAD_S

    def hardware(self, logs: FloatArray) -> Hardware:
        """The profile with these numbers, its peaks raised by the headroom: for predictions."""
        return self._with(logs, self.headroom, self.headroom)

    def many(self, logs: FloatArray) -> Hardware:
        """The same for many sets of numbers (sets, parameters) at once: each is a column (sets, 1) in place of a
        number, which formulas broadcast against shapes. For predictions only."""
        card = self.hardware(logs[0])
        efficiency = copy(card.efficiency)
        for name, values in zip(self.names, np.exp(logs).T, strict=True):
            rate = self.headroom if name in (*OF_COMPUTE, *OF_BANDWIDTH) else 1.0
            object.__setattr__(efficiency, name, values[:, None] / rate)  # columns are no valid Efficiency
        return replace(card, efficiency=efficiency)

    def _with(self, logs: FloatArray, compute: float, bandwidth: float, **words: str) -> Hardware:
        """The profile with its peaks so many times as high, and with the same rates."""
        values = self.start.efficiency.to_dict()
        for name in _OF_A_FRAMEWORK:
            values.pop(name, None)
        values |= {name: float(value) for name, value in zip(self.names, np.exp(logs), strict=True)}
        for names, factor in ((OF_COMPUTE, compute), (OF_BANDWIDTH, bandwidth)):
            values |= {name: min(values[name] / factor, 1.0) for name in names}
        return replace(
            self.start,
            flops_per_s={name: rate * compute for name, rate in self.start.flops_per_s.items()},
            bandwidth_bytes_per_s=self.start.bandwidth_bytes_per_s * bandwidth,
            efficiency=Efficiency.from_dict(values | words),
        )

    def profile(self, logs: FloatArray, origin: str) -> tuple[Hardware, tuple[str, ...]]:
        """The profile to keep, and what is to be said of it: a measured peak that is too low is raised."""
        values = dict(zip(self.names, np.exp(logs), strict=True))
        compute = max([1.0, *(float(values.get(name, 0.0)) for name in OF_COMPUTE)])
        bandwidth = max([1.0, *(float(values.get(name, 0.0)) for name in OF_BANDWIDTH)])
        found = self._with(logs, compute, bandwidth, source="calibrated", origin=origin)
        notes, sources = [], dict(found.source)
        for what, factor, title in (
            ("flops_per_s", compute, "rate of matrix products"),
            ("bandwidth_bytes_per_s", bandwidth, "memory bandwidth"),
        ):
            if factor > 1:
                times = format_factor(factor)
                sources[what] = f"{sources[what]}; raised {times} times, which the fitted kernels reach"
                notes.append(f"some kernels reach {times} times the measured {title}: the profile's peak is raised")
        return replace(found, source=sources), tuple(notes)

    def raised(self, hardware: Hardware) -> tuple[float, float]:
        """How many times the start's peaks a profile's are."""
        precision = next(iter(self.start.flops_per_s))
        compute = hardware.flops_per_s[precision] / self.start.flops_per_s[precision]
        return compute, hardware.bandwidth_bytes_per_s / self.start.bandwidth_bytes_per_s


def _prior(name: str) -> float:
    if name == OVERLAP:
        return PRIOR_OVERLAP
    return PRIOR_SHARE if name in SHARES else PRIOR_OVERHEAD
