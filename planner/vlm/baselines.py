"""What QueCC is compared with, behind its interface: no compressor, average pooling, TokenPacker.

    none          every patch is a visual token (LLaVA-1.5)
    average-pool  a token is the mean of its region
    matryoshka    the same, one model for every admissible number of tokens (arXiv 2405.17430): nested averages
    tokenpacker   local cross-attention whose queries are the patches, interpolated (arXiv 2407.02392): query-blind

Letters as in `quecc`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .attention import RegionAttention
from .quecc import NORM_EPS, Compressor, QueCC, by_region, region_side, token_mlp


class AllPatches(Compressor):
    """No compression: the projector's MLP maps all P patches."""

    def __init__(self, *, width: int, grid_side: int, visual_tokens: int | None = None) -> None:
        patches = grid_side * grid_side
        if visual_tokens not in (None, patches):
            raise ValueError(f"without a compressor all {patches} patches are visual tokens, got {visual_tokens}")
        super().__init__(width=width, grid_side=grid_side, visual_tokens=patches)

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


COMPRESSORS = ("quecc", "tokenpacker", "average-pool", "matryoshka", "none")


def make_compressor(
    name: str,
    *,
    width: int,
    grid_side: int,
    visual_tokens: int,
    text_width: int | None = None,
    levels: int = 4,
    heads: int = 8,
) -> Compressor:
    """A compressor by name; `text_width`, `levels` and `heads` as `QueCC` takes them, unused by those without.

    Raises:
        ValueError: an unknown name, or numbers that do not fit.
    """
    sizes = {"width": width, "grid_side": grid_side, "visual_tokens": visual_tokens}
    match name:
        case "quecc":
            return QueCC(**sizes, text_width=text_width, levels=levels, heads=heads)
        case "tokenpacker":
            return TokenPacker(**sizes, levels=levels, heads=heads)
        case "average-pool":
            return AveragePool(**sizes)
        case "matryoshka":
            return Matryoshka(**sizes)
        case "none":
            return AllPatches(**sizes)
    raise ValueError(f"expected a compressor of {', '.join(COMPRESSORS)}, got {name!r}")
