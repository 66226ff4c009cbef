"""One model shared among several devices: every process of torchrun holds its part and runs the same calls."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from planner.base.errors import InputError, MeasurementError
from planner.base.quantities import shown
from planner.vlm import PlannerVlmForConditionalGeneration
from planner.vlm.build import build_recipe, make_processor
from planner.vlm.build_time import watched
from planner.vlm.recipe import Recipe
from planner.vlm.saving import save_model


def rank() -> int:
    """Which process this is, 0 where there is only one: the one that prints and writes."""
    return _number("RANK", 0)


def world_size() -> int:
    """Processes that torchrun started, 1 without it."""
    return _number("WORLD_SIZE", 1)


def _number(variable: str, default: int) -> int:
    """What torchrun says. Raises InputError."""
    text = os.environ.get(variable, str(default))
    if not text.isascii() or not text.isdigit():
        raise InputError(f"{variable}: expected the number that torchrun sets, got {shown(text)}")
    return int(text)


def local_device() -> str | None:
    """Of this process: the GPU of its number on this machine; None where there is none or one process only."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if world_size() > 1 and torch.cuda.is_available() else None


def need_ranks(count: int) -> None:
    """Raises InputError, with the command, where a model needs more or fewer processes than there are."""
    if count != world_size():
        there = "one process runs" if world_size() == 1 else f"{world_size()} processes run"
        start = (
            "run it without torchrun" if count == 1 else f"torchrun --nproc-per-node {count} --no-python vlm-planner"
        )
        more = "" if count == 1 else " verify ..."
        raise MeasurementError(f"the plan shares the LLM among {count} devices, here {there}: {start}{more}")


@watched
def build_shared(recipe: Recipe, precision: str, seed: int = 0) -> PlannerVlmForConditionalGeneration:
    """The model with random weights, the LLM sharded over all processes by its own tensor-parallel plan.

    The first process writes it to a temporary folder, which all of them read, layer by layer.
    """
    from transformers import AutoModelForImageTextToText
    from transformers.distributed.configuration_utils import DistributedConfig

    dist: Any = torch.distributed
    if not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    place = [tempfile.mkdtemp(prefix="vlm-planner-") if rank() == 0 else None]
    dist.broadcast_object_list(place)
    folder = Path(str(place[0]))
    try:
        if rank() == 0:
            shell = build_recipe(recipe, {}, dtype=precision, device="meta", seed=seed)
            save_model(shell, make_processor(shell, {}), folder / "model", seed=seed)
        dist.barrier()
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder / "model", dtype="auto", distributed_config=DistributedConfig(tp_plan="auto"), local_files_only=True
        )
        dist.barrier()
    finally:
        if rank() == 0:
            shutil.rmtree(folder, ignore_errors=True)
    return model.eval()


def local(weight: Tensor) -> Tensor:
    """This process's part of a weight; the whole where it is not shared."""
    part: Any = weight
    return part.to_local() if hasattr(part, "to_local") else weight
