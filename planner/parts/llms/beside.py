"""Layers that attend to images which stand beside the sequence (Llama 3.2 Vision).

An image is no part of the sequence: its keys and values are computed once, when the prompt comes in, and every token
attends to all of them. Without an image such a layer is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms.block import Block, uneven, uneven_attention
from planner.parts.walk import Attention, Cache, CacheRead, Kernel, Matmul, Number, Pass


@dataclass(frozen=True, kw_only=True)
class ImageLayer(Block):
    """Attention to the tokens of images, and a gated MLP behind it."""

    columns_if_alike: ClassVar = ()

    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    width: int
    """Of the MLP."""

    @property
    def vectors(self) -> int:
        return 2 * self.head_dim + 2  # norms of queries and keys, two gates

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        h, width, share = self.hidden_size, self.width / gpus, np.minimum(gpus, self.num_kv_heads)
        w, u = self.num_heads * self.head_dim / gpus, self.num_kv_heads * self.head_dim / share
        seen = todo.image_tokens
        rows = todo.rows * np.where(np.asarray(seen) > 0, 1.0, 0.0)
        for k, n in ((h, w), (w, h), (h, 2 * width), (width, h)):
            yield Matmul(rows, k, n, times=times, quantised=True)
        new = 0.0 if todo.step else todo.sequences * seen
        yield Matmul(new, h, 2 * u, times=times, quantised=True)
        for part, there in todo.parts:
            pairs = part.rows * seen
            if part.step:
                yield CacheRead(times * there, pairs, w, u, reads=part.rows)
            else:
                yield Attention(times * there, part.rows, pairs, pairs, w, u, 1.0)

    def cache(self, times: Number, gpus: Number = 1.0) -> Cache | None:
        kept = 2 * times * self.num_kv_heads * self.head_dim / np.minimum(gpus, self.num_kv_heads)
        return Cache(0.0, values_per_image_token=kept)

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return 3.0 * self.width / gpus

    def alive_values(self, gpus: Number = 1.0) -> Number:
        widest: Number = np.maximum(3 * self.width, 3 * self.num_heads * self.head_dim)
        return widest / gpus

    def obstacle(self, gpus: int) -> str:
        return uneven_attention(self.num_heads, self.num_kv_heads, gpus) or uneven(gpus, (self.width, "an MLP of {}"))
