"""LLaVA-1.5's projector: two layers d -> H -> H with biases and a GELU between them."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.parts.connectors.base import Connector
from planner.parts.walk import Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class Mlp(Connector):
    """A projector of two layers."""

    name: str = "mlp"
    title: str = "two-layer MLP"
    built_as: str = "mlp"

    def params(self, width: Number, llm_width: Number) -> Number:
        """d H + H + H^2 + H."""
        d, h = width, llm_width
        return d * h + h + h * h + h

    def walk(self, tokens: Number, width: Number, llm_width: Number) -> Iterator[Kernel]:
        yield Matmul(tokens, width, llm_width)
        yield Matmul(tokens, llm_width, llm_width)
        yield Elementwise(tokens, 2 * llm_width)

    def activation_values(self, tokens: Number, width: Number, llm_width: Number) -> Number:
        """The hidden layer and the output."""
        return 2 * tokens * llm_width
