"""Gemma 4: a tower with gated MLPs and four norms a layer, pooled 3 x 3; the 12B has a patch embedding and no tower."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.parts.encoders.audio import gemma4_audio, gemma4_unified_audio
from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts, check_heads
from planner.parts.encoders.transformer import TransformerEncoder
from planner.parts.images import Seen
from planner.parts.walk import Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class PooledByProduct(TransformerEncoder):
    """Averages over patches are taken as a product: a matrix of tokens x patches, made for each image."""

    def connector_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        for view in seen.views:
            patches = view.rows * view.columns
            tokens = images * view.count * (patches / self.bridge.merge)
            yield Matmul(tokens, patches, self.width, stored=0.0, touched=0.0)
        yield from super().connector_walk(seen, images)


def _gemma4(parts: Parts) -> Encoder:
    vision = parts.vision
    d, m, layers = vision.count("hidden_size"), vision.count("intermediate_size"), vision.count("num_hidden_layers")
    head = vision.count("head_dim")
    check_heads(vision, d)
    return PooledByProduct(
        name=parts.name,
        bridge=Bridge(merge=vision.count("pooling_kernel_size") ** 2, steps=(Step(d, parts.llm_width),)),
        audio_params=gemma4_audio(parts),
        width=d,
        heads=vision.count("num_attention_heads"),
        mlp=m,
        layers=layers,
        layers_run=layers,
        gated=True,
        layer_vectors=4 * d + 2 * head,
        patch_values=3 * vision.count("patch_size") ** 2,
        outer_params=2 * vision.count("position_embedding_size") * d,
    )


@dataclass(frozen=True, kw_only=True)
class PatchEmbedding(Encoder):
    """No tower: the pixels of a token are led into the language model at once."""

    @property
    def tower_params(self) -> int:
        return 0

    def tower_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        yield from ()

    def activation_values(self, seen: Seen) -> int:
        return seen.visual_tokens * (self.bridge.steps[0].k + 2 * self.bridge.steps[0].n)


def _unified(parts: Parts) -> Encoder:
    """Norm, pixels -> d with bias, norm, positions of both directions with a norm, then d -> H without bias."""
    vision = parts.vision
    pixels = 3 * (vision.count("patch_size") * vision.count("pooling_kernel_size")) ** 2
    width = vision.count("mm_embed_dim")
    if vision.count("output_proj_dims") != width:
        raise vision.wrong("output_proj_dims", f"{width} like 'mm_embed_dim'")
    positions = 2 * vision.count("mm_posemb_size") * width
    bridge = Bridge(
        merge=vision.count("pooling_kernel_size") ** 2,
        steps=(Step(pixels, width), Step(width, parts.llm_width)),
        vectors=2 * pixels + width + 2 * width + positions + 2 * width,
    )
    return PatchEmbedding(name=parts.name, bridge=bridge, audio_params=gemma4_unified_audio(parts))


ENCODER_READERS.register(EncoderReader(name="gemma4", read=_gemma4, optional=True))
ENCODER_READERS.register(EncoderReader(name="gemma4_unified", read=_unified, optional=True))
