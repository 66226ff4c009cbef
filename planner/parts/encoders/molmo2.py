"""Molmo 2: features of two layers side by side, pooled by an attention over 2 x 2 patches, and a gated connector."""

from __future__ import annotations

from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.configs.values import Values
from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts, side
from planner.parts.encoders.transformer import TransformerEncoder, plain_layer_vectors

FEATURE_LAYERS = (24, 18)
"""Of Molmo2AdapterConfig in transformers 5.23."""


def _adapter(parts: Parts) -> Values:
    given = parts.outer.given.get("adapter_config") or {}
    if not isinstance(given, dict):
        raise SpecError(f"{parts.name}: expected 'adapter_config' to be an object, got {shown(given)}")
    found = Values(f"{parts.name}, adapter_config", given, "molmo2_adapter")
    found.check_keys(("vit_layers",))
    return found


def _read(parts: Parts) -> Encoder:
    vision, adapter = parts.vision, _adapter(parts)
    d, m, layers = vision.count("hidden_size"), vision.count("intermediate_size"), vision.count("num_hidden_layers")
    used = adapter.get("vision_feature_layer") or adapter.get("vit_layers") or FEATURE_LAYERS
    if not isinstance(used, list | tuple):
        raise adapter.wrong("vision_feature_layer", "a list of layers")
    pooled = adapter.count("num_attention_heads") * adapter.count("head_dim")
    hidden, out = adapter.count("intermediate_size"), adapter.count("text_hidden_size")
    wide = len(used) * d
    bridge = Bridge(
        merge=4,
        steps=(
            Step(wide, pooled),
            Step(wide, pooled, per_token=False, times=2),
            Step(pooled, adapter.count("hidden_size")),
            Step(adapter.count("hidden_size"), hidden, times=2),
            Step(hidden, out),
        ),
        vectors=3 * pooled + adapter.count("hidden_size"),
        pooling_width=pooled,
    )
    return TransformerEncoder(
        name=parts.name,
        bridge=bridge,
        width=d,
        mlp=m,
        layers=layers,
        layers_run=layers,
        layer_vectors=plain_layer_vectors(d, m),
        patch_values=3 * side(vision, "patch_size") ** 2,
        outer_params=d + vision.count("image_num_pos", 729) * d,
    )


ENCODER_READERS.register(EncoderReader(name="molmo2", read=_read))
