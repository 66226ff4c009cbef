"""The torch module of the resampler from outside the package: what its `built_as` names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from planner.vlm import Compressor


class Layer(nn.Module):
    """Cross attention of queries (B, V, d) to patches (B, P, d), then an MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, queries: Tensor, patches: Tensor) -> Tensor:
        given = (self.q(self.norms[0](queries)), self.k(patches), self.v(patches))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in given)  # (B, h, V or P, d/h)
        queries = queries + self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2))
        return queries + self.mlp(self.norms[1](queries))


class ResamplerModule(Compressor):
    """So many layers, any number of queries."""

    def __init__(self, *, width: int, grid_side: int, visual_tokens: int, layers: int) -> None:
        super().__init__(width=width, grid_side=grid_side, visual_tokens=visual_tokens)
        self.queries = nn.Parameter(torch.empty(visual_tokens, width))
        self.layers = nn.ModuleList(Layer(width, heads=8) for _ in range(layers))

    def reset_parameters(self) -> None:
        nn.init.normal_(self.queries, std=0.02)

    @classmethod
    def check_tokens(cls, grid_side: int, visual_tokens: int) -> None:
        if visual_tokens < 1:
            raise ValueError(f"visual_tokens: expected 1 or more, got {visual_tokens}")

    def forward(
        self, x: Tensor, levels: Sequence[Tensor] = (), text: Tensor | None = None, visual_tokens: int | None = None
    ) -> Tensor:
        tokens = self.queries[: self.tokens_of(visual_tokens)].expand(len(x), -1, -1)
        for layer in self.layers:
            tokens = layer(tokens, x)
        return tokens
