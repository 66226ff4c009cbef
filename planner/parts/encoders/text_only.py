"""A language model without a vision side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from planner.base.dataclass import dataclass
from planner.parts.encoders.base import Bridge, Encoder
from planner.parts.images import Seen
from planner.parts.walk import Kernel, Number


@dataclass(frozen=True, kw_only=True)
class TextOnly(Encoder):
    """Nothing runs on images, and nothing is stored for them."""

    bridge: Bridge = field(default_factory=Bridge)

    @property
    def tower_params(self) -> int:
        return 0

    def tower_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        yield from ()

    def activation_values(self, seen: Seen) -> int:
        return 0
