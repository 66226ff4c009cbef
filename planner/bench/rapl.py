"""Energy of the host's processors by RAPL, as Linux tells it; AMD's processors have the same files.

/sys/class/powercap/intel-rapl:N          a zone: "package-N", or "psys", the whole system, which holds the packages
                     .../intel-rapl:N:M   a zone of it: "core" and "uncore", parts of the package; "dram", beside it
    energy_uj                 microjoules so far; it starts again at 0 beyond
    max_energy_range_uj       "range of the above energy counter in micro-joules"

(Linux kernel, Documentation/power/powercap/powercap.rst.) Since 2020 only root reads energy_uj (CVE-2020-8694).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planner.bench.sysfs import read_text, read_whole

_POWERCAP = Path("/sys/class/powercap")


@dataclass
class _Zone:
    folder: Path
    name: str
    range_uj: int | None
    last_uj: int | None
    sum_uj: int = 0

    def joules(self) -> float | None:
        """Since it was made. Right as long as it is read once in each round of the counter, at 300 W a quarter of an
        hour; None where it cannot be read, or went back by no round."""
        now_uj = read_whole(self.folder / "energy_uj")
        if now_uj is None or self.last_uj is None:
            return None
        step = now_uj - self.last_uj
        if step < 0:
            if self.range_uj is None:
                return None
            step += self.range_uj
        self.last_uj, self.sum_uj = now_uj, self.sum_uj + step
        return self.sum_uj / 1e6


class Rapl:
    """The packages and memory of the host; a counter of `planner.bench.energy`."""

    def __init__(self, powercap: Path = _POWERCAP) -> None:
        self._zones = [zone for folder in sorted(powercap.glob("intel-rapl:*")) if (zone := _zone(folder)) is not None]

    def energy_joules(self) -> float | None:
        """Since this object was made; None without a counter, or where one cannot be read."""
        found = [zone.joules() for zone in self._zones]
        known = [one for one in found if one is not None]
        return sum(known) if found and len(known) == len(found) else None

    @property
    def counts(self) -> str:
        """ "package-0 and dram of the processor, idle power and other programs included"."""
        return f"{' and '.join(zone.name for zone in self._zones)} of the host, idle power and other programs included"

    @property
    def advice(self) -> str:
        """What to do where it cannot be read."""
        if not self._zones:
            return "the system shows no energy counter (RAPL), as in most virtual machines and containers"
        return "only root may read the energy counter: sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj"


def _zone(folder: Path) -> _Zone | None:
    """Of a package, or of the memory beside it; None of what is a part of one, or holds them all."""
    name = read_text(folder / "name") or ""
    if not name.startswith(("package", "dram")):
        return None
    return _Zone(folder, name, read_whole(folder / "max_energy_range_uj"), read_whole(folder / "energy_uj"))
