"""Average pooling: the mean of each region of patches."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.parts.compressors.base import Compressor
from planner.parts.compressors.cross_attention import kept_features
from planner.parts.towers import Tower
from planner.parts.walk import Elementwise, Kernel, Number


@dataclass(frozen=True, kw_only=True)
class AveragePool(Compressor):
    """No parameters, no FLOPs; every patch is read."""

    name: str = "average-pool"
    title: str = "average pooling"
    built_as: str = "average-pool"

    def params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        return 0.0

    def walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        yield Elementwise(images * tower.patches, tower.hidden_size)

    def activation_values(self, tower: Tower) -> Number:
        """As much as the attention of other compressors needs, which is more."""
        return kept_features(tower, self.feature_layers)
