"""The load of this machine, looked at before anything is measured."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from planner.base.errors import MeasurementError
from planner.base.quantities import format_percent
from planner.bench.meters import Gpu
from planner.bench.sensors import Disturbance, Sensors

LOOK_S = 0.5
"""Of a look: ticks of 10 ms show a tenth of what other programs may take of a core."""
LOAD_SHARE = 0.3
"""Of the cores, tasks that may run on average over the last minute; judged only where nothing better is known."""
GPU_LIMIT = 0.05
"""Of the time, kernels of other programs."""
_WORDS = {
    "stalled_cpu": "stalls",
    "stalled_memory": "stalls",
    "stalled_io": "stalls",
    "stolen": "steal",
    "others_cores": "other programs",
}


@dataclass(frozen=True)
class Load:
    """What runs on a machine that nothing is measured on yet."""

    host: Disturbance
    """During the look."""
    load_1min: float | None = None
    """Tasks that ran or wanted to, on average over a minute."""
    running: int | None = None
    """Tasks at the end of the look."""
    gpu: float | None = None
    """Share of the time in which the GPU ran kernels; None without one, or where it does not tell."""
    on_gpu: bool = False
    """Whether a GPU is to be measured: other programs may use cores then."""

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why nothing should be measured now, in words."""
        found = [] if self.on_gpu else list(self.host.complaints())
        if self.gpu is not None and self.gpu > GPU_LIMIT:
            found.append(f"other programs kept the GPU busy {format_percent(self.gpu, 1.0)} of the time")
        cores = self.host.cores or 1
        blind = self.host.others_cores is None and not self.on_gpu
        if blind and self.load_1min is not None and self.load_1min > LOAD_SHARE * cores:
            found.append(f"{self.load_1min:.1f} tasks ran in the last minute on {cores} cores")
        return tuple(found)

    @property
    def busy(self) -> bool:
        return bool(self.complaints)

    @property
    def not_known(self) -> tuple[str, ...]:
        """What this system does not tell, in words."""
        found = [word for name, word in _WORDS.items() if getattr(self.host, name) is None]
        if self.load_1min is None:
            found.append("the load of the last minute")
        return tuple(dict.fromkeys(found))

    def __str__(self) -> str:
        said = "; ".join(self.complaints) or "nothing that disturbs"
        if self.load_1min is not None:
            said += f" (load {self.load_1min:.1f} on {self.host.cores or 1} cores"
            said += ")" if self.running is None else f", {self.running} tasks running)"
        missing = self.not_known
        return f"{said}; not known here: {', '.join(missing)}" if missing else said

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; what is not known is null."""
        host = {name: getattr(self.host, name) for name in Disturbance.NAMES if name != "waited"}
        return {**host, "load_1min": self.load_1min, "running": self.running, "gpu": self.gpu}


def look(
    device: torch.device | None = None,
    *,
    seconds: float = LOOK_S,
    sensors: Sensors | None = None,
    gpu: Gpu | None = None,
) -> Load:
    """Watches the machine for a moment in which this process does nothing.

    Args:
        device: to be measured; the host by default.
        seconds: for how long.
        sensors: of the host.
        gpu: counters of the device, where it is one.
    """
    read = sensors or Sensors()
    on_gpu = device is not None and device.type == "cuda"
    counters = gpu or (Gpu(device) if on_gpu and device is not None else None)
    before = read.read()
    time.sleep(seconds)
    seen = read.read().since(before)
    used = None if counters is None else counters.utilisation()
    return Load(replace(seen, waited=None), read.load_1min(), read.running(), used, on_gpu)


def refuse_load(load: Load, what: str, instead: str) -> None:
    """Raises MeasurementError on a busy machine.

    Args:
        load: of the machine.
        what: would be wrong: "a calibration".
        instead: how to do it all the same.
    """
    if load.busy:
        raise MeasurementError(
            f"this machine is busy: {load}; {what} would be wrong for as long as it is used: end other programs, or "
            f"{instead}"
        )
