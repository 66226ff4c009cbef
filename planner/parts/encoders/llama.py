"""Llama 4 and Llama 3.2 Vision. The latter's tiles see one another, padded to the most tiles and to multiples of 8."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.parts.configs.values import Values
from planner.parts.encoders.base import Bridge, Encoder, Step
from planner.parts.encoders.reading import ENCODER_READERS, EncoderReader, Parts, check_heads, side
from planner.parts.encoders.transformer import TransformerEncoder, mlp_copies, plain_layer_vectors
from planner.parts.images import Seen
from planner.parts.walk import Attention, Kernel, Number


def _llama4(parts: Parts) -> Encoder:
    """Pixel shuffle, then two matrices as the tower's adapter and one of the model, none with a bias."""
    vision = parts.vision
    d, m, layers = vision.count("hidden_size"), vision.count("intermediate_size"), vision.count("num_hidden_layers")
    check_heads(vision, d)
    patch = side(vision, "patch_size")
    positions = (side(vision, "image_size") // patch) ** 2 + 1
    merge = round(1 / vision.number("pixel_shuffle_ratio")) ** 2
    inner, wide = vision.count("projector_output_dim"), merge * d
    if m != wide or {vision.count("projector_input_dim"), vision.count("vision_output_dim")} != {inner}:
        raise SpecError(
            f"{parts.name}: expected 'intermediate_size' to be {wide}, the width of {merge} patches, and "
            f"'projector_input_dim', 'projector_output_dim' and 'vision_output_dim' to be equal, got {m} and "
            f"{vision.count('projector_input_dim')}, {inner} and {vision.count('vision_output_dim')}"
        )
    return TransformerEncoder(
        name=parts.name,
        bridge=Bridge(merge=merge, steps=(Step(wide, inner), Step(inner, inner), Step(inner, parts.llm_width))),
        width=d,
        heads=vision.count("num_attention_heads"),
        mlp=m,
        layers=layers,
        layers_run=layers,
        layer_vectors=plain_layer_vectors(d, m),
        mlp_alive=mlp_copies(vision),
        patch_values=3 * patch**2,
        outer_params=d + positions * d + 4 * d,
    )


PADDED_TO = 8
"""Positions of a tile are padded to a multiple."""


@dataclass(frozen=True, kw_only=True)
class TilesTogether(TransformerEncoder):
    """All tiles of an image as one sequence."""

    tile_positions: int
    tiles: int
    """That an image is padded to."""

    def embedded_patches(self, seen: Seen) -> int:
        return self.tiles * (self.tile_positions - seen.class_tokens)

    def positions(self, seen: Seen) -> int:
        return self.tiles * (-(-self.tile_positions // PADDED_TO) * PADDED_TO)

    def attention(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        yield Attention.bidirectional(self.layers_run, images, self.positions(seen), self.width, self.head_size)

    def connector_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        yield from self.bridge.walk(images * self.tiles * self.tile_positions)


def _ratios(vision: Values, tiles: int) -> int:
    """Ways of laying out tiles; a config that lists none means the eight rectangles of at most four tiles."""
    given = vision.get("supported_aspect_ratios")
    if given is None and tiles == 4:
        return 8
    if not isinstance(given, list | tuple):
        raise vision.wrong("supported_aspect_ratios", f"a list, since it has {tiles} tiles")
    return len(given)


def _mllama(parts: Parts) -> Encoder:
    """32 layers and 8 gated ones behind them; features of some layers are put side by side."""
    vision = parts.vision
    d, m = vision.count("hidden_size"), vision.count("intermediate_size")
    local, deep = vision.count("num_hidden_layers"), vision.count("num_global_layers")
    check_heads(vision, d, "attention_heads")
    patch, tiles = side(vision, "patch_size"), vision.count("max_num_tiles")
    positions = (side(vision, "image_size") // patch) ** 2 + 1
    ratios = _ratios(vision, tiles) + 1
    tables = 3 + positions * d + ratios * tiles * positions * d + 2 * ratios * tiles * d
    out = vision.count("vision_output_dim")
    return TilesTogether(
        name=parts.name,
        bridge=Bridge(steps=(Step(out, parts.llm_width),), vectors=parts.llm_width),
        width=d,
        heads=vision.count("attention_heads"),
        mlp=m,
        layers=local + deep,
        layers_run=local + deep,
        layer_vectors=plain_layer_vectors(d, m) - 4 * d,  # projections without biases
        mlp_alive=mlp_copies(vision),
        kept=out - d,  # features of other layers
        patch_values=3 * patch**2,
        outer_params=d + tables + 4 * d + 2 * deep,
        tile_positions=positions,
        tiles=tiles,
    )


ENCODER_READERS.register(EncoderReader(name="llama4", read=_llama4))
ENCODER_READERS.register(EncoderReader(name="mllama", read=_mllama))
