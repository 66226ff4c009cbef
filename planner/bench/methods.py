"""Whole or by slices: how a planned model is measured on a device."""

from __future__ import annotations

import torch

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.bench.measurement import SLICES, WHOLE
from planner.bench.planned import Planned
from planner.costs.stages import Workload
from planner.vlm.build import free_bytes

AUTO = "auto"
METHODS = (AUTO, WHOLE, SLICES)
_ROOM = 1.15
"""Of the predicted peak, that must be free for a model to be measured whole."""


def check_method(method: str) -> None:
    """Raises InputError for a way to measure that there is not."""
    if method not in METHODS:
        raise InputError(f"method: expected {', '.join(METHODS)}, got {shown(method)}")


def check_images(workload: Workload) -> None:
    """Raises InputError for a request of text alone, whose encoder has nothing to run."""
    if not workload.images:
        raise InputError("images: expected at least 1, got 0: text alone is predicted (planner.cost), not measured")


def in_slices(method: str, wanted: Planned, device: torch.device, held_bytes: int = 0) -> bool:
    """Whether a model is to be measured by slices: as asked for, or because the whole does not fit."""
    return method == SLICES or (method == AUTO and not fits(wanted, device, held_bytes))


def fits(wanted: Planned, device: torch.device, held_bytes: int = 0) -> bool:
    """Whether a model can be measured whole on a device, of which it holds so many bytes already."""
    free = free_bytes(device)
    needed = wanted.memory(wanted.workload.generated_tokens)
    return free is None or _ROOM * float(needed.peak - needed.reserve) <= free + held_bytes
