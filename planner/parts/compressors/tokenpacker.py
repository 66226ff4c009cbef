"""TokenPacker (arXiv 2407.02392): interpolated features ask the patches of their regions."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.parts.compressors.cross_attention import RegionAttention
from planner.parts.towers import Tower
from planner.parts.walk import Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class TokenPacker(RegionAttention):
    """Queries by interpolation, which has no FLOPs, and one layer d -> d over the visual tokens."""

    name: str = "tokenpacker"
    title: str = "TokenPacker"
    built_as: str = "tokenpacker"

    def query_params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        """A layer without bias, d^2, and a norm, 2 d."""
        d = float(tower.hidden_size)
        return d * d + 2 * d

    def query_walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        d = tower.hidden_size
        yield Matmul(images * visual_tokens, d, d)  # query layer
        yield Elementwise(images * tower.patches, d)  # interpolation
