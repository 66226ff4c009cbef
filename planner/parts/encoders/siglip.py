"""CLIP, SigLIP 1 and 2 and InternViT: LLaVA, PaliGemma, Gemma 3, Idefics 3, SmolVLM, LFM2-VL, InternVL, Aya, Phi-4."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.encoders.audio import phi4_audio
from planner.parts.encoders.base import Bridge, Encoder, Step, two_layers
from planner.parts.encoders.pixtral import pixtral_encoder
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts, side
from planner.parts.encoders.transformer import TransformerEncoder, mlp_copies, plain_layer_vectors
from planner.parts.images import Seen
from planner.parts.walk import Kernel, Number


@dataclass(frozen=True)
class _Shape:
    """What all of these towers share."""

    width: int
    heads: int
    mlp: int
    layers: int
    patch: int

    @classmethod
    def of(cls, parts: Parts) -> _Shape:
        vision = parts.vision
        vision_heads = vision.count("num_attention_heads")
        width = vision.count("hidden_size")
        if width % vision_heads:
            raise SpecError(f"{vision.name}: its width {width} is not divided by its {vision_heads} heads")
        return cls(
            width,
            vision_heads,
            vision.count("intermediate_size"),
            vision.count("num_hidden_layers"),
            side(vision, "patch_size"),
        )


def _tower(parts: Parts, bridge: Bridge, *, positions: int, layers_run: int | None = None) -> TransformerEncoder:
    """A SigLIP tower: learned positions, a patch embedding with bias, a norm at the end; stored with it may be a head
    that pools, which is not needed for the features."""
    shape = _Shape.of(parts)
    head = (
        pooling_head_params(shape.width, shape.mlp)
        if parts.vision.flag("vision_use_head", _HEAD[parts.vision.type])
        else 0
    )
    return TransformerEncoder(
        name=parts.name,
        bridge=bridge,
        width=shape.width,
        heads=shape.heads,
        mlp=shape.mlp,
        layers=shape.layers,
        layers_run=shape.layers if layers_run is None else layers_run,
        layer_vectors=plain_layer_vectors(shape.width, shape.mlp),
        mlp_alive=mlp_copies(parts.vision),
        patch_values=3 * shape.patch**2,
        outer_params=shape.width + positions * shape.width + 2 * shape.width + head,
    )


_HEAD = {
    "idefics3_vision": False,
    "siglip2_vision_model": True,
    "siglip_vision_model": True,
    "smolvlm_vision": False,
}
"""Whether a class has the pooling head where its config does not say."""


def pooling_head_params(width: int, mlp: int) -> int:
    """A probe, an attention, a norm and an MLP."""
    d, m = width, mlp
    return d + 4 * (d * d + d) + 2 * d + 2 * d * m + m + d


def square_positions(parts: Parts) -> int:
    """Patches of the square that the config names."""
    return (side(parts.vision, "image_size") // side(parts.vision, "patch_size")) ** 2


def layers_up_to(parts: Parts, layers: int) -> int:
    """Layers up to the one whose features are used: -2 is the second-last. Raises SpecError."""
    chosen = parts.outer.get("vision_feature_layer", -1)
    if isinstance(chosen, bool) or not isinstance(chosen, int) or not -layers <= chosen <= layers:
        raise SpecError(f"{parts.name}: expected 'vision_feature_layer' to be one layer, got {shown(chosen)}")
    return layers + 1 + chosen if chosen < 0 else chosen


def _clip(parts: Parts, bridge: Bridge) -> TransformerEncoder:
    """CLIP: a class token, a norm before the layers, a patch embedding without bias; the pooling norm is stored."""
    shape, positions = _Shape.of(parts), square_positions(parts) + 1
    return TransformerEncoder(
        name=parts.name,
        bridge=bridge,
        width=shape.width,
        heads=shape.heads,
        mlp=shape.mlp,
        layers=shape.layers,
        layers_run=layers_up_to(parts, shape.layers),
        layer_vectors=plain_layer_vectors(shape.width, shape.mlp),
        mlp_alive=mlp_copies(parts.vision),
        patch_values=3 * shape.patch**2,
        outer_params=shape.width + positions * shape.width + 4 * shape.width,
    )


def _siglip(parts: Parts, bridge: Bridge) -> TransformerEncoder:
    """SigLIP under LLaVA."""
    layers = layers_up_to(parts, parts.vision.count("num_hidden_layers"))
    return _tower(parts, bridge, positions=square_positions(parts), layers_run=layers)


TOWERS: Mapping[str, Callable[[Parts, Bridge], Encoder]] = {
    "clip_vision_model": _clip,
    "pixtral": pixtral_encoder,
    "siglip_vision_model": _siglip,
}
"""Towers that models of several kinds stand on, by their `model_type`."""


def on_its_tower(parts: Parts, bridge: Bridge) -> Encoder:
    """The encoder with the tower that the config names. Raises SpecError."""
    found = TOWERS.get(parts.vision.type)
    if found is None:
        raise SpecError(f"{parts.name}: nothing is known of a vision tower of the type {shown(parts.vision.type)}")
    return found(parts, bridge)


def _llava(parts: Parts, newline: bool = False) -> Encoder:
    bridge = two_layers(
        parts.vision.count("hidden_size"),
        parts.llm_width,
        bias=parts.outer.flag("multimodal_projector_bias", True),
        norm=parts.llm_width if newline else 0,  # the embedding of the newline
    )
    return on_its_tower(parts, bridge)


def _paligemma(parts: Parts) -> Encoder:
    bridge = Bridge(
        steps=(Step(parts.vision.count("hidden_size"), parts.outer.count("projection_dim", parts.llm_width)),),
        vectors=parts.outer.count("projection_dim", parts.llm_width),
    )
    return _tower(parts, bridge, positions=square_positions(parts))


def _gemma3(parts: Parts) -> Encoder:
    """Features are pooled to the tokens, normed, then projected without bias."""
    width, positions = parts.vision.count("hidden_size"), square_positions(parts)
    merge = positions // parts.outer.count("mm_tokens_per_image")
    bridge = Bridge(merge=merge, steps=(Step(width, parts.llm_width),), vectors=width)
    return _tower(parts, bridge, positions=positions)


def _idefics3(parts: Parts) -> Encoder:
    width, merge = parts.vision.count("hidden_size"), parts.outer.count("scale_factor") ** 2
    bridge = Bridge(merge=merge, steps=(Step(merge * width, parts.llm_width),))
    return _tower(parts, bridge, positions=square_positions(parts))


def _lfm2(parts: Parts) -> Encoder:
    width, merge = parts.vision.count("hidden_size"), parts.outer.count("downsample_factor") ** 2
    hidden, bias = parts.outer.count("projector_hidden_size"), parts.outer.flag("projector_bias", True)
    norm = 2 * merge * width if parts.outer.flag("projector_use_layernorm", True) else 0
    bridge = Bridge(
        merge=merge,
        steps=(Step(merge * width, hidden), Step(hidden, parts.llm_width)),
        vectors=norm + (hidden + parts.llm_width) * bias,
    )
    return _tower(parts, bridge, positions=parts.vision.count("num_patches"))


def _internvl(parts: Parts) -> Encoder:
    """InternViT: a class token, scales on both branches; norms of the 6B are RMS and queries and keys are normed."""
    shape, positions = _Shape.of(parts), square_positions(parts) + 1
    d, m = shape.width, shape.mlp
    norms = {"layer_norm": 2 * d, "rms_norm": d}
    kind = str(parts.vision.get("norm_type"))
    if kind not in norms:
        raise parts.vision.wrong("norm_type", " or ".join(norms))
    merge = round(1 / parts.outer.number("downsample_ratio")) ** 2
    biases = 3 * d * parts.vision.flag("attention_bias") + d + m + d
    normed = 2 * d * parts.vision.flag("use_qk_norm")
    scales = 2 * d
    pooled = 0 if parts.vision.flag("use_mean_pooling", True) else 2 * d
    masks = d * parts.vision.flag("use_mask_token")
    llm = parts.llm_width
    return TransformerEncoder(
        name=parts.name,
        bridge=Bridge(
            merge=merge,
            steps=(Step(merge * d, llm), Step(llm, llm)),
            vectors=2 * merge * d + 2 * llm,
        ),
        width=d,
        heads=shape.heads,
        mlp=m,
        layers=shape.layers,
        layers_run=layers_up_to(parts, shape.layers),
        mlp_alive=mlp_copies(parts.vision),
        layer_vectors=biases + normed + scales + 2 * norms[kind],
        patch_values=3 * shape.patch**2,
        outer_params=d + positions * d * parts.vision.flag("use_absolute_position_embeddings") + masks + d + pooled,
    )


@dataclass(frozen=True, kw_only=True)
class _Phi4(TransformerEncoder):
    """Patches are pooled first, newlines added, and all of that runs through the connector."""

    def connector_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        yield from self.bridge.walk(images * seen.visual_tokens)


def _phi4(parts: Parts) -> Encoder:
    """SigLIP with a pooling head that is stored but not used; two embeddings of newlines."""
    shape, llm = _Shape.of(parts), parts.llm_width
    d, m = shape.width, shape.mlp
    used = parts.vision.get("feature_layer")
    if isinstance(used, bool) or not isinstance(used, int) or not -shape.layers <= used < 0:
        raise parts.vision.wrong("feature_layer", "a layer counted from the end, such as -2")
    head = pooling_head_params(d, m)
    return _Phi4(
        name=parts.name,
        bridge=Bridge(steps=(Step(d, llm), Step(llm, llm)), vectors=2 * llm + 2 * d),
        audio_params=phi4_audio(parts),
        width=d,
        heads=shape.heads,
        mlp=m,
        layers=shape.layers,
        layers_run=shape.layers + 1 + used,
        layer_vectors=plain_layer_vectors(d, m),
        mlp_alive=mlp_copies(parts.vision),
        patch_values=3 * shape.patch**2,
        outer_params=d + square_positions(parts) * d + 2 * d + head,
    )


def _aya(parts: Parts) -> Encoder:
    """Patches are put side by side, normed, and led through a gated MLP of which one half gates the other."""
    width, merge = parts.vision.count("hidden_size"), parts.outer.count("downsample_factor") ** 2
    between = parts.outer.count("alignment_intermediate_size", parts.llm_width)
    bridge = Bridge(
        merge=merge,
        steps=(Step(merge * width, between), Step(between // 2, parts.llm_width)),
        vectors=2 * merge * width + between + parts.llm_width,
    )
    return on_its_tower(parts, bridge)


def _reader(name: str, read: Callable[[Parts], Encoder]) -> None:
    ENCODER_READERS.register(EncoderReader(name=name, read=read))


_reader("llava", _llava)
_reader("llava_next", lambda parts: _llava(parts, newline=True))
_reader("llava_onevision", lambda parts: _llava(parts, newline=True))
_reader("paligemma", _paligemma)
_reader("gemma3", _gemma3)
_reader("idefics3", _idefics3)
_reader("smolvlm", _idefics3)
_reader("lfm2_vl", _lfm2)
_reader("internvl", _internvl)
_reader("aya_vision", _aya)
_reader("phi4_multimodal", _phi4)
