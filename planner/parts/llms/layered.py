"""Decoders whose layers are made of blocks and may differ: experts, hybrids, latent attention, shared caches.

layer    its blocks, one after the other, each behind a norm, and added to the residual
model    embedding, layers, norm, output head
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Self, TypeAlias

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.parts.columns import columns
from planner.parts.llms.base import Llm
from planner.parts.llms.block import Block
from planner.parts.stored import Part
from planner.parts.walk import (
    AllReduce,
    Cache,
    Elementwise,
    Gather,
    Kernel,
    Matmul,
    Number,
    Pass,
    stored_weights,
)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One kind of layer."""

    blocks: tuple[Annotated[Block, Part(Block)], ...]
    vectors: int = 0
    """Parameters of its norms, and others that no matrix product takes."""


@dataclass(frozen=True, kw_only=True)
class Layered(Llm):
    """A decoder by its layers."""

    kinds: tuple[Layer, ...]
    """Kinds of layers."""
    order: tuple[int, ...]
    """Of each layer, which of the kinds it is."""
    tied_embeddings: bool
    """Whether the output head is the input embedding."""
    other_params: int = 0
    """Parameters outside of layers, embedding and head: the last norm, learned positions, bias of the head."""
    around: tuple[Annotated[Block, Part(Block)], ...] = ()
    """Blocks that run once, before or behind the layers."""

    def __post_init__(self) -> None:
        if len(self.order) != self.num_layers or not set(self.order) <= set(range(len(self.kinds))):
            raise SpecError(
                f"{self.name}: expected one of {len(self.kinds)} kinds for each of {self.num_layers} layers"
            )

    @cached_property
    def groups(self) -> tuple[tuple[int, Layer], ...]:
        """How many layers of each kind there are."""
        counted = Counter(self.order)
        return tuple((counted[kind], self.kinds[kind]) for kind in sorted(counted))

    @cached_property
    def runs(self) -> tuple[tuple[Number, Block], ...]:
        """Each block in the order of the walk, behind how often it runs."""
        return tuple((float(count), block) for count, block in self._blocks)

    @property
    def _blocks(self) -> Iterator[tuple[int, Block]]:
        for count, layer in self.groups:
            for block in layer.blocks:
                yield count, block
        for block in self.around:
            yield 1, block

    # ---- sizes -------------------------------------------------------------------------------------------------------

    @property
    def embedding_params(self) -> int:
        """Weights of the input embedding."""
        return self.hidden_size * self.vocab_size

    @property
    def table_params(self) -> Number:
        return self.embedding_params + sum(count * block.table_params for count, block in self._blocks)

    @property
    def head_params(self) -> Number:
        return 0 if self.tied_embeddings else self.embedding_params

    @cached_property
    def params(self) -> int:
        """Exact count of distinct parameters, equal to that of the Hugging Face model."""
        matrices = sum(stored_weights(self._layers(Pass(1.0, 1.0), 1.0), quantised=one) for one in (True, False))
        vectors = sum(count * block.vectors for count, block in self._blocks)
        vectors += sum(count * layer.vectors for count, layer in self.groups)
        heads = 1 if self.tied_embeddings else 2
        return int(matrices) + vectors + heads * self.embedding_params + self.other_params

    @property
    def images_beside(self) -> bool:
        return any(np.any(one.values_per_image_token) for one in self.caches())

    @property
    def expert_params(self) -> int:
        return sum(count * block.expert_params for count, block in self._blocks)

    @property
    def active_params(self) -> int:
        return self.params - sum(count * block.idle_expert_params for count, block in self._blocks)

    def with_layers(self, layers: int) -> Self:
        return replace(self, num_layers=layers, order=self.order[:layers])

    def obstacle(self, gpus: int) -> str:
        return next((found for _, block in self._blocks if (found := block.obstacle(gpus))), "")

    # ---- what runs ---------------------------------------------------------------------------------------------------

    def walk(self, todo: Pass, gpus: Number = 1.0) -> Iterator[Kernel]:
        yield from self._layers(todo, gpus)
        h = self.hidden_size
        moved: Number = sum((count * (4.0 * h + block.moved_values(gpus)) for count, block in self.runs), 0.0)
        parts: Number = sum((count for count, _ in self.runs), 0.0)
        extra: Number = sum((count * block.extra_launches for count, block in self.runs if block.extra_launches), 0.0)
        yield Elementwise(todo.rows, moved, launches=1.5 * parts + extra)
        yield Gather(todo.rows, h)
        yield AllReduce(todo.rows, h, gpus, times=parts + 1.0)
        if todo.logits:
            yield Matmul(todo.logit_rows, h, self.vocab_size / gpus, head=True)

    def _layers(self, todo: Pass, gpus: Number) -> Iterator[Kernel]:
        for count, block in self.runs:
            yield from block.walk(todo, count, gpus)

    def caches(self, gpus: Number = 1.0) -> tuple[Cache, ...]:
        found = (block.cache(count, gpus) for count, block in self.runs)
        return tuple(one for one in found if one is not None)

    def activation_values(self, gpus: Number = 1.0) -> Number:
        """Residual and norm, and what the widest block keeps alive."""
        widest: Number = 0.0
        for count, block in self.runs:
            widest = np.maximum(widest, (count > 0) * block.alive_values(gpus))
        return 2 * self.hidden_size + widest

    # ---- many in one go ----------------------------------------------------------------------------------------------

    @cached_property
    def stack_key(self) -> Hashable:
        """Equal for models whose blocks can be costed side by side, whatever blocks each of them has.

        Equal must be what a walk says of all its kernels together: whether its first product is quantised, and whether
        images stand beside the sequence.
        """
        if type(self) is not Layered or any(block.stack_key is None for _, block in self.runs):
            return self
        products = (kernel.quantised for kernel in self._layers(Pass(1.0, 1.0), 1.0) if isinstance(kernel, Matmul))
        return Layered, next(products, False), self.images_beside

    @classmethod
    def columns(cls, llms: Sequence[Layered], shape: tuple[int, ...] = (-1, 1)) -> Layered:
        """One object that stands for many: its blocks are those of all, each as often as each model runs it."""
        models = list({id(llm): llm for llm in llms}.values())
        position = {id(llm): place for place, llm in enumerate(models)}
        places = np.array([position[id(llm)] for llm in llms])

        def column(values: Sequence[Number]) -> Any:
            return np.array(values, float)[places].reshape(shape)

        runs = []
        for slot in _side_by_side([llm.runs for llm in models]):
            found = [slot.get(place) for place in range(len(models))]
            some = next(iter(slot.values()))[1]  # in place of the block of a model that has none: it runs 0 times
            blocks = [some if one is None else one[1] for one in found]
            runs.append((column([0.0 if one is None else one[0] for one in found]), columns(blocks, shape, places)))
        return _Columns(
            name=f"{len(models)} models",
            family="",
            nominal_params=column([llm.nominal_params for llm in models]),
            hidden_size=column([llm.hidden_size for llm in models]),
            num_layers=column([llm.num_layers for llm in models]),
            num_heads=column([llm.num_heads for llm in models]),
            vocab_size=column([llm.vocab_size for llm in models]),
            kinds=(),
            order=(),
            tied_embeddings=False,
            stacked_runs=tuple(runs),
            stacked_params=column([llm.params for llm in models]),
            stacked_tables=column([llm.table_params for llm in models]),
            stacked_heads=column([llm.head_params for llm in models]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns(Layered):
    stacked_runs: tuple[tuple[Number, Block], ...]
    stacked_params: Any
    stacked_tables: Any
    stacked_heads: Any

    def __post_init__(self) -> None:
        """Its layers are those of many models."""

    @cached_property
    def runs(self) -> tuple[tuple[Number, Block], ...]:
        return self.stacked_runs

    @property
    def params(self) -> Any:
        return self.stacked_params

    @property
    def table_params(self) -> Any:
        return self.stacked_tables

    @property
    def head_params(self) -> Any:
        return self.stacked_heads

    @property
    def linear_params(self) -> Any:
        return self.quantised_params


_Run: TypeAlias = tuple[Number, Block]


def _side_by_side(models: Sequence[Sequence[_Run]]) -> list[dict[int, _Run]]:
    """Blocks of models in places that stand in an order all of them keep: in each place those of one `stack_key`, by
    the model's number. A model takes the first place that suits, or a new one."""
    keys: list[Hashable] = []
    found: list[dict[int, _Run]] = []
    for model in sorted(range(len(models)), key=lambda model: -len(models[model])):
        at = 0
        for count, block in models[model]:
            key = block.stack_key
            if key in keys[at:]:
                at = keys.index(key, at)
            else:
                keys.insert(at, key)
                found.insert(at, {})
            found[at][model] = count, block
            at += 1
    return found
