"""What a released model's image processor would hand over: random pixels in the shapes of its image rule.

Each kind of model has a maker: the tensors by the names of the model's own arguments, and where its connector stands.
A kind without a maker is refused.

Letters: B prompts, I images each, T views of an image, P patches of an image, s side of a view in pixels.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from planner.base.errors import InputError
from planner.base.registry import Registry
from planner.configuration import ReleasedModel
from planner.parts.images.base import shrunk

Random = Callable[..., Tensor]
"""Shape -> normally distributed numbers on the device and in the precision of the model."""


@dataclass(frozen=True, kw_only=True)
class PixelMaker(ABC):
    """Image inputs of one kind of model."""

    name: str
    """The model type of its config."""
    connectors: tuple[str, ...] = ("multi_modal_projector",)
    """Modules of the model without its head that lead from the tower into the language model."""
    towers: tuple[str, ...] = ()
    """Types of vision tower that it can feed; empty: the kind has one only."""
    typed: bool = False
    """Whether a prompt with images says which of its tokens are of an image."""

    @abstractmethod
    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> dict[str, Tensor]:
        """The tensors of so many prompts with so many images each, by the names of the model's arguments.

        Args:
            model: with one size of image, which is not none.
            config: of transformers.
            prompts: B.
            images: I.
            random: makes numbers.
        """

    def config_values(self, model: ReleasedModel) -> dict[str, Any]:
        """What turned knobs change in the config of the model itself."""
        return {}

    def check(self, model: ReleasedModel, values: Mapping[str, Any]) -> None:
        """Raises InputError for a tower that it cannot feed."""
        tower = (values.get("vision_config") or {}).get("model_type")
        if self.towers and tower not in self.towers:
            raise InputError(
                f"{model.checkpoint.name}: expected a vision tower of {' or '.join(self.towers)}, got {tower}: no "
                "image inputs can be made for another here"
            )


PIXEL_MAKERS: Registry[PixelMaker] = Registry("kind of image inputs", PixelMaker)
"""By model type."""


def find_maker(model: ReleasedModel, values: Mapping[str, Any]) -> PixelMaker:
    """The maker of a model by its config. Raises InputError where there is none."""
    kind = values.get("model_type")
    found = PIXEL_MAKERS.get(kind)
    if found is None:
        raise InputError(
            f"{model.checkpoint.name} cannot be run here: no image inputs can be made for the model type {kind}; "
            f"expected one of {', '.join(PIXEL_MAKERS.names())}"
        )
    found.check(model, values)
    return found


@dataclass(frozen=True, kw_only=True)
class Views(PixelMaker):
    """Squares of one size: (B I T, 3, s, s)."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> dict[str, Tensor]:
        return {"pixel_values": random(prompts * images * model.seen.tiles, *_view_shape(model, config))}


@dataclass(frozen=True, kw_only=True)
class ViewsOfPrompts(PixelMaker):
    """Squares of one size, gathered by prompt: (B, I T, 3, s, s)."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> dict[str, Tensor]:
        return {"pixel_values": random(prompts, images * model.seen.tiles, *_view_shape(model, config))}


@dataclass(frozen=True, kw_only=True)
class Canvases(PixelMaker):
    """A base view and the tiles of a canvas, with the size of the image: (B I, T, 3, s, s) and (B I, 2)."""

    counted: bool = False
    """Whether the model is told how many images each prompt has."""
    knobs: tuple[str, ...] = ("image_grid_pinpoints",)
    """Settings that stand in the model's config too."""

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> dict[str, Tensor]:
        assert model.image is not None
        places = prompts * images
        width, height = shrunk(model.image.width, model.image.height, model.rule.resize_longest_edge)
        found = {
            "pixel_values": random(places, model.seen.tiles, *_view_shape(model, config)),
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


@dataclass(frozen=True, kw_only=True)
class Patches(PixelMaker):
    """Flattened patches of grids of any shape: (B I P, values of a patch), and (B I, 3): times, rows, columns."""

    typed: bool = True

    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> dict[str, Tensor]:
        vision, places, (view,) = config.vision_config, prompts * images, model.seen.views
        values = 3 * vision.temporal_patch_size * vision.patch_size**2
        return {
            "pixel_values": random(places * view.patches, values),
            "image_grid_thw": torch.tensor([[1, view.rows, view.columns]] * places),
        }


def _view_shape(model: ReleasedModel, config: Any) -> tuple[int, int, int]:
    """(3, height, width) of a view in pixels."""
    (view,) = model.seen.views
    patch = config.vision_config.patch_size
    down, across = patch if isinstance(patch, (list, tuple)) else (patch, patch)
    return 3, view.rows * down, view.columns * across


_SQUARE_TOWERS = ("clip_vision_model", "siglip_vision_model")

PIXEL_MAKERS.register(Views(name="llava", towers=_SQUARE_TOWERS))
PIXEL_MAKERS.register(Canvases(name="llava_next", towers=_SQUARE_TOWERS))
PIXEL_MAKERS.register(
    Canvases(
        name="llava_onevision",
        towers=_SQUARE_TOWERS,
        counted=True,
        knobs=("image_grid_pinpoints", "vision_aspect_ratio"),
    )
)
for name in ("internvl", "gemma3", "paligemma"):
    PIXEL_MAKERS.register(Views(name=name))
for name in ("idefics3", "smolvlm"):
    PIXEL_MAKERS.register(ViewsOfPrompts(name=name, connectors=("connector",)))
for name in ("qwen2_vl", "qwen2_5_vl", "glm4v", "glm4v_moe"):
    PIXEL_MAKERS.register(Patches(name=name, connectors=("visual.merger",)))
for name in ("qwen3_vl", "qwen3_vl_moe"):
    PIXEL_MAKERS.register(Patches(name=name, connectors=("visual.merger", "visual.deepstack_merger_list")))
