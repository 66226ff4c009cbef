"""QueCC (arXiv 2411.03312): the query's text, read by the LLM, weighs the patches of each region."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.compressors.cross_attention import RegionAttention
from planner.parts.towers import Tower
from planner.parts.walk import Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class QueCC(RegionAttention):
    """Text feature H -> d; query MLP d -> d -> d over all patches; weighted sums over the regions, element-wise."""

    name: str = "quecc"
    title: str = "QueCC"
    query_aware: bool = True
    published_tokens_max: int | None = 36
    built_as: str = "quecc"

    def query_params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        """Query MLP 2 d^2 + 4 d; depth-wise convolution d s^2 + d, s^2 the patches of a region; text feature
        H d + 3 d."""
        d = float(tower.hidden_size)
        region = tower.patches / np.maximum(np.asarray(visual_tokens, float), 1.0)
        found: Number = 2 * d * d + 4 * d + d * region + d + llm_width * d + 3 * d
        return found

    def query_walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        d, patches = tower.hidden_size, images * tower.patches
        yield Matmul(images, llm_width, d)  # the text feature
        yield Matmul(patches, d, d, times=2)  # query MLP
        # text added, activation and norm; in the weighted sums a copy by region, products, and sums
        yield Elementwise(patches, 2 * d + 4 * d + (2 + 2 + 1) * d, launches=6)
