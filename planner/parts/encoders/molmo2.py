"""Molmo 2: features of two layers side by side, pooled by an attention over 2 x 2 patches, and a gated connector."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.configs.values import Values
from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts, check_heads, side
from planner.parts.encoders.transformer import TransformerEncoder, mlp_copies, plain_layer_vectors
from planner.parts.images import Seen
from planner.parts.walk import Kernel, Number

FEATURE_LAYERS = (24, 18)
"""Of Molmo2AdapterConfig in transformers 5.23."""


def _adapter(parts: Parts) -> Values:
    given = parts.outer.given.get("adapter_config") or {}
    if not isinstance(given, dict):
        raise SpecError(f"{parts.name}: expected 'adapter_config' to be an object, got {shown(given)}")
    found = Values(f"{parts.name}, adapter_config", given, "molmo2_adapter")
    found.check_keys(("vit_layers",))
    return found


OTHER_NAMES = ("image_default_input_size", "image_num_pos", "image_patch_size")
"""Names in released files, which its class reads first."""
IMAGE_SIZE = (378, 378)
"""Of Molmo2VisionConfig, where the config names none."""


def _patch(vision: Values) -> int:
    """Side of a patch in pixels. Raises SpecError."""
    return side(vision, "patch_size" if vision.get("image_patch_size") is None else "image_patch_size")


def _positions(vision: Values) -> int:
    """Learned positions: as many as the config says, else one for each patch. Raises SpecError."""
    for key in ("image_num_pos", "num_position_embeddings"):
        if vision.get(key) is not None:
            return vision.count(key)
    key = "image_size" if vision.get("image_default_input_size") is None else "image_default_input_size"
    sides = vision.get(key) or IMAGE_SIZE
    if not isinstance(sides, list | tuple) or len(sides) != 2 or not all(isinstance(one, int) for one in sides):
        raise vision.wrong(key, "two sides in pixels")
    return int(sides[0] // _patch(vision) * (sides[1] // _patch(vision)))


def _is_layer(one: object, layers: int) -> bool:
    return isinstance(one, int) and not isinstance(one, bool) and -layers <= one < layers


@dataclass(frozen=True, kw_only=True)
class PooledCrops(TransformerEncoder):
    """Each token is pooled from as many places, be there a patch or padding; margins of crops are not used."""

    def connector_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        yield from self.bridge.walk(images * seen.visual_tokens * self.bridge.merge)


def _read(parts: Parts) -> Encoder:
    vision, adapter = parts.vision, _adapter(parts)
    d, m, layers = vision.count("hidden_size"), vision.count("intermediate_size"), vision.count("num_hidden_layers")
    check_heads(vision, d)
    if adapter.count("hidden_size") != d:
        raise adapter.wrong("hidden_size", f"{d}, the width of the tower")
    used = adapter.get("vision_feature_layer") or adapter.get("vit_layers") or FEATURE_LAYERS
    if not isinstance(used, list | tuple) or not used or not all(_is_layer(one, layers) for one in used):
        raise adapter.wrong("vision_feature_layer", f"a list of the tower's {layers} layers")
    pooled = adapter.count("num_attention_heads") * adapter.count("head_dim")
    check_heads(adapter, pooled)
    biases = 3 * pooled + d if adapter.flag("attention_bias", True) else 0
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
        vectors=biases + 2 * hidden * adapter.flag("mlp_bias"),
        pooling_width=pooled,
    )
    return PooledCrops(
        name=parts.name,
        bridge=bridge,
        width=d,
        heads=vision.count("num_attention_heads"),
        mlp=m,
        layers=layers,
        layers_run=max(one + 1 if one >= 0 else layers + 1 + one for one in used),
        layer_vectors=plain_layer_vectors(d, m) - (0 if vision.flag("attention_bias", True) else 4 * d),
        mlp_alive=mlp_copies(vision),
        kept=wide - d,  # features of the other layers
        patch_values=3 * _patch(vision) ** 2,
        outer_params=d + _positions(vision) * d,
    )


ENCODER_READERS.register(EncoderReader(name="molmo2", read=_read, reads=OTHER_NAMES))
