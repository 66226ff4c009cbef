"""Where a measurement was made."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from planner.bench.meters import Gpu
from planner.bench.power import host_clocks
from planner.hardware import host_name

_PACKAGES = ("torch", "transformers", "numpy")


def environment(device: torch.device, precision: str, mode: str, gpu: Gpu | None = None) -> dict[str, Any]:
    """Device, driver, clocks, versions, and when: plain JSON types."""
    on_gpu = device.type == "cuda"
    facts: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if on_gpu else host_name(),
        "device_type": device.type,
        "precision": precision,
        "mode": mode,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        **host_clocks(),
        "device_memory_bytes": _memory_bytes(device),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _PACKAGES},
        "vlm_planner": _own_version(),
        "commit": _commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if on_gpu:
        facts |= {
            "cuda": torch.version.cuda,
            **(gpu or Gpu(device)).facts(),
        }
    return facts


def _memory_bytes(device: torch.device) -> int:
    """All that the driver reports, or that the host has."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    import psutil

    return int(psutil.virtual_memory().total)


def _own_version() -> str:
    try:
        return metadata.version("vlm-planner")
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str | None:
    """Of the checkout that this package runs from; None elsewhere."""
    here = Path(__file__).parent
    if not (here.parents[1] / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
