"""A released model's stages as calls: tower alone, connector alone, decoder; whatever its kind.

The tower's work and the connector's are told apart by where the connector's modules stand. A first pass records what
these are called with and what they give; then the tower runs with the recorded results in their place, and the
connector runs on the recorded inputs. Layers of the tower behind the one whose features are used are left out, as
engines do.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.configuration import ReleasedModel
from planner.make.pixels import PixelMaker
from planner.parts.encoders.transformer import TransformerEncoder


@dataclass(frozen=True)
class Call:
    """One call of a module of the connector."""

    module: nn.Module
    positional: tuple[Any, ...]
    named: dict[str, Any]
    result: Any


class VisionSide:
    """Tower and connector of a built model."""

    def __init__(self, model: Any, maker: PixelMaker) -> None:
        self.model, self._maker = model, maker
        self._modules = connector_modules(model, maker)

    def features(self, inputs: dict[str, Tensor]) -> Any:
        """Tower and connector over the images of some prompts."""
        return self._maker.image_features(self.model, inputs)

    def recorded(self, inputs: dict[str, Tensor]) -> list[Call]:
        """What the connector is called with, in its order."""
        calls: list[Call] = []

        def keep(module: nn.Module, positional: Any, named: Any, result: Any) -> None:
            calls.append(Call(module, positional, named, copy.copy(result)))  # the model may put more into it

        hooks = [module.register_forward_hook(keep, with_kwargs=True) for module in self._modules]
        try:
            self.features(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return calls

    def tower(self, inputs: dict[str, Tensor], calls: list[Call]) -> Any:
        """The tower alone: the connector's results are those of before."""
        results = {module: iter([call.result for call in calls if call.module is module]) for module in self._modules}
        with _replaced({module: _next_of(results[module]) for module in self._modules}):
            return self.features(inputs)

    @staticmethod
    def connector(calls: list[Call]) -> list[Any]:
        """The connector alone."""
        return [call.module(*call.positional, **call.named) for call in calls]


def connector_modules(model: Any, maker: PixelMaker) -> list[nn.Module]:
    """The connector's modules; of a list of modules each."""
    found: list[nn.Module] = []
    for path in maker.connectors:
        module = model.base_model.get_submodule(path)
        found += list(module) if isinstance(module, nn.ModuleList) else [module]
    return found


def leave_out_unused_layers(model: Any, released: ReleasedModel, maker: PixelMaker) -> None:
    """Unused modules do nothing, nor do layers of the tower behind the one whose features are used; weights stay."""
    for path in maker.unused:
        model.base_model.get_submodule(path).forward = _nothing
    encoder = released.checkpoint.encoder
    if not isinstance(encoder, TransformerEncoder) or encoder.layers_run == encoder.layers:
        return
    tower = maker.tower(model)
    stacks = [part for part in tower.modules() if isinstance(part, nn.ModuleList) and len(part) == encoder.layers]
    if len(stacks) != 1:
        raise InputError(
            f"{released.checkpoint.name}: expected one stack of {encoder.layers} layers in its tower, got {len(stacks)}"
        )
    for layer in list(stacks[0])[encoder.layers_run :]:
        layer.forward = _passed_on


def _passed_on(hidden_states: Tensor, *others: Any, **named: Any) -> Tensor:
    return hidden_states


def _nothing(*positional: Any, **named: Any) -> None:
    return None


def _next_of(results: Iterator[Any]) -> Any:
    def given(*positional: Any, **named: Any) -> Any:
        return copy.copy(next(results))

    return given


@contextmanager
def _replaced(calls: dict[nn.Module, Any]) -> Iterator[None]:
    """Modules answer by other functions."""
    for module, call in calls.items():
        module.forward = call
    try:
        yield
    finally:
        for module in calls:
            del module.forward  # the class's own again


def random_numbers(device: torch.device, dtype: torch.dtype, seed: int) -> Any:
    """Shape -> normally distributed numbers."""
    source = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        if device.type == "meta":
            return torch.empty(shape, device=device, dtype=dtype)
        return torch.randn(shape, generator=source).to(device, dtype)

    return normal
