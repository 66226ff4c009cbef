"""A kind of language model from outside the package: every sixth layer sees all tokens, the others a window (Gemma 3).

Letters: h width, q of queries, u of keys and values, f of the MLP, all of one GPU.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from planner.parts import walk as w
from planner.parts.llms import Llm
from planner.parts.walk import Number


@dataclass(frozen=True, kw_only=True)
class Striped(Llm):
    """Grouped-query attention and a gated MLP; tied embeddings, two norms a layer and one at the end."""

    num_kv_heads: int
    head_size: int
    mlp_width: int
    window: int
    period: int = 6

    @property
    def kinds(self) -> tuple[tuple[int, float], ...]:
        whole = self.num_layers // self.period
        return (self.num_layers - whole, self.window), (whole, w.UNLIMITED)

    @property
    def params(self) -> int:
        norms = (2 * self.num_layers + 1) * self.hidden_size
        return self.linear_params + self.vocab_size * self.hidden_size + norms

    def widths(self, gpus: Number) -> tuple[Number, Number, Number]:
        share = np.minimum(gpus, self.num_kv_heads)
        return self.num_heads * self.head_size / gpus, self.num_kv_heads * self.head_size / share, self.mlp_width / gpus

    def walk(self, todo: w.Pass, gpus: Number = 1.0) -> Iterator[w.Kernel]:
        h, rows, (q, u, f) = self.hidden_size, todo.rows, self.widths(gpus)
        for k, n in ((h, q + 2 * u), (q, h), (h, 2 * f), (f, h)):
            yield w.Matmul(rows, k, n, times=self.num_layers, quantised=True)
        for layers, window in self.kinds:
            new = (todo.sequences, todo.new_tokens, todo.cached_tokens)
            if todo.step:
                yield w.CacheRead(layers, todo.seen(window), q, u)
            else:
                yield w.Attention.causal(layers, *new, q, u, window=window)
        yield w.Elementwise(rows, self.num_layers * (8 * h + 3 * f), launches=3 * self.num_layers)
        yield w.Gather(rows, h)
        yield w.AllReduce(rows, h, gpus, times=2 * self.num_layers + 1)
        if todo.logits:
            yield w.Matmul(todo.logit_rows, h, self.vocab_size / gpus)

    def caches(self, gpus: Number = 1.0) -> tuple[w.Cache, ...]:
        return tuple(w.Cache(2 * layers * self.widths(gpus)[1], window) for layers, window in self.kinds)

    def activation_values(self, gpus: Number = 1.0) -> Number:
        return 2 * self.hidden_size + 3 * self.mlp_width / gpus
