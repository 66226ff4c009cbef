"""Images in their own shape: Pixtral under LLaVA and Mistral 3, and LFM2-VL, which adds tiles.

The reference puts all images of a call into one sequence and masks the pairs that are not of one image (Pixtral), or
pads all views to the largest (LFM2-VL). Engines do neither and no count means it, so images run one after the other
here, and so do views of one shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.configuration import ReleasedModel
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Pixels, Random, view_shape
from planner.make.pixels.squares import Views


@dataclass(frozen=True, kw_only=True)
class Natives(PixelMaker):
    """Images of one shape: (B I, 3, height, width), and (B I, 2): height, width."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        places, (_, height, width) = prompts * images, view_shape(model, config)
        return {
            "pixel_values": random(places, 3, height, width),
            "image_sizes": torch.tensor([[height, width]] * places),
        }

    def calls(self, pixels: Pixels) -> Sequence[tuple[Pixels, Sequence[int]]]:
        count = len(pixels["image_sizes"])
        return [({key: value[one : one + 1] for key, value in pixels.items()}, (one,)) for one in range(count)]


@dataclass(frozen=True, kw_only=True)
class ByTower(PixelMaker):
    """A kind whose vision towers want different inputs: LLaVA."""

    makers: Mapping[str, PixelMaker]
    """By the type of tower."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        found = self.chosen({"vision_config": {"model_type": config.vision_config.model_type}})
        return found.pixels(model, config, prompts, images, random)

    def chosen(self, values: Mapping[str, Any]) -> PixelMaker:
        tower = (values.get("vision_config") or {}).get("model_type")
        if not isinstance(tower, str) or tower not in self.makers:
            raise InputError(
                f"no image inputs can be made for a {self.name} with a vision tower of {tower}; expected "
                f"{' or '.join(self.makers)}"
            )
        return self.makers[tower]


@dataclass(frozen=True, kw_only=True)
class PaddedViews(PixelMaker):
    """Patches of views, padded to the largest: (B I T, P, values of a patch), their mask (B I T, P), and (B I T, 2):
    rows, columns."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        grids = [(view.rows, view.columns) for view in model.seen.views for _ in range(view.count)] * prompts * images
        most = max(rows * columns for rows, columns in grids)
        mask = torch.tensor([[place < rows * columns for place in range(most)] for rows, columns in grids]).long()
        values = 3 * config.vision_config.patch_size**2
        made = random(len(grids), most, values)
        return {
            "pixel_values": made * mask[..., None].to(made.device, made.dtype),
            "pixel_attention_mask": mask,
            "spatial_shapes": torch.tensor(grids),
        }

    def calls(self, pixels: Pixels) -> Sequence[tuple[Pixels, Sequence[int]]]:
        places: dict[tuple[int, int], list[int]] = {}
        for place, (rows, columns) in enumerate(pixels["spatial_shapes"].tolist()):
            places.setdefault((rows, columns), []).append(place)
        found = []
        for (rows, columns), some in places.items():
            one = {key: value[some] for key, value in pixels.items()}
            for key in ("pixel_values", "pixel_attention_mask"):
                one[key] = one[key][:, : rows * columns]
            found.append((one, some))
        return found


PIXEL_MAKERS.register(
    ByTower(
        name="llava",
        makers={
            "clip_vision_model": Views(name="llava"),
            "siglip_vision_model": Views(name="llava"),
            "pixtral": Natives(name="llava"),
        },
    )
)
PIXEL_MAKERS.register(Natives(name="mistral3"))
PIXEL_MAKERS.register(PaddedViews(name="lfm2_vl"))
