"""Encoders: what released models run on their images; a file for each family of towers."""

from planner.parts.encoders import (  # noqa: F401  # they register their readers
    convolutional,
    gemma4,
    llama,
    molmo2,
    pixtral,
    qwen,
    siglip,
)
from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, read_encoder
from planner.parts.encoders.text_only import TextOnly
from planner.parts.encoders.transformer import TransformerEncoder

__all__ = [
    "ENCODER_READERS",
    "Bridge",
    "Encoder",
    "EncoderReader",
    "Step",
    "TextOnly",
    "TransformerEncoder",
    "read_encoder",
]
