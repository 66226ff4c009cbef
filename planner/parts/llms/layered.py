"""Decoders whose layers are made of blocks and may differ: experts, hybrids, latent attention, shared caches.

layer    its blocks, one after the other, each behind a norm, and added to the residual
model    embedding, layers, norm, output head
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Self

import numpy as np

from planner.base.errors import SpecError
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
        h, blocks = self.hidden_size, list(self._blocks)
        moved = sum((count * (4.0 * h + block.moved_values(gpus)) for count, block in blocks), 0.0)
        parts = sum(count for count, _ in blocks)
        yield Elementwise(todo.rows, moved, launches=1.5 * parts)
        yield Gather(todo.rows, h)
        yield AllReduce(todo.rows, h, gpus, times=parts + 1.0)
        if todo.logits:
            yield Matmul(todo.logit_rows, h, self.vocab_size / gpus)

    def _layers(self, todo: Pass, gpus: Number) -> Iterator[Kernel]:
        for count, block in self._blocks:
            yield from block.walk(todo, float(count), gpus)

    def caches(self, gpus: Number = 1.0) -> tuple[Cache, ...]:
        found = (block.cache(float(count), gpus) for count, block in self._blocks)
        return tuple(one for one in found if one is not None)

    def activation_values(self, gpus: Number = 1.0) -> Number:
        """Residual and norm, and what the widest block keeps alive."""
        widest: Number = 0.0
        for _, block in self._blocks:
            widest = np.maximum(widest, block.alive_values(gpus))
        return 2 * self.hidden_size + widest
