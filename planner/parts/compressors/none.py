"""No compressor: every patch is a visual token, as in LLaVA-1.5."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.parts.compressors.base import Compressor
from planner.parts.compressors.cross_attention import kept_features
from planner.parts.towers import Tower
from planner.parts.walk import Number, Walk


@dataclass(frozen=True, kw_only=True)
class Uncompressed(Compressor):
    """Nothing runs but the connector."""

    name: str = "none"
    title: str = "no compressor (LLaVA-1.5's MLP)"
    strides: bool = False
    built_as: str = "none"

    def params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        return 0.0

    def walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Walk:
        return ()

    def activation_values(self, tower: Tower) -> Number:
        """As much as the attention of other compressors needs, which is more."""
        return kept_features(tower, self.feature_layers)
