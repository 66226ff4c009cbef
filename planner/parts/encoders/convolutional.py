"""FastViTHD (FastVLM) and MobileNetV5 (Gemma 3n): convolutional towers, by their recorded matrices and attentions.

Their shapes stand in no config.json; benchmarks/convolutional_towers.py took them from timm. FastViTHD takes squares of
other sides: its matrices have rows by the area, its attentions queries and keys by the area each. A convolution
reads each value of its input once; k is what one output's window holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.encoders.audio import gemma3n_audio
from planner.parts.encoders.base import Bridge, Encoder, Step, two_layers
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts
from planner.parts.images import Seen
from planner.parts.walk import Attention, Elementwise, Kernel, Matmul, Number

FILE = "convolutional.json"


TIMM = ("hidden_size", "label_names", "num_classes", "num_features", "pretrained_cfg")
"""Keys that timm's wrapper writes."""


@dataclass(frozen=True, kw_only=True)
class ConvolutionalEncoder(Encoder):
    """A tower whose kernels are recorded at one side."""

    side: int
    """At which they were recorded, in pixels."""
    stride: int
    """Pixels of a side of a feature, 0 where the features are always as many."""
    params: int
    matrices: tuple[tuple[int, int, int, int, float, int, int], ...]
    """(rows, k, n, weights, values read for a row, 1 if depthwise, times)."""
    attentions: tuple[tuple[int, int, int, int, int], ...]
    """(queries, keys, width, head size, times)."""

    @property
    def tower_params(self) -> int:
        return self.params

    def tower_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        area = self.area(seen)
        for rows, k, n, weights, read, depthwise, times in self.matrices:
            computed = images * (rows * area if rows > 1 else 1)  # one row: of an average over the whole image
            inputs = None if read == k else read
            yield Matmul(
                computed, k, n, times=times, stored=weights, touched=weights, inputs=inputs, depthwise=bool(depthwise)
            )
            yield Elementwise(computed, times * 2 * n, launches=times)
        for queries, keys, width, head, times in self.attentions:
            pairs = images * queries * keys * area * area
            yield Attention(times, images * queries * area, pairs, pairs, width, width, head_size=head)

    def area(self, seen: Seen) -> float:
        """Of the square that is seen, over that of the recorded one."""
        if not self.stride:
            return 1.0
        (view,) = seen.views
        return (view.rows * self.stride / self.side) ** 2

    def activation_values(self, seen: Seen) -> int:
        """The widest layer's input and output, at the recorded strides."""
        return round(self.area(seen) * max(rows * (k + 2 * n) for rows, k, n, *_ in self.matrices))


@cache
def _recorded(architecture: str) -> Mapping[str, Any] | None:
    content = json.loads(resources.files(__package__).joinpath(FILE).read_text("utf-8"))
    found: Mapping[str, Any] | None = content.get(architecture)
    return found


def _tower(parts: Parts, bridge: Bridge, stride: int, audio_params: int = 0) -> ConvolutionalEncoder:
    name = parts.vision.get("architecture")
    found = _recorded(name) if isinstance(name, str) else None
    if not isinstance(found, Mapping):
        raise SpecError(
            f"{parts.name}: nothing is known of the vision tower {shown(name)}, so its cost cannot be counted"
        )
    return ConvolutionalEncoder(
        name=parts.name,
        bridge=bridge,
        audio_params=audio_params,
        side=found["side"],
        stride=stride,
        params=found["params"],
        matrices=tuple(map(tuple, found["matrices"])),
        attentions=tuple(map(tuple, found["attentions"])),
    )


def _fast_vlm(parts: Parts) -> Encoder:
    width = parts.vision.count("hidden_size")
    return _tower(parts, two_layers(width, parts.llm_width), stride=64)


def _gemma3n(parts: Parts) -> Encoder:
    """Soft tokens are normed and projected; the embedder has a table of hard tokens and a norm of theirs."""
    width, llm = parts.vision.count("hidden_size"), parts.llm_width
    table = parts.vision.count("vocab_size") * width
    return _tower(parts, Bridge(steps=(Step(width, llm),), vectors=table + 2 * width), 0, gemma3n_audio(parts))


ENCODER_READERS.register(EncoderReader(name="fast_vlm", read=_fast_vlm, reads=TIMM))
ENCODER_READERS.register(EncoderReader(name="gemma3n", read=_gemma3n, reads=TIMM))
