"""A connector from outside the package: one linear layer with a bias, after a norm."""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.parts.connectors import Connector
from planner.parts.walk import Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class OneLayer(Connector):
    """Norm over d, then d -> H."""

    name: str = "one-layer"
    title: str = "one linear layer"

    def params(self, width: Number, llm_width: Number) -> Number:
        """2 d + d H + H."""
        return 2 * width + width * llm_width + llm_width

    def walk(self, tokens: Number, width: Number, llm_width: Number) -> Iterator[Kernel]:
        yield Elementwise(tokens, 2 * width)
        yield Matmul(tokens, width, llm_width)

    def activation_values(self, tokens: Number, width: Number, llm_width: Number) -> Number:
        """Normed input and output."""
        return tokens * (width + llm_width)
