"""A compressor from outside the package: learned queries attend to all patches, layer by layer (a perceiver resampler).

Letters: d width of the tower, P its patches, V visual tokens, f width of the MLP.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from planner.parts.compressors import Compressor
from planner.parts.towers import Tower
from planner.parts.walk import Attention, Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class Resampler(Compressor):
    """So many layers of cross attention and an MLP; any of a few numbers of queries."""

    name: str = "resampler"
    title: str = "perceiver resampler"
    layers: int = 2
    tokens: tuple[int, ...] = (8, 32, 64)
    built_as: str = "extensions.resampler_module:ResamplerModule"

    def visual_tokens(self, tower: Tower) -> tuple[int, ...]:
        return self.tokens

    def build_options(self) -> Mapping[str, Any]:
        return {"layers": self.layers}

    def params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        """A layer: four projections, an MLP d -> 4 d -> d, two norms; V learned queries."""
        d = float(tower.hidden_size)
        return self.layers * (4 * (d * d + d) + 8 * d * d + 5 * d + 4 * d) + visual_tokens * d

    def walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        d, queries, patches = tower.hidden_size, images * visual_tokens, images * tower.patches
        yield Matmul(queries, d, d, times=2 * self.layers)  # queries and outputs
        yield Matmul(patches, d, d, times=2 * self.layers)  # keys and values
        pairs = queries * tower.patches
        yield Attention(self.layers, queries, pairs, pairs, d, d)
        yield Matmul(queries, d, 4 * d, times=self.layers)
        yield Matmul(queries, 4 * d, d, times=self.layers)
        yield Elementwise(queries, self.layers * (2 * 4 * d + 8 * d), launches=3 * self.layers)

    def activation_values(self, tower: Tower) -> Number:
        """Features, keys and values; the queries are fewer."""
        return 3 * tower.patches * tower.hidden_size
