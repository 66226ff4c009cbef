"""Patches with their places: Gemma 4. Its processor pads them to the budget of tokens; here there is no padding."""

from __future__ import annotations

from typing import Any

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Pixels, Random, grid_numbers


@dataclass(frozen=True, kw_only=True)
class PlacedPatches(PixelMaker):
    """Patches in [0, 1]: (B I, P, values of a patch), and (B I, P, 2): column, row of each.

    Where the patches of a token are put together first, P are tokens.
    """

    merged: bool = False
    """Whether a token's patches come as one."""
    typed: bool = True
    by_ids: bool = True

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        vision, places, (view,) = config.vision_config, prompts * images, model.seen.views
        merge = vision.pooling_kernel_size if self.merged else 1
        numbers = grid_numbers(view.rows // merge, view.columns // merge).flip(-1)
        made = random(places, len(numbers), 3 * (vision.patch_size * merge) ** 2)
        return {"pixel_values": made.sigmoid(), "image_position_ids": numbers.repeat(places, 1, 1)}


PIXEL_MAKERS.register(
    PlacedPatches(
        name="gemma4", connectors=("vision_tower.pooler", "embed_vision"), audio=("audio_tower", "embed_audio")
    )
)
PIXEL_MAKERS.register(
    PlacedPatches(name="gemma4_unified", connectors=("embed_vision",), audio=("embed_audio",), merged=True)
)
