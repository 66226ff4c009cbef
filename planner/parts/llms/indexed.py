"""Latent attention to a few tokens that an indexer selects (DeepSeek-V3.2).

Letters: h width of the model, q width of the queries' latent, i heads of the indexer, d their size, t tokens selected.

The indexer scores every token before, i (2 d + 2) FLOPs a pair, and keeps d numbers of each token beside its latent.
Attention runs over the t best under `full`; transformers masks the others (counted under `torch`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms.latent import LatentAttention
from planner.parts.walk import UNLIMITED, Attention, Cache, CacheRead, Kernel, Matmul, Number, Pass


@dataclass(frozen=True, kw_only=True)
class IndexedAttention(LatentAttention):
    """Attention over the latents of selected tokens."""

    columns_if_alike: ClassVar[tuple[str, ...]] = ("query_rank", "gate_width", "index_heads")

    query_rank: int
    selected: int
    """Tokens that a query attends to at most."""
    index_heads: int
    """0: the layer attends to what the one before it selected."""
    index_dim: int

    @property
    def vectors(self) -> int:
        return super().vectors + 2 * self.index_dim * (self.index_heads > 0)

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        yield from super().walk(todo, times, gpus)
        if not np.any(self.index_heads):
            return
        h, i, d = self.hidden_size, self.index_heads, self.index_dim
        yield Matmul(todo.rows, self.query_rank, i * d, times=times, quantised=True)
        yield Matmul(todo.rows, h, d + i, times=times, quantised=True)
        width, kept = i * (d + 1) / 2, d / 2
        for part, there in todo.parts:
            if part.step:
                yield CacheRead(times * there, part.seen(), width, kept, reads=part.rows)
            else:
                sizes = (part.sequences, part.new_tokens, part.cached_tokens)
                yield Attention.causal(times * there, *sizes, width, kept)

    def attend(self, todo: Pass, times: Number, gpus: Number) -> Iterator[Kernel]:
        for kernel in super().attend(todo, times, gpus):
            seen = todo.seen(1.0 * self.selected)
            if isinstance(kernel, CacheRead):
                yield replace(kernel, tokens=seen, unmasked_tokens=todo.seen())
            elif isinstance(kernel, Attention):
                yield replace(kernel, pairs=seen)
            else:
                yield kernel

    def cache(self, times: Number, gpus: Number = 1.0) -> Cache | None:
        index = self.index_dim if np.any(self.index_heads) else 0
        return Cache(times * (self.latent + self.rotated + index) * np.ones_like(gpus), UNLIMITED)  # whole on each GPU
