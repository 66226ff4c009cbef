"""Multi-head latent attention: keys and values are kept as one latent of each token, shared by all heads (DeepSeek-V2).

Letters: h width of the model, a heads, n and r the parts of a query without and with rotation, v size of a value, l
width of the latent. Of a token l + r numbers are kept.

Prefill expands the latents of the tokens that it sees, a (n + v) numbers each. A decode step has no need to: the
matrix that expands is applied to the query and to what attention yields instead, so that a pair costs a (2 l + r)
multiply-adds (counted under `full`; transformers expands all latents anew in every step, counted under `torch`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms.block import Block, uneven
from planner.parts.walk import UNLIMITED, Attention, Cache, CacheRead, Kernel, Matmul, Number, Pass


@dataclass(frozen=True, kw_only=True)
class LatentAttention(Block):
    """Attention over latents."""

    columns_if_alike: ClassVar[tuple[str, ...]] = ("query_rank", "gate_width")

    hidden_size: int
    num_heads: int
    query_rank: int | None
    """Width of the latent that queries are made of; None: they are made of the token itself."""
    latent: int
    rotated: int
    plain: int
    value: int
    bias: bool = False
    """Of the projections into latents and of the output's."""
    extra_vectors: int = 0
    gate_width: int = 0
    """Outputs of a matrix that gates what attention yields."""

    @property
    def _query_latent(self) -> int:
        return 0 if self.query_rank is None else self.query_rank

    @property
    def vectors(self) -> int:
        norms = self.latent + self._query_latent
        into = self.latent + self.rotated + self._query_latent
        return norms + self.bias * (into + self.hidden_size) + self.extra_vectors

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        h, rows, heads = self.hidden_size, todo.rows, self.num_heads / gpus
        size = self.plain + self.rotated
        if self.query_rank is None:
            yield Matmul(rows, h, heads * size, times=times, quantised=True)
        else:
            yield Matmul(rows, h, self.query_rank, times=times, quantised=True)
            yield Matmul(rows, self.query_rank, heads * size, times=times, quantised=True)
        yield Matmul(rows, h, self.latent + self.rotated, times=times, quantised=True)
        if np.any(self.gate_width):
            yield Matmul(rows, h, self.gate_width / gpus, times=times, quantised=True)
        yield Matmul(rows, heads * self.value, h, times=times, quantised=True)
        for part, there in todo.parts:
            seen = part.seen() if part.step else part.sequences * (part.cached_tokens + part.new_tokens)
            yield Matmul(
                part.rows if part.step else seen,
                self.latent,
                heads * (self.plain + self.value),
                times=times * there,
                quantised=True,
                unmasked_rows=seen,
            )
            yield from self.attend(part, times * there, gpus)

    def attend(self, todo: Pass, times: Number, gpus: Number) -> Iterator[Kernel]:
        """Scores and mixes."""
        heads, size = self.num_heads / gpus, self.plain + self.rotated
        expanded, kept = heads * (size + self.value) / 2, (self.latent + self.rotated) / 2
        if todo.step:
            absorbed = heads * (2 * self.latent + self.rotated) / 2
            yield CacheRead(times, todo.seen(), absorbed, kept, unmasked_width=expanded, reads=todo.rows)
        else:
            sizes = (todo.sequences, todo.new_tokens, todo.cached_tokens)
            yield Attention.causal(times, *sizes, expanded, expanded)

    def cache(self, times: Number, gpus: Number = 1.0) -> Cache | None:
        return Cache(times * (self.latent + self.rotated) * np.ones_like(gpus), UNLIMITED)  # whole on each GPU

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return 2.0 * (self.latent + self._query_latent)

    def alive_values(self, gpus: Number = 1.0) -> Number:
        size = 2 * (self.plain + self.rotated) + self.value
        return self.latent + self.rotated + self._query_latent + 2 * self.num_heads * size / gpus

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.num_heads, "{} heads"))
