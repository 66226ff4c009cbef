"""Clocks and power of the host's processor, as Linux tells them; what a system does not tell is None."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from planner.bench.sysfs import read_text, read_whole

_SYSTEM = Path("/sys")
_CPUS = "devices/system/cpu"


def host_clocks(system: Path = _SYSTEM) -> dict[str, Any]:
    """Plain JSON types: the `governor` of the clocks, whether `turbo` is on, whether clocks are held at one frequency
    (`clocks_locked`), the package's power limit in watts (`power_limit_w`), cores that this process may use
    (`cores_allowed`)."""
    lowest, highest = (read_whole(system / _CPUS / "cpu0/cpufreq" / f"scaling_{end}_freq") for end in ("min", "max"))
    microwatts = read_whole(system / "class/powercap/intel-rapl:0/constraint_0_power_limit_uw")
    allowed = getattr(os, "sched_getaffinity", None)
    return {
        "governor": read_text(system / _CPUS / "cpu0/cpufreq/scaling_governor"),
        "turbo": _turbo(system),
        "clocks_locked": None if lowest is None or highest is None else lowest == highest,
        "power_limit_w": None if microwatts is None else microwatts / 1e6,
        "cores_allowed": None if allowed is None else len(allowed(0)),
    }


def _turbo(system: Path) -> bool | None:
    """By the driver of Intel's processors, else by that of all others."""
    off = read_whole(system / _CPUS / "intel_pstate/no_turbo")
    if off is not None:
        return off == 0
    boost = read_whole(system / _CPUS / "cpufreq/boost")
    return None if boost is None else boost != 0
