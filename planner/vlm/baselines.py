"""What QueCC is compared with, behind its interface: no compressor, average pooling, TokenPacker.

    none          every patch is a visual token (LLaVA-1.5)
    average-pool  a token is the mean of its region
    matryoshka    the same, one model for every admissible number of tokens (arXiv 2405.17430): nested averages
    tokenpacker   local cross-attention whose queries are the patches, interpolated (arXiv 2407.02392): query-blind

Letters as in `quecc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor, nn
from torch.nn import functional

from .attention import RegionAttention
from .quecc import NORM_EPS, Compressor, QueCC, by_region, region_side, token_mlp
from .table import Table


class AllPatches(Compressor):
    """No compression: the projector's MLP maps all P patches."""

    def __init__(self, *, width: int, grid_side: int, visual_tokens: int | None = None) -> None:
        super().__init__(
            width=width,
            grid_side=grid_side,
            visual_tokens=self.tokens_by_default(grid_side) if visual_tokens is None else visual_tokens,
        )

    @classmethod
    def tokens_by_default(cls, grid_side: int) -> int:
        return grid_side * grid_side

    @classmethod
    def check_tokens(cls, grid_side: int, visual_tokens: int) -> None:
        super().check_tokens(grid_side, visual_tokens)
        if visual_tokens != grid_side * grid_side:
            raise ValueError(
                f"without a compressor all {grid_side * grid_side} patches are visual tokens, got {visual_tokens}"
            )

    def forward(
        self, x: Tensor, levels: Sequence[Tensor] = (), text: Tensor | None = None, visual_tokens: int | None = None
    ) -> Tensor:
        self.tokens_of(visual_tokens)
        return x


class AveragePool(Compressor):
    """Means of the regions, (B, P, d) -> (B, T, d)."""

    def forward(
        self, x: Tensor, levels: Sequence[Tensor] = (), text: Tensor | None = None, visual_tokens: int | None = None
    ) -> Tensor:
        side = region_side(self.grid_side, self.tokens_of(visual_tokens))
        grid = x.unflatten(1, (self.grid_side // side, side, self.grid_side // side, side))
        return grid.mean((2, 4)).flatten(1, 2)


class Matryoshka(AveragePool):
    """Average pooling to any admissible number of tokens, chosen at run time; `visual_tokens` is the default."""

    any_tokens = True


class TokenPacker(Compressor):
    """Each query, the interpolated patches of its region, attends to that region's patches of k layers."""

    reads_levels = True

    def __init__(self, *, width: int, grid_side: int, visual_tokens: int, levels: int = 4, heads: int = 8) -> None:
        super().__init__(width=width, grid_side=grid_side, visual_tokens=visual_tokens)
        self.query_layer = nn.Sequential(nn.Linear(width, width, bias=False), nn.LayerNorm(width, eps=NORM_EPS))
        self.key_mlp = token_mlp(levels * width, width)
        self.value_mlp = token_mlp(levels * width, width)
        self.attention = RegionAttention(width, heads)

    @classmethod
    def build(cls, *, text_width: int | None, **sizes: Any) -> Self:
        return cls(**sizes)

    def forward(
        self, x: Tensor, levels: Sequence[Tensor] = (), text: Tensor | None = None, visual_tokens: int | None = None
    ) -> Tensor:
        tokens = self.tokens_of(visual_tokens)
        s = self.grid_side // region_side(self.grid_side, tokens)
        grid = x.unflatten(1, (self.grid_side, self.grid_side)).permute(0, 3, 1, 2)  # (B, d, g, g)
        small = functional.interpolate(grid.float(), size=(s, s), mode="bilinear").to(x.dtype)
        queries = self.query_layer(small.flatten(2).transpose(1, 2))  # (B, T, d)
        regions = by_region(levels, self.grid_side, tokens)
        return self.attention(queries, self.key_mlp(regions), self.value_mlp(regions))


COMPRESSORS: Table[type[Compressor]] = Table("compressor")
"""Classes of compressors by the name that a configuration gives them."""
COMPRESSORS.register("quecc", QueCC)
COMPRESSORS.register("tokenpacker", TokenPacker)
COMPRESSORS.register("average-pool", AveragePool)
COMPRESSORS.register("matryoshka", Matryoshka)
COMPRESSORS.register("none", AllPatches)


def make_compressor(
    name: str,
    *,
    width: int,
    grid_side: int,
    visual_tokens: int,
    text_width: int | None = None,
    levels: int = 4,
    heads: int = 8,
    **options: Any,
) -> Compressor:
    """A compressor by name; `text_width`, `levels` and `heads` as `QueCC` takes them, unused by those without.

    Args:
        name: of `COMPRESSORS`.
        width: d, width of the vision tower.
        grid_side: g, patches along one side.
        visual_tokens: T.
        text_width: F, width of the text feature; None for none.
        levels: k, feature layers.
        heads: h, of the attention.
        **options: of a compressor from outside.

    Raises:
        ValueError: an unknown name, or numbers that do not fit.
    """
    return COMPRESSORS.find(name).build(
        width=width,
        grid_side=grid_side,
        visual_tokens=visual_tokens,
        text_width=text_width,
        levels=levels,
        heads=heads,
        **options,
    )
