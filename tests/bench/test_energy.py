"""Energy by counters that step, wrap, or cannot be read."""

import pytest

from planner.bench.energy import WINDOW_S, energy_of
from planner.bench.rapl import Rapl

WATTS, REQUEST_S = 300.0, 0.13


class Stepping:
    """A device of constant power whose counter moves in steps of 100 ms, and the clock that goes with it."""

    counts, advice = "everything", "buy one"

    def __init__(self, *, known=True):
        self.at_s, self.known = 0.0, known

    def now(self):
        return self.at_s

    def work(self, turn):
        self.at_s += REQUEST_S

    def energy_joules(self):
        return WATTS * (self.at_s // 0.1) * 0.1 if self.known else None


def test_a_window_of_seconds_smooths_the_steps():
    device = Stepping()
    found = energy_of(device.work, device, 2, now=device.now)
    assert found.valid and found.joules == pytest.approx(WATTS * REQUEST_S / 2, rel=0.1 / WINDOW_S)
    assert "39 batches in 5.07 s, everything" in found.note


def test_a_short_window_is_marked():
    device = Stepping()
    found = energy_of(device.work, device, 1, 0.2, now=device.now)
    assert not found.valid and "too short" in found.note
    assert abs(found.joules / (WATTS * REQUEST_S) - 1) > 0.1  # by the steps


def test_without_a_counter_nothing_runs():
    device = Stepping(known=False)
    found = energy_of(device.work, device, 1, now=device.now)
    assert (found.joules, found.valid, found.note) == (None, False, "not known: buy one")
    assert device.at_s == 0


@pytest.fixture
def powercap(tmp_path):
    """Two packages, one with memory beside it; their cores, the whole system and a copy of a package count twice."""
    zones = {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "dram",
        "intel-rapl:1": "package-1",
        "intel-rapl:2": "psys",
        "intel-rapl-mmio:0": "package-0",
    }
    (tmp_path / "intel-rapl").mkdir()
    for folder, name in zones.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name").write_text(name + "\n")
        (tmp_path / folder / "energy_uj").write_text("1000000\n")
        (tmp_path / folder / "max_energy_range_uj").write_text("262143328850\n")
    return tmp_path


def put(powercap, zone, microjoules):
    (powercap / zone / "energy_uj").write_text(f"{microjoules}\n")


def test_packages_and_memory_count_once(powercap):
    rapl = Rapl(powercap)
    assert rapl.energy_joules() == 0
    put(powercap, "intel-rapl:0", 6_000_000)
    put(powercap, "intel-rapl:0:0", 4_000_000)
    put(powercap, "intel-rapl:0:1", 1_500_000)
    put(powercap, "intel-rapl:1", 3_000_000)
    put(powercap, "intel-rapl:2", 99_000_000)
    put(powercap, "intel-rapl-mmio:0", 6_000_000)
    assert rapl.energy_joules() == 5 + 0.5 + 2
    assert rapl.counts.startswith("package-0 and dram and package-1 of the host")


def test_a_counter_that_starts_again(powercap):
    put(powercap, "intel-rapl:0", 262_143_000_000)
    rapl = Rapl(powercap)
    put(powercap, "intel-rapl:0", 2_671_150)
    assert rapl.energy_joules() == pytest.approx(3.0)
    put(powercap, "intel-rapl:0", 262_143_000_000)
    put(powercap, "intel-rapl:1", 2_000_000)
    assert rapl.energy_joules() == pytest.approx(262_143.32885 + 1)
    put(powercap, "intel-rapl:0", 0)
    assert rapl.energy_joules() == pytest.approx(262_143.65770 + 1 - 0.0)


def test_a_counter_that_goes_back_without_a_range_is_not_known(powercap):
    (powercap / "intel-rapl:1/max_energy_range_uj").unlink()
    rapl = Rapl(powercap)
    assert rapl.energy_joules() == 0
    put(powercap, "intel-rapl:1", 5)
    assert rapl.energy_joules() is None


def test_what_cannot_be_read_is_said(powercap, tmp_path):
    (powercap / "intel-rapl:1/energy_uj").unlink()
    (powercap / "intel-rapl:1/energy_uj").mkdir()  # an error to read, also for root
    rapl = Rapl(powercap)
    assert rapl.energy_joules() is None and "sudo chmod" in rapl.advice
    assert Rapl(tmp_path / "none").energy_joules() is None
    assert "virtual machines" in Rapl(tmp_path / "none").advice
