"""Flattened patches of grids of any shape: Qwen-VL, GLM-V."""

from __future__ import annotations

from typing import Any

import torch

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Pixels, Random


@dataclass(frozen=True, kw_only=True)
class Patches(PixelMaker):
    """Flattened patches of grids of any shape: (B I P, values of a patch), and (B I, 3): times, rows, columns."""

    typed: bool = True

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        vision, places, (view,) = config.vision_config, prompts * images, model.seen.views
        values = 3 * vision.temporal_patch_size * vision.patch_size**2
        return {
            "pixel_values": random(places * view.patches, values),
            "image_grid_thw": torch.tensor([[1, view.rows, view.columns]] * places),
        }


for name in ("qwen2_vl", "qwen2_5_vl", "qwen3_5", "qwen3_5_moe", "glm4v", "glm4v_moe"):
    PIXEL_MAKERS.register(Patches(name=name, connectors=("visual.merger",)))
for name in ("qwen3_vl", "qwen3_vl_moe"):
    PIXEL_MAKERS.register(Patches(name=name, connectors=("visual.merger", "visual.deepstack_merger_list")))
