"""From shapes to weights, piece by piece: a model on the meta device gets its random weights unit by unit.

A unit is a module that is initialised by itself: an embedding, one layer, a norm, the compressor. Only one of them need
be in memory at a time, and the weights are the same whether they are kept or written and thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, initialization

from .configuration import PlannerVlmConfig
from .modeling import PlannerVlmForConditionalGeneration
from .quecc import Compressor


def make_shell(config: PlannerVlmConfig, dtype: torch.dtype) -> PlannerVlmForConditionalGeneration:
    """The model on the meta device: every shape, no weights, no memory."""
    for part in (config, *(getattr(config, name) for name in config.sub_configs)):
        if part is not None:
            part.dtype = dtype
    with torch.device("meta"):
        return PlannerVlmForConditionalGeneration._from_config(config, dtype=dtype)


def units(model: PreTrainedModel) -> Iterator[tuple[str, nn.Module, PreTrainedModel]]:
    """The units of a model in their order: name, module, and the model whose `_init_weights` initialises it."""
    yield from _units("", model, model)


def _units(name: str, module: nn.Module, owner: PreTrainedModel) -> Iterator[tuple[str, nn.Module, PreTrainedModel]]:
    owner = module if isinstance(module, PreTrainedModel) else owner
    whole = isinstance(module, Compressor)  # small, and with any layers of its own
    if whole or not any(isinstance(part, (PreTrainedModel, nn.ModuleList)) for part in module.modules()):
        yield name, module, owner
        return
    for child_name, child in module.named_children():
        yield from _units(f"{name}.{child_name}" if name else child_name, child, owner)
    if any(True for _ in module.parameters(recurse=False)):
        raise NotImplementedError(f"{type(module).__name__} has weights beside its layers")


def tied_names(model: PreTrainedModel) -> set[str]:
    """Names of weights that are others of the model: they are neither made nor saved."""
    return {name for name, source in (model.all_tied_weights_keys or {}).items() if name != source}


@torch.no_grad()
def materialise(name: str, unit: nn.Module, owner: PreTrainedModel, device: torch.device, tied: set[str]) -> None:
    """Gives a unit on the meta device its random weights, on `device`; left alone where all of them are tied."""
    named = [f"{name}.{weight}" for weight, _ in unit.named_parameters()]
    if named and tied.issuperset(named):
        return
    unit.to_empty(device=device)
    with initialization.guard_torch_init_functions():
        for module in reversed(list(unit.modules())):  # children first: a layer may set its linear layers anew
            owner._init_weights(module)


def weights_of(name: str, unit: nn.Module, tied: set[str]) -> dict[str, Tensor]:
    """A unit's weights by their names in the whole model, as they are saved."""
    state: dict[str, Tensor] = unit.state_dict(prefix=f"{name}.")
    return {key: value for key, value in state.items() if key not in tied and value.device.type != "meta"}


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The same random numbers each time; the generators are as before afterwards."""
    cards: list[Any] = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cards):
        torch.manual_seed(seed)
        yield
