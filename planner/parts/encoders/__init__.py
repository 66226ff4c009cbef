"""Encoders: what released models run on their images; a file for each family of towers."""

from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, read_encoder
from planner.parts.encoders.text_only import TextOnly
from planner.parts.encoders.transformer import TransformerEncoder


def _towers() -> None:
    """Every family's towers register their readers; loaded when one is asked for, since most plans ask for none."""
    from planner.parts.encoders import convolutional, gemma4, llama, molmo2, pixtral, qwen, siglip  # noqa: F401


ENCODER_READERS.fill_with(_towers)

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
