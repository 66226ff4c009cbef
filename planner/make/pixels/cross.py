"""Tiles that cross-attention reads, padded to the most tiles of an image: Llama 3.2 Vision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Pixels, Random, shrunk_sides, view_shape
from planner.parts.images.canvas_tiles import CrossTiles

POSITIONS_PADDED_TO = 8
"""Positions of a tile are padded to a multiple, by the reference."""


@dataclass(frozen=True, kw_only=True)
class TilesBeside(PixelMaker):
    """Tiles: (B, I, most tiles, 3, s, s), whether each is one: (B, I, most tiles), and their layout: (B, I)."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        assert isinstance(model.rule, CrossTiles)
        rows, columns = model.rule.layout(*shrunk_sides(model))
        tiles = torch.arange(config.vision_config.max_num_tiles) < rows * columns
        made = random(prompts, images, len(tiles), *view_shape(model, config))
        layouts = [tuple(one) for one in config.vision_config.supported_aspect_ratios]
        return {
            "pixel_values": made * tiles[:, None, None, None].to(made.device, made.dtype),
            "aspect_ratio_mask": tiles.long().repeat(prompts, images, 1),
            "aspect_ratio_ids": torch.full((prompts, images), 1 + layouts.index((rows, columns))),
        }

    def image_features(self, model: Any, pixels: Pixels) -> Any:
        base = model.base_model
        return base.multi_modal_projector(base.vision_model(**pixels).last_hidden_state)

    def given(self, model: Any, pixels: Pixels, ids: Tensor) -> dict[str, Any]:
        """A token attends to the tiles of every image before it; (B, S, I, most tiles)."""
        tiles = pixels["aspect_ratio_mask"]
        before = (ids == self.image_token(model.config)).cumsum(-1)  # (B, S)
        seen = before[..., None] > torch.arange(tiles.shape[1], device=ids.device)
        return {**pixels, "cross_attention_mask": seen[..., None] * tiles[:, None]}

    def beside(self, model: Any, pixels: Pixels, tokens: int) -> dict[str, Tensor]:
        """Every token attends to all tiles: mask (B, 1, tokens, positions)."""
        features = self.image_features(model, pixels)  # (B, I, most tiles, positions of a tile, H)
        mask = features.new_zeros(len(features), 1, tokens, features[0, ..., 0].numel())
        return {
            "cross_attention_states": features.reshape(-1, *features.shape[-2:]),
            "cross_attention_mask": mask,
        }

    def masking_flops(self, model: Any, pixels: Pixels) -> int:
        """An outer product, (n, 1) x (1, n), for the n positions of each image."""
        places, images, tiles = pixels["aspect_ratio_mask"].shape
        tile = -(-model.base_model.vision_model.num_patches // POSITIONS_PADDED_TO) * POSITIONS_PADDED_TO
        return int(2 * places * images * (tiles * tile) ** 2)


PIXEL_MAKERS.register(TilesBeside(name="mllama"))
