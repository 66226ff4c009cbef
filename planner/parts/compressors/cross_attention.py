"""What QueCC and TokenPacker share: keys and values of all patches, each of which is attended to once, by the query of
its region.

Letters: d width of the tower, P its patches, k feature layers, a heads, V visual tokens.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.compressors.base import Compressor
from planner.parts.towers import Tower
from planner.parts.walk import Attention, Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class RegionAttention(Compressor):
    """Key and value MLPs k d -> d -> d over all patches, 2 * 2 P (k d^2 + d^2) FLOPs; query and output projections,
    2 * 2 V d^2. Key and value projections d -> d with the attention of each patch once: over all patches,
    4 P d^2 + 4 P d, or absorbed into the queries and the outputs of the a heads, 4 V d^2 + 4 a P d; the fewer FLOPs."""

    feature_layers: int = 4

    @abstractmethod
    def query_walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        """How the queries are made."""

    @abstractmethod
    def query_params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        """Parameters of what makes the queries."""

    def params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        """Key and value MLPs 2 ((k + 1) d^2 + 4 d), attention 4 d^2 + 4 d, and the queries'."""
        d, k = float(tower.hidden_size), self.feature_layers
        both = 2 * ((k + 1) * d * d + 4 * d) + 4 * d * d + 4 * d
        return both + self.query_params(tower, llm_width, visual_tokens)

    def walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        d, v = tower.hidden_size, visual_tokens
        patches, tokens = images * tower.patches, images * v
        absorbed = v * d + tower.patches * self.heads < tower.patches * (d + 1)
        yield Matmul(patches, self.feature_layers * d, d, times=2)  # key and value MLPs
        yield Matmul(patches, d, d, times=np.where(absorbed, 2.0, 4.0))  # their second layers, projections
        yield Matmul(tokens, d, d, times=np.where(absorbed, 4.0, 2.0))  # query and output projections, what is absorbed
        # each patch once; where absorbed, each head sees its full width
        pairs = np.where(absorbed, float(self.heads), 1.0) * patches
        yield Attention(1.0, patches, pairs, pairs, d, d)
        yield Elementwise(patches, 2 * 4 * d, launches=4)  # activation and norm of both MLPs
        yield from self.query_walk(images, tower, llm_width, visual_tokens)

    def activation_values(self, tower: Tower) -> Number:
        return kept_features(tower, self.feature_layers)


def kept_features(tower: Tower, feature_layers: int) -> Number:
    """Kept levels, their concatenation and the query features; of keys and values hidden layer, its GELU, output and
    norm."""
    return tower.patches * tower.hidden_size * (2 * feature_layers + 1 + 2 * 4)
