"""QueCC: query-based convolutional cross-attention, from patches to a few visual tokens (arXiv 2411.03312).

    queries          Q = conv(MLP_q(x + LN(W t)))        depth-wise, kernel = stride = r, on the patch grid
    keys, values     K = MLP_k(z), V = MLP_v(z)          each split into its s x s regions
    visual tokens    y_i = Attention(Q_i; K_i, V_i)      query i looks at region i and nowhere else

x are the patch features of one tower layer, z those of k layers side by side, t the text feature: the language model's
last hidden state at the last token of the query. The projector into the language model is a module of its own.

Letters: B images, P = g x g patches, g grid side, T = s x s visual tokens, r = g / s side of a region, R = r x r its
patches, d tower width, k feature layers, h heads, F width of the text feature, H width of the language model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from .attention import RegionAttention

NORM_EPS = 1e-6


class Compressor(nn.Module):
    """What all compressors share: forward(x, levels, text, visual_tokens) -> (B, T, d)."""

    reads_levels = False
    """Whether it reads `levels`, the features of several layers, besides `x`."""
    reads_text = False
    """Whether it needs a text feature."""
    any_tokens = False
    """Whether one model serves every admissible number of visual tokens."""
    query_aware = False
    """Whether it can be built to need a text feature."""

    def __init__(self, *, width: int, grid_side: int, visual_tokens: int) -> None:
        super().__init__()
        self.width = width
        self.grid_side = grid_side
        self.visual_tokens = visual_tokens
        self.check_tokens(grid_side, visual_tokens)

    @classmethod
    def build(
        cls,
        *,
        width: int,
        grid_side: int,
        visual_tokens: int,
        text_width: int | None,
        levels: int,
        heads: int,
        **options: Any,
    ) -> Self:
        """The module of these sizes, with the `compressor_options` of the configuration."""
        return cls(width=width, grid_side=grid_side, visual_tokens=visual_tokens, **options)

    @classmethod
    def tokens_by_default(cls, grid_side: int) -> int:
        """Visual tokens where the configuration names none."""
        return 1

    @classmethod
    def check_tokens(cls, grid_side: int, visual_tokens: int) -> None:
        """Raises ValueError where a grid of patches does not give so many tokens."""
        region_side(grid_side, visual_tokens)

    def forward(
        self, x: Tensor, levels: Sequence[Tensor] = (), text: Tensor | None = None, visual_tokens: int | None = None
    ) -> Tensor:
        """Visual tokens (B, T, d) of patches x (B, P, d), levels k x (B, P, d) and a text feature (B, F)."""
        raise NotImplementedError

    def tokens_of(self, visual_tokens: int | None) -> int:
        """The visual tokens of a call. Raises ValueError where the model cannot give so many."""
        if visual_tokens is None or visual_tokens == self.visual_tokens:
            return self.visual_tokens
        if not self.any_tokens:
            raise ValueError(f"this compressor was built for {self.visual_tokens} visual tokens, got {visual_tokens}")
        self.check_tokens(self.grid_side, visual_tokens)
        return visual_tokens


class QueCC(Compressor):
    """The compressor of the paper; with `text_width=None` the same without the query (query-blind)."""

    reads_levels = True
    query_aware = True

    def __init__(
        self,
        *,
        width: int,
        grid_side: int,
        visual_tokens: int,
        text_width: int | None,
        levels: int = 4,
        heads: int = 8,
    ) -> None:
        """Builds the modules.

        Args:
            width: d, width of the vision tower.
            grid_side: g, patches along one side.
            visual_tokens: T = s x s, s a divisor of g.
            text_width: F, width of the text feature; None for none.
            levels: k, feature layers read for keys and values.
            heads: h, of the attention; a divisor of d.

        Raises:
            ValueError: s does not divide g, or h does not divide d.
        """
        super().__init__(width=width, grid_side=grid_side, visual_tokens=visual_tokens)
        side = region_side(grid_side, visual_tokens)
        self.text_width = text_width
        if text_width is not None:
            self.text_projection = nn.Sequential(nn.Linear(text_width, width), nn.LayerNorm(width, eps=NORM_EPS))
        self.query_mlp = token_mlp(width, width)
        self.key_mlp = token_mlp(levels * width, width)
        self.value_mlp = token_mlp(levels * width, width)
        self.downsample = RegionConv2d(width, side)
        self.attention = RegionAttention(width, heads)

    @classmethod
    def build(cls, **sizes: Any) -> Self:
        return cls(**sizes)

    @property
    def reads_text(self) -> bool:  # type: ignore[override]
        return self.text_width is not None

    def forward(
        self, x: Tensor, levels: Sequence[Tensor] = (), text: Tensor | None = None, visual_tokens: int | None = None
    ) -> Tensor:
        tokens = self.tokens_of(visual_tokens)
        if (text is not None) != self.reads_text:
            expected = f"of width {self.text_width}" if self.reads_text else "none"
            raise ValueError(f"expected a text feature {expected}, got {'none' if text is None else tuple(text.shape)}")
        if text is not None:
            x = x + self.text_projection(text)[:, None]  # (B, P, d) + (B, 1, d)
        grid = self.query_mlp(x).unflatten(1, (self.grid_side, self.grid_side)).permute(0, 3, 1, 2)  # (B, d, g, g)
        queries = self.downsample(grid).flatten(2).transpose(1, 2)  # (B, T, d)
        regions = by_region(levels, self.grid_side, tokens)  # (B, P, k d)
        return self.attention(queries, self.key_mlp(regions), self.value_mlp(regions))


class RegionConv2d(nn.Conv2d):
    """Depth-wise convolution with kernel = stride = r, as the weighted sum over each region that it is.

    torch's own convolution takes the same time forward; backward, on a CPU in bf16 and with one visual token, it takes
    longer than all the rest together.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__(width, width, kernel_size=side, stride=side, groups=width)

    def forward(self, grid: Tensor) -> Tensor:
        """(B, d, g, g) -> (B, d, s, s)."""
        side = self.stride[0]
        s = grid.shape[-1] // side
        rows = grid.permute(0, 2, 3, 1).unflatten(2, (s, side)).unflatten(1, (s, side))  # (B, s, r, s, r, d)
        regions = rows.transpose(2, 3).flatten(3, 4)  # (B, s, s, R, d)
        weights = self.weight.flatten(1).t().contiguous()  # (R, d)
        tokens = (regions * weights).sum(3) + self.bias
        return tokens.permute(0, 3, 1, 2)


class Projector(nn.Module):
    """Two layers d -> H -> H with GELU: visual tokens into the language model's embedding space."""

    def __init__(self, width: int, llm_width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width, llm_width)
        self.act = nn.GELU()
        self.linear_2 = nn.Linear(llm_width, llm_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, d) -> (B, T, H)."""
        return self.linear_2(self.act(self.linear_1(tokens)))


def token_mlp(width_in: int, width: int) -> nn.Sequential:
    """Linear, GELU, linear, LayerNorm, on every token by itself."""
    return nn.Sequential(
        nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width, eps=NORM_EPS)
    )


def region_side(grid_side: int, visual_tokens: int) -> int:
    """r = g / s: side of the region that one visual token stands for. Raises ValueError where s does not divide g."""
    s = math.isqrt(max(visual_tokens, 0))
    if s < 1 or s * s != visual_tokens or grid_side % s:
        fitting = ", ".join(str(tokens) for tokens in admissible_tokens(grid_side))
        raise ValueError(
            f"a grid of {grid_side} x {grid_side} patches gives {fitting} visual tokens, not {visual_tokens}"
        )
    return grid_side // s


def admissible_tokens(grid_side: int) -> tuple[int, ...]:
    """Visual tokens s x s with s a divisor of the grid side, ascending."""
    return tuple(s * s for s in range(1, grid_side + 1) if grid_side % s == 0)


def by_region(levels: Sequence[Tensor], grid_side: int, visual_tokens: int) -> Tensor:
    """Patches region by region, the layers side by side: k x (B, P, d) -> (B, P, k d), the only copy made of them."""
    side = region_side(grid_side, visual_tokens)
    s = grid_side // side
    if 1 < s < grid_side:  # (B, s, r, s, r, d) -> (B, s, s, r, r, d)
        levels = [level.unflatten(1, (s, side, s, side)).transpose(2, 3) for level in levels]
    regions = torch.cat(tuple(levels), dim=-1)
    return regions.flatten(1, -2)


_REFERENCE_QUECC = {
    "text_projection": "text_projection",
    "q_proj": "query_mlp",
    "k_proj": "key_mlp",
    "v_proj": "value_mlp",
    "q_downsample": "downsample",
}
_REFERENCE_PROJECTOR = {"1": "linear_1", "3": "linear_2"}


def convert_reference_state_dict(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reference implementation's weights under our names.

    Takes the whole model ("model.mm_projector.0.clip_attn.in_proj_weight"), the saved projector
    ("model.mm_projector...") or the compressor alone ("clip_attn.in_proj_weight"); what belongs to neither compressor
    nor projector is left out.

    Args:
        state: the reference's state dict.

    Returns:
        "compressor.*" and, where the state has them, "projector.*"; to be loaded with `strict=False`.

    Raises:
        ValueError: no QueCC weights in it, or one of an unknown name.
    """
    inside = {name.rpartition("mm_projector.")[2]: value for name, value in state.items() if "mm_projector." in name}
    if not inside:
        bare = not any(name.startswith("0.") for name in state)
        inside = {f"0.{name}" if bare else name: value for name, value in state.items()}
    if "0.clip_attn.in_proj_weight" not in inside:
        raise ValueError("expected the weights of a QueCC projector, found no 'clip_attn.in_proj_weight' among them")
    converted: dict[str, Tensor] = {}
    for name, value in inside.items():
        position, _, rest = name.partition(".")
        part, _, tail = rest.partition(".")
        if position == "0" and part == "clip_attn":
            converted |= _attention_weights(tail, value)
        elif position == "0" and part in _REFERENCE_QUECC:
            converted[f"compressor.{_REFERENCE_QUECC[part]}.{tail}"] = value
        elif position in _REFERENCE_PROJECTOR and rest in ("weight", "bias"):
            converted[f"projector.{_REFERENCE_PROJECTOR[position]}.{rest}"] = value
        else:
            raise ValueError(f"no weight of the QueCC reference is called {name!r}")
    return converted


def _attention_weights(name: str, value: Tensor) -> dict[str, Tensor]:
    """nn.MultiheadAttention stacks the q, k and v projections: (3 d, d) and (3 d,)."""
    if name.startswith("in_proj_"):
        kind = name.removeprefix("in_proj_")
        parts = zip(("q_proj", "k_proj", "v_proj"), value.chunk(3), strict=True)
        return {f"compressor.attention.{part}.{kind}": piece.clone() for part, piece in parts}
    return {f"compressor.attention.{name}": value}
