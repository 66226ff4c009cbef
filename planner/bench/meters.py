"""What a measurement takes: memory of tensors, the GPU's own counters."""

from __future__ import annotations

import contextlib
import importlib
import time
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


LOWERED_LIMIT = 0.01
"""Of the time, in which a limit may hold the clocks down: a median does not move by so little."""


class Gpu:
    """A GPU's counters by NVML (package nvidia-ml-py); whatever cannot be read is None."""

    _POLICIES = (
        ("POWER", "its power limit"),
        ("THERMAL", "heat"),
        ("BOARD_LIMIT", "the board's limit"),
        ("RELIABILITY", "its voltage limit"),
    )
    """Names of policies in NVML. Not among them: low utilisation, which is idling; sync boost of several cards."""

    _LIMITS = (
        ("SwPowerCap", "its power limit"),
        ("HwSlowdown", "a hardware slowdown"),
        ("SwThermalSlowdown", "heat"),
        ("HwThermalSlowdown", "heat"),
        ("HwPowerBrakeSlowdown", "the power brake"),
    )

    def __init__(self, device: torch.device, *, counters: tuple[Any, Any] | None = None) -> None:
        """
        Args:
            device: whose counters are read.
            counters: NVML's functions and the handle of the device; looked up by default.
        """
        self._nvml: Any = None
        self._handle: Any = None
        if counters is not None:
            self._nvml, self._handle = counters
            return
        with contextlib.suppress(Exception):  # no driver, no package, a card that NVML does not know
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            uuid = str(torch.cuda.get_device_properties(device).uuid)
            self._handle = nvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
            self._nvml = nvml

    counts = "idle power of the card included"
    advice = "no energy counter of the GPU can be read: it takes the package nvidia-ml-py and a card from Volta on"

    def energy_joules(self) -> float | None:
        """Since the driver was loaded (nvmlDeviceGetTotalEnergyConsumption, millijoules)."""
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

    def held_down_s(self) -> dict[str, float] | None:
        """Seconds for which each limit has held the clocks down since the driver was loaded; None without counters.

        NVML's performance policy counters, in nanoseconds: nvmlDeviceGetFieldValues of NVML_FI_DEV_PERF_POLICY_*, else
        nvmlDeviceGetViolationStatus ("how long did power violations cause the GPU to be below application clocks",
        nvmlPerfPolicyType_t). Other programs count too. The newer fields of single clocks event reasons (hardware
        slowdown, power brake) are not asked for: their numbers differ between releases of NVML, so that a package and
        a driver of different age would read another field.
        """
        found = {}
        for name, why in self._POLICIES:
            nanoseconds = self._field(f"NVML_FI_DEV_PERF_POLICY_{name}")
            if nanoseconds is None:
                status: Any = self._ask(
                    "nvmlDeviceGetViolationStatus", getattr(self._nvml, f"NVML_PERF_POLICY_{name}", None)
                )
                nanoseconds = None if status is None else int(status.violationTime)
            if nanoseconds is not None:
                found[why] = nanoseconds / 1e9
        return found or None

    def clock_limits(self) -> frozenset[str]:
        """Why the clocks are lower at this moment than they could be; being idle does not count.

        An idle card says nothing of the work before (nvmlDeviceGetCurrentClocksEventReasons): see `ClockWatch`.
        """
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
        """Driver; clocks and the highest one; power limit and the one by default. Whether clocks are locked is None,
        not known: NVML has nvmlDeviceSetGpuLockedClocks, and nothing that reads it."""
        if self._nvml is None:
            return {}
        nvml = self._nvml
        driver = None
        with contextlib.suppress(Exception):
            driver = nvml.nvmlSystemGetDriverVersion()
        clock = self._ask("nvmlDeviceGetClockInfo", getattr(nvml, "NVML_CLOCK_SM", 1))
        memory_clock = self._ask("nvmlDeviceGetClockInfo", getattr(nvml, "NVML_CLOCK_MEM", 2))
        highest = self._ask("nvmlDeviceGetMaxClockInfo", getattr(nvml, "NVML_CLOCK_SM", 1))
        limit = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        default = self._ask("nvmlDeviceGetPowerManagementDefaultLimit")
        return {
            "driver": driver.decode() if isinstance(driver, bytes) else driver,
            "sm_clock_mhz": clock,
            "memory_clock_mhz": memory_clock,
            "sm_clock_max_mhz": highest,
            "clocks_locked": None,
            "power_limit_w": None if limit is None else limit / 1e3,
            "power_limit_default_w": None if default is None else default / 1e3,
        }

    def _field(self, name: str) -> int | None:
        """Of a field that counts in whole numbers."""
        number = getattr(self._nvml, name, None)
        values: Any = None if number is None else self._ask("nvmlDeviceGetFieldValues", [number])
        if not values or values[0].nvmlReturn != 0:  # each value has a status of its own; 0 is NVML_SUCCESS
            return None
        return int(values[0].value.ullVal)

    def _ask(self, what: str, *arguments: Any) -> Any:
        if self._nvml is None:
            return None
        try:
            return getattr(self._nvml, what)(self._handle, *arguments)
        except Exception:  # not every card has every counter
            return None


class ClockWatch:
    """Which limits held a GPU's clocks down from here on: counters before and after, as the card is idle by then."""

    def __init__(self, gpu: Gpu | None) -> None:
        self._gpu = gpu
        self._began_s = time.perf_counter()
        self._before = None if gpu is None else gpu.held_down_s()
        self._seen: frozenset[str] = gpu.clock_limits() if gpu is not None and self._before is None else frozenset()

    def limits(self) -> tuple[str, ...]:
        """Those that did for more than LOWERED_LIMIT of the time; without counters those of two moments, now and
        when the watch began."""
        if self._gpu is None:
            return ()
        after = self._gpu.held_down_s()
        if self._before is None or after is None:
            return tuple(sorted(self._seen | self._gpu.clock_limits()))
        most = LOWERED_LIMIT * (time.perf_counter() - self._began_s)
        return tuple(sorted(why for why, held_s in after.items() if held_s - self._before.get(why, held_s) > most))
