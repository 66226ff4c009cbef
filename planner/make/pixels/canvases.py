"""A base view and the tiles of a canvas: LLaVA-NeXT and LLaVA-OneVision."""

from __future__ import annotations

import json
from typing import Any

import torch

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Pixels, Random, shrunk_sides
from planner.parts.images.anyres import Anyres

SQUARE_TOWERS = ("clip_vision_model", "siglip_vision_model")


@dataclass(frozen=True, kw_only=True)
class Canvases(PixelMaker):
    """A base view and the tiles of a canvas, with the size of the image: (B I, T, 3, s, s) and (B I, 2)."""

    counted: bool = False
    """Whether the model is told how many images each prompt has."""
    knobs: tuple[str, ...] = ("image_grid_pinpoints",)
    """Settings that stand in the model's config too."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        assert isinstance(model.rule, Anyres)
        places, side = prompts * images, model.rule.tile  # not always whole patches
        width, height = shrunk_sides(model)
        found = {
            "pixel_values": random(places, model.seen.tiles, 3, side, side),
            "image_sizes": torch.tensor([[height, width]] * places),
        }
        if self.counted:
            found["batch_num_images"] = torch.tensor([images] * prompts)
        return found

    def config_values(self, model: ReleasedModel) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.knobs:
            text = str(model.rule.setting(name))
            found[name] = json.loads(text) if text.startswith("[") else text
        return found


PIXEL_MAKERS.register(Canvases(name="llava_next", towers=SQUARE_TOWERS))
PIXEL_MAKERS.register(
    Canvases(
        name="llava_onevision",
        towers=SQUARE_TOWERS,
        counted=True,
        knobs=("image_grid_pinpoints", "vision_aspect_ratio"),
    )
)
