"""What every connector says of itself: it leads visual tokens into the language model's embedding space."""

from __future__ import annotations

from abc import ABC, abstractmethod

from planner.base.dataclass import dataclass
from planner.parts.walk import Number, Walk


@dataclass(frozen=True, kw_only=True)
class Connector(ABC):
    """From features of width d to embeddings of width H, token by token."""

    name: str
    title: str
    built_as: str = ""
    """What `planner.vlm` calls the layer that it builds for it; "" where it has none."""

    @abstractmethod
    def params(self, width: Number, llm_width: Number) -> Number:
        """Parameters, of features of width d and an LLM of width H."""

    @abstractmethod
    def walk(self, tokens: Number, width: Number, llm_width: Number) -> Walk:
        """The kernels of so many visual tokens."""

    @abstractmethod
    def activation_values(self, tokens: Number, width: Number, llm_width: Number) -> Number:
        """Numbers that one image's visual tokens keep alive in the widest moment."""
