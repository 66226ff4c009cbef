"""Clocks and power limits from files as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.bench.power import host_clocks

INTEL = {
    "devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "800000\n",
    "devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "4800000\n",
    "devices/system/cpu/intel_pstate/no_turbo": "0\n",
    "class/powercap/intel-rapl:0/constraint_0_power_limit_uw": "65000000\n",
}
AMD = {
    "devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "2000000\n",
    "devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2000000\n",
    "devices/system/cpu/cpufreq/boost": "0\n",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (INTEL, {"governor": "powersave", "turbo": True, "clocks_locked": False, "power_limit_w": 65.0}),
        (AMD, {"governor": "performance", "turbo": False, "clocks_locked": True, "power_limit_w": None}),
        ({}, {"governor": None, "turbo": None, "clocks_locked": None, "power_limit_w": None}),
        ({"devices/system/cpu/cpufreq/boost": "yes\n"}, {"turbo": None}),
    ],
    ids=["Intel", "AMD", "nothing told", "nonsense"],
)
def test_what_the_files_say(files: dict[str, str], expected: dict[str, object], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    found = host_clocks(tmp_path)
    assert {name: found[name] for name in expected} == expected
