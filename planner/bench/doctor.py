"""What is here and what is missing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from importlib import metadata
from typing import Any

from planner.hardware import host_name

_NEEDS = {
    "fit, plan, report": ("numpy", "scipy", "lmfit", "pandas", "matplotlib", "rich", "typer"),
    "build, ask, measure, verify": ("torch", "transformers", "accelerate", "safetensors", "pillow", "psutil"),
    "GGUF files as weights": ("gguf",),
    "a GPU's energy, clocks and memory": ("nvidia-ml-py",),
    "explore": ("starlette", "uvicorn"),
    "--latency-source silicon": ("aiconfigurator-core",),
    "posterior chains": ("emcee",),
}
"""What for -> distributions."""
_EXTRAS = {
    "build, ask, measure, verify": "vlm",
    "GGUF files as weights": "vlm",
    "a GPU's energy, clocks and memory": "vlm",
    "explore": "app",
    "posterior chains": "chain",
}


def doctor() -> dict[str, Any]:
    """What is installed, what each verb needs, which device would be measured, and how to hold it still meanwhile
    ("steady"), as plain JSON types."""
    uses = {use: {name: _version(name) for name in names} for use, names in _NEEDS.items()}
    content: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": host_name(),
        "cores": os.cpu_count(),
        "packages": uses,
        "advice": [
            f"{use}: pip install 'vlm-planner[{_EXTRAS[use]}]'"
            for use, found in uses.items()
            if use in _EXTRAS and None in found.values()
        ],
        "compiler": shutil.which("cc") or shutil.which("gcc"),
        "device": _device(),
    }
    content["steady"] = (content["device"] or {}).pop("steady", [])
    if content["compiler"] is None:
        content["advice"].append("--mode compile: needs a C compiler, such as gcc")
    return content


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _device() -> dict[str, Any] | None:
    """What PyTorch would use; None without PyTorch."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        return None
    import torch

    from planner.bench.devices import recognise
    from planner.bench.environment import environment
    from planner.bench.meters import Gpu
    from planner.bench.rapl import Rapl
    from planner.bench.steady import steady_advice
    from planner.vlm.build import default_device, free_bytes, read_device

    place = read_device(default_device())
    gpu = Gpu(place) if place.type == "cuda" else None
    counter = gpu or Rapl()
    facts = environment(place, "bf16" if gpu else "fp32", "eager", gpu)
    card = recognise(facts)
    kept = (
        *("device", "device_type", "driver", "cuda", "device_memory_bytes", "threads", "power_limit_w"),
        *("power_limit_default_w", "sm_clock_max_mhz", "clocks_locked", "governor", "turbo"),
    )
    return {
        **{name: facts[name] for name in kept if name in facts},
        "devices": torch.cuda.device_count() if place.type == "cuda" else 1,
        "free_bytes": free_bytes(place),
        "catalogue": None if card is None else card.name,
        "counters": counter.energy_joules() is not None,
        "counters_advice": counter.advice,
        "steady": list(steady_advice(facts)),
    }
