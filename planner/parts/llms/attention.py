"""Grouped-query attention with what decoders put around it: windows, chunks, gates, borrowed keys and values.

Letters: h width of the model, w query heads x size of a key, u key/value heads x size of a key; w' and u' with the size
of a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms.block import Block, uneven_attention
from planner.parts.walk import Attention, Cache, CacheRead, Kernel, Matmul, Number, Pass


@dataclass(frozen=True, kw_only=True)
class GroupedAttention(Block):
    """Attention over the tokens of a sequence."""

    columns_if_alike: ClassVar = ("window", "value_dim", "chunked", "key_is_value", "borrows", "sees_whole_prompt")

    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    """Size of a query and of a key."""
    value_dim: int | None = None
    """Size of a value; None: as a key's."""
    window: float | None = None
    """Tokens that a token sees, itself included; None: all."""
    chunked: bool = False
    """Whether the window does not slide, but starts anew every `window` tokens."""
    gate_width: int = 0
    """Outputs of a matrix that gates what attention yields: w' number by number, or the heads."""
    gate_bias: bool = False
    qkv_bias: bool = False
    o_bias: bool = False
    qk_norm: bool = False
    extra_vectors: int = 0
    """Norms of queries and keys, sinks, and what else it has besides its biases."""
    key_is_value: bool = False
    """Whether values are made of keys, without a matrix of their own; both are cached."""
    borrows: bool = False
    """Whether it reads the keys and values of an earlier layer, and makes and keeps none."""
    sees_whole_prompt: bool = False
    """Whether the tokens of a prompt see those behind them too."""

    @property
    def _widths(self) -> tuple[int, int, int, int]:
        value = self.head_dim if self.value_dim is None else self.value_dim
        keys = 0 if self.borrows else self.num_kv_heads * self.head_dim
        values = 0 if self.borrows else self.num_kv_heads * value
        return self.num_heads * self.head_dim, self.num_heads * value, keys, values

    @property
    def vectors(self) -> int:
        w, _, keys, values = self._widths
        qkv = w + keys + (0 if self.key_is_value else values)
        return (
            self.extra_vectors + self.gate_bias * self.gate_width + self.qkv_bias * qkv + self.o_bias * self.hidden_size
        )

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        h, share = self.hidden_size, np.minimum(gpus, self.num_kv_heads)
        w, wv, keys, values = self._widths
        made = keys + (0 if self.key_is_value else values)
        yield Matmul(todo.rows, h, (w + self.gate_width) / gpus + made / share, times=times, quantised=True)
        yield Matmul(todo.rows, wv / gpus, h, times=times, quantised=True)
        width, kept = (w + wv) / 2 / gpus, (keys + values) / 2 / share
        if self.borrows:
            kept = self.num_kv_heads * (w + wv) / (2 * self.num_heads) / share
        window = np.inf if self.window is None else self.window
        for part, there in todo.parts:
            if part.step:
                seen, held = part.seen(window, chunked=self.chunked), part.seen(window)
                yield CacheRead(times * there, seen, width, kept, unmasked_tokens=held, reads=part.rows)
            else:
                yield Attention.causal(
                    times * there,
                    part.sequences,
                    part.new_tokens,
                    part.cached_tokens,
                    width,
                    kept,
                    window=window,
                    qk_norm=1.0 * self.qk_norm,
                    chunked=self.chunked,
                    both_ways=self.sees_whole_prompt,
                )

    def cache(self, times: Number, gpus: Number = 1.0) -> Cache | None:
        if self.borrows:
            return None
        _, _, keys, values = self._widths
        share = np.minimum(gpus, self.num_kv_heads)
        return Cache(times * (keys + values) / share, np.inf if self.window is None else self.window)

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return 0.0

    def alive_values(self, gpus: Number = 1.0) -> Number:
        w, wv, keys, values = self._widths
        return (2 * w + wv + 2 * keys + values + self.gate_width) / gpus

    def obstacle(self, gpus: int) -> str:
        return uneven_attention(self.num_heads, self.num_kv_heads, gpus)
