"""A released model's vision side in the places of a tower, a compressor and a connector, for one way of cutting images.

Costs ask the same of them as of building blocks: a walk for so many images, parameters, activations. The connector
stands in the compressor's place, since it is what merges patches; nothing is left to do after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from planner.base.dataclass import dataclass
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector
from planner.parts.encoders import Encoder
from planner.parts.images import Seen
from planner.parts.stored import Part
from planner.parts.towers import Tower
from planner.parts.walk import Kernel, Number


@dataclass(frozen=True, kw_only=True)
class SeenTower(Tower):
    """The tower over the views of an image."""

    encoder: Annotated[Encoder, Part(Encoder)]
    seen: Seen

    @classmethod
    def of(cls, encoder: Encoder, seen: Seen) -> SeenTower:
        """The tower of an encoder for images that are cut like that."""
        return cls(
            name=f"{encoder.name} tower",
            hidden_size=encoder.bridge.steps[0].k if encoder.bridge.steps else 0,
            params=encoder.tower_params,
            encoder=encoder,
            seen=seen,
        )

    @property
    def grid(self) -> tuple[int, int]:
        """All positions in a row: views have shapes of their own."""
        return 1, self.seen.patches

    @property
    def params_run(self) -> int:
        """All that is stored: engines load the whole tower."""
        return self.encoder.tower_params

    def walk(self, images: Number) -> Iterator[Kernel]:
        yield from self.encoder.tower_walk(self.seen, images)

    def activation_values(self, feature_layers: int) -> Number:
        return self.encoder.activation_values(self.seen)


@dataclass(frozen=True, kw_only=True)
class OwnConnector(Compressor):
    """The connector that was released with the model."""

    name: str = "as released"
    title: str = "the model's own connector"
    strides: bool = False
    encoder: Annotated[Encoder, Part(Encoder)]
    seen: Seen

    def visual_tokens(self, tower: Tower) -> tuple[int, ...]:
        return (self.seen.prompt_tokens,)

    def params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        """Of the connector, and of an audio tower that is loaded with it."""
        return float(self.encoder.connector_params + self.encoder.audio_params)

    def walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        yield from self.encoder.connector_walk(self.seen, images)

    def activation_values(self, tower: Tower) -> Number:
        """Its widest matrix's rows, in and out."""
        patches = sum(view.patches for view in self.seen.views)
        widest = 0
        for step in self.encoder.bridge.steps:
            rows = -(-patches // self.encoder.bridge.merge) if step.per_token else patches
            widest = max(widest, rows * (step.k + step.n))
        return float(widest)


@dataclass(frozen=True, kw_only=True)
class _Nothing(Connector):
    """No further layer."""

    name: str = "none"
    title: str = "no further layer"

    def params(self, width: Number, llm_width: Number) -> Number:
        return 0.0

    def walk(self, tokens: Number, width: Number, llm_width: Number) -> Iterator[Kernel]:
        yield from ()

    def activation_values(self, tokens: Number, width: Number, llm_width: Number) -> Number:
        return 0.0


def nothing_after() -> Connector:
    """What follows a released model's own connector: nothing."""
    return _Nothing()
