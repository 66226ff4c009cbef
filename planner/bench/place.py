"""Where models are measured: which devices can be, and their memory given back."""

from __future__ import annotations

import gc

import torch

from planner.base.errors import InputError
from planner.bench.ranks import local_device
from planner.vlm.build import default_device, free_bytes, read_device


def free_memory() -> None:
    """Gives back what a model that is no longer used took."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def room_bytes(device: torch.device, most: int) -> int:
    """What a test may take of a device's memory where a model is there too: an eighth of what is free, at most so
    much."""
    return min(most, (free_bytes(device) or 8 * most) // 8)


def measurable_device(device: str | torch.device | None) -> torch.device:
    """The CPU or a GPU, by default a GPU where there is one. Raises InputError for any other device."""
    place = read_device(device or local_device() or default_device())
    if place.type not in ("cpu", "cuda"):
        raise InputError(f"device: expected cpu, cuda or cuda:1 to measure on, got {place}")
    return place
