"""Pixtral's tower, under Pixtral and Mistral 3: gated MLPs, RMS norms, no biases, rotary positions in 2-D."""

from __future__ import annotations

from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts, side
from planner.parts.encoders.transformer import TransformerEncoder


def pixtral_encoder(parts: Parts, bridge: Bridge) -> TransformerEncoder:
    """The tower with a connector. Raises SpecError."""
    width = parts.vision.count("hidden_size")
    layers = parts.vision.count("num_hidden_layers")
    return TransformerEncoder(
        name=parts.name,
        bridge=bridge,
        width=width,
        heads=parts.vision.count("num_attention_heads"),
        mlp=parts.vision.count("intermediate_size"),
        layers=layers,
        layers_run=layers,
        gated=True,
        layer_vectors=2 * width,
        patch_values=3 * side(parts.vision, "patch_size") ** 2,
        outer_params=width,
    )


def _mistral3(parts: Parts) -> Encoder:
    """A norm, patches merged by a matrix, then d -> H -> H."""
    width, merge = parts.vision.count("hidden_size"), parts.outer.count("spatial_merge_size") ** 2
    bias = parts.outer.flag("multimodal_projector_bias")
    bridge = Bridge(
        merge=merge,
        steps=(Step(merge * width, width), Step(width, parts.llm_width), Step(parts.llm_width, parts.llm_width)),
        vectors=width + 2 * parts.llm_width * bias,
    )
    return pixtral_encoder(parts, bridge)


ENCODER_READERS.register(EncoderReader(name="mistral3", read=_mistral3))
