"""What every compressor says of itself: it makes visual tokens out of a tower's features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from planner.base.dataclass import dataclass
from planner.parts.towers import Tower
from planner.parts.walk import Number, Walk


@dataclass(frozen=True, kw_only=True)
class Compressor(ABC):
    """What stands between the vision tower and the connector."""

    name: str
    title: str
    query_aware: bool = False
    """Whether it needs the LLM's last hidden state of the query: one more pass over the query's tokens."""
    strides: bool = True
    """Whether it merges stride x stride patches into one token; otherwise every patch is a token."""
    feature_layers: int = 1
    """Layers of the tower that it reads, concatenated."""
    heads: int = 8
    """Of its attention."""
    published_tokens_max: int | None = None
    """Most visual tokens with published results, None if the question does not arise."""
    built_as: str = ""
    """The torch class that is built for it: a name of `planner.vlm.COMPRESSORS`, or "package.module:Class", a subclass
    of `planner.vlm.Compressor` in another package; "" where there is none."""

    def visual_tokens(self, tower: Tower) -> tuple[int, ...]:
        """Admissible visual tokens per image, ascending: one for each region, in every even division of the grid."""
        rows, columns = tower.grid
        if not self.strides:
            return (rows * columns,)
        strides = (s for s in range(min(rows, columns), 0, -1) if rows % s == columns % s == 0)
        return tuple((rows // s) * (columns // s) for s in strides)

    def build_options(self) -> Mapping[str, Any]:
        """Keyword arguments of that class beside its sizes, as JSON writes them; only one from elsewhere has some."""
        return {}

    @abstractmethod
    def params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        """Parameters, the connector's left out."""

    @abstractmethod
    def walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Walk:
        """The kernels of so many images, the connector's left out."""

    @abstractmethod
    def activation_values(self, tower: Tower) -> Number:
        """Numbers that one image keeps alive in the widest moment, the connector's left out."""
