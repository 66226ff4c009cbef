"""Qwen2-VL, Qwen2.5-VL, Qwen3-VL, Qwen3.5 and GLM-4V: native resolution, patches of two frames, mergers of 2 x 2."""

from __future__ import annotations

from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts, side
from planner.parts.encoders.transformer import TransformerEncoder, mlp_copies, plain_layer_vectors


def _patch_values(parts: Parts) -> int:
    return (
        parts.vision.count("in_channels")
        * parts.vision.count("temporal_patch_size")
        * side(parts.vision, "patch_size") ** 2
    )


def _merge(parts: Parts) -> int:
    return parts.vision.count("spatial_merge_size") ** 2


def merger(width: int, merge: int, out: int, norm: int, count: int = 1) -> Bridge:
    """A norm, then M d -> M d -> H with biases, M patches at a time; `count` of them."""
    wide = merge * width
    return Bridge(
        merge=merge,
        steps=(Step(wide, wide, times=count), Step(wide, out, times=count)),
        vectors=norm + count * (wide + out),
    )


def _qwen2(parts: Parts) -> Encoder:
    d = parts.vision.count("embed_dim")
    m = round(d * parts.vision.number("mlp_ratio"))
    layers = parts.vision.count("depth")
    return TransformerEncoder(
        name=parts.name,
        bridge=merger(d, _merge(parts), parts.vision.count("hidden_size"), 2 * d),
        width=d,
        heads=parts.vision.count("num_heads"),
        mlp=m,
        layers=layers,
        layers_run=layers,
        layer_vectors=plain_layer_vectors(d, m),
        mlp_alive=mlp_copies(parts.vision),
        patch_values=_patch_values(parts),
        outer_params=0,
    )


def _qwen25(parts: Parts) -> Encoder:
    """Gated MLPs with biases, RMS norms; all layers but a few attend within windows of 112 pixels."""
    d, m, layers = (
        parts.vision.count("hidden_size"),
        parts.vision.count("intermediate_size"),
        parts.vision.count("depth"),
    )
    full = parts.vision.get("fullatt_block_indexes")
    if not isinstance(full, list) or not all(isinstance(one, int) and 0 <= one < layers for one in full):
        raise parts.vision.wrong("fullatt_block_indexes", f"a list of layers below {layers}")
    patch, merge = side(parts.vision, "patch_size"), parts.vision.count("spatial_merge_size")
    return TransformerEncoder(
        name=parts.name,
        bridge=merger(d, _merge(parts), parts.vision.count("out_hidden_size"), d),
        width=d,
        heads=parts.vision.count("num_heads"),
        mlp=m,
        layers=layers,
        layers_run=layers,
        gated=True,
        layer_vectors=4 * d + 2 * m + d + 2 * d,
        patch_values=_patch_values(parts),
        outer_params=0,
        windowed_layers=layers - len(set(full)),
        window=parts.vision.count("window_size") // merge // patch * merge,
    )


def _qwen3(parts: Parts) -> Encoder:
    """Learned positions, interpolated; Qwen3-VL has a merger for each of the layers whose features go deep."""
    d, m, layers = (
        parts.vision.count("hidden_size"),
        parts.vision.count("intermediate_size"),
        parts.vision.count("depth"),
    )
    deep = parts.vision.get("deepstack_visual_indexes") or []
    if not isinstance(deep, list):
        raise parts.vision.wrong("deepstack_visual_indexes", "a list of layers")
    merge = _merge(parts)
    out, norms = parts.vision.count("out_hidden_size"), 2 * d + len(deep) * 2 * merge * d
    return TransformerEncoder(
        name=parts.name,
        bridge=merger(d, merge, out, norms, 1 + len(deep)),
        width=d,
        heads=parts.vision.count("num_heads"),
        mlp=m,
        layers=layers,
        layers_run=layers,
        layer_vectors=plain_layer_vectors(d, m),
        mlp_alive=mlp_copies(parts.vision),
        patch_values=_patch_values(parts),
        outer_params=d + parts.vision.count("num_position_embeddings") * d,
        kept=len(deep) * out // merge,
    )


def _glm(parts: Parts) -> Encoder:
    """Gated MLPs of the language model's width, RMS norms, a convolution that merges, a gated connector."""
    d, layers = parts.vision.count("hidden_size"), parts.vision.count("depth")
    out, hidden, merge = parts.vision.count("out_hidden_size"), parts.vision.count("intermediate_size"), _merge(parts)
    bias = 3 * d * parts.vision.flag("attention_bias")  # of queries, keys and values
    positions = (side(parts.vision, "image_size") // side(parts.vision, "patch_size")) ** 2
    return TransformerEncoder(
        name=parts.name,
        bridge=Bridge(
            merge=merge,
            steps=(Step(out, out), Step(out, hidden, times=2), Step(hidden, out)),
            vectors=2 * out,
        ),
        width=d,
        heads=parts.vision.count("num_heads"),
        mlp=out,
        layers=layers,
        layers_run=layers,
        gated=True,
        layer_vectors=2 * d + bias,
        patch_values=_patch_values(parts),
        outer_params=d + positions * d + 2 * d + out,
        after=merge * d * out,
        after_merge=merge,
    )


for name in ("qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"):
    ENCODER_READERS.register(EncoderReader(name=name, read=_qwen3))
for name in ("glm4v", "glm4v_moe"):
    ENCODER_READERS.register(EncoderReader(name=name, read=_glm))
ENCODER_READERS.register(EncoderReader(name="qwen2_vl", read=_qwen2))
ENCODER_READERS.register(EncoderReader(name="qwen2_5_vl", read=_qwen25))
