"""What a measurement takes: memory of tensors, the GPU's own counters."""

from __future__ import annotations

import contextlib
import importlib
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class TensorBytes(TorchDispatchMode):
    """Most bytes that the tensors made inside took at the same time; what a kernel needs inside itself is not seen."""

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        """`known` were made before and are not counted, nor are views of them."""
        super().__init__()
        self.live = 0
        self.peak = 0
        self._seen = {value.untyped_storage()._cdata for value in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_iter(made):
            if isinstance(value, Tensor) and value.device.type != "meta":
                self._add(value)
        return made

    def _add(self, value: Tensor) -> None:
        storage = value.untyped_storage()
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


class Gpu:
    """A GPU's counters by NVML (package nvidia-ml-py); whatever cannot be read is None."""

    _LIMITS = (
        ("SwPowerCap", "its power limit"),
        ("HwSlowdown", "a hardware slowdown"),
        ("SwThermalSlowdown", "heat"),
        ("HwThermalSlowdown", "heat"),
        ("HwPowerBrakeSlowdown", "the power brake"),
    )

    def __init__(self, device: torch.device) -> None:
        self._nvml: Any = None
        self._handle: Any = None
        with contextlib.suppress(Exception):  # no driver, no package, a card that NVML does not know
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            uuid = str(torch.cuda.get_device_properties(device).uuid)
            self._handle = nvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
            self._nvml = nvml

    def energy_joules(self) -> float | None:
        """Since the driver was loaded."""
        found = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        return None if found is None else float(found) / 1e3

    def used_bytes(self) -> int | None:
        """Of the whole card, other programs and the driver's own included."""
        found: Any = self._ask("nvmlDeviceGetMemoryInfo")
        return None if found is None else int(found.used)

    def utilisation(self) -> float | None:
        """Share of the last moments in which a kernel of any program ran."""
        found: Any = self._ask("nvmlDeviceGetUtilizationRates")
        return None if found is None else int(found.gpu) / 100

    def clock_limits(self) -> frozenset[str]:
        """Why the clocks are lower now than they could be; being idle does not count."""
        reasons: Any = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if reasons is None:
            return frozenset()
        found = set()
        for name, why in self._LIMITS:
            older = getattr(self._nvml, f"nvmlClocksThrottleReason{name}", 0)
            if int(reasons) & int(getattr(self._nvml, f"nvmlClocksEventReason{name}", older)):
                found.add(why)
        return frozenset(found)

    def facts(self) -> dict[str, Any]:
        """Driver, clocks, power limit."""
        if self._nvml is None:
            return {}
        nvml = self._nvml
        driver = None
        with contextlib.suppress(Exception):
            driver = nvml.nvmlSystemGetDriverVersion()
        clock = self._ask("nvmlDeviceGetClockInfo", getattr(nvml, "NVML_CLOCK_SM", 1))
        memory_clock = self._ask("nvmlDeviceGetClockInfo", getattr(nvml, "NVML_CLOCK_MEM", 2))
        limit = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        return {
            "driver": driver.decode() if isinstance(driver, bytes) else driver,
            "sm_clock_mhz": clock,
            "memory_clock_mhz": memory_clock,
            "power_limit_w": None if limit is None else limit / 1e3,
        }

    def _ask(self, what: str, *arguments: Any) -> Any:
        if self._nvml is None:
            return None
        try:
            return getattr(self._nvml, what)(self._handle, *arguments)
        except Exception:  # not every card has every counter
            return None
