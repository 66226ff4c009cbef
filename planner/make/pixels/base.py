"""What every maker of image inputs says: the tensors by the names of the model's own arguments, and where its connector
stands.

Letters: B prompts, I images each, T views of an image, P patches of an image, s side of a view in pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.registry import Registry
from planner.configuration import ReleasedModel
from planner.parts.images.base import shrunk

Random = Callable[..., Tensor]
"""Shape -> normally distributed numbers on the device and in the precision of the model."""
Pixels = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class PixelMaker(ABC):
    """Image inputs of one kind of model."""

    name: str
    """The model type of its config."""
    connectors: tuple[str, ...] = ("multi_modal_projector",)
    """Modules of the model without its head that lead from the tower into the language model."""
    audio: tuple[str, ...] = ()
    """Modules of the model without its head that hear; they do not run on images."""
    apart: tuple[str, ...] = ()
    """Modules inside of its language model that are of images or sound."""
    unused: tuple[str, ...] = ()
    """Modules that the reference runs though nothing is done with what they give."""
    packages: tuple[str, ...] = ()
    """Beside transformers, that its vision tower is built by."""
    towers: tuple[str, ...] = ()
    """Types of vision tower that it can feed; empty: the kind has one only."""
    typed: bool = False
    """Whether a prompt with images says which of its tokens are of an image."""
    by_ids: bool = False
    """Whether the language model looks up more than the embedding of a token, so that it takes a prompt by its ids."""

    @abstractmethod
    def pixels(self, model: ReleasedModel, config: Any, prompts: int, images: int, random: Random) -> Pixels:
        """The tensors of so many prompts with so many images each, by the names of the model's arguments.

        Args:
            model: with one size of image, which is not none.
            config: of transformers.
            prompts: B.
            images: I.
            random: makes numbers.
        """

    def chosen(self, values: Mapping[str, Any]) -> PixelMaker:
        """The maker of a config; itself, where the kind has one only."""
        return self

    def config_values(self, model: ReleasedModel) -> dict[str, Any]:
        """What turned knobs change in the config of the model itself."""
        return {}

    def check(self, model: ReleasedModel, values: Mapping[str, Any]) -> None:
        """Raises InputError for a tower that it cannot feed, and where a package is missing."""
        missing = [name for name in self.packages if find_spec(name) is None]
        if missing:
            raise InputError(
                f"{model.checkpoint.name} cannot be run here: its vision tower is built by {' and '.join(missing)}; "
                f"expected it to be installed: pip install {' '.join(missing)}"
            )
        tower = (values.get("vision_config") or {}).get("model_type")
        if self.towers and tower not in self.towers:
            raise InputError(
                f"{model.checkpoint.name}: expected a vision tower of {' or '.join(self.towers)}, got {tower}: no "
                "image inputs can be made for another here"
            )

    def tower(self, model: Any) -> Any:
        """The vision tower of a built model, None where there is none."""
        found = model.get_encoder(modality="image")
        return None if found in (model, model.base_model) else found

    def decoder(self, model: Any) -> Any:
        """The language model of a built model, without its head."""
        return model.get_decoder()

    def image_token(self, config: Any) -> int:
        """The token id that stands for a token of an image."""
        return int(config.image_token_id)

    def special_tokens(self, config: Any) -> set[int]:
        """Token ids that are no text."""
        found = (getattr(config, name, None) for name in ("video_token_id", "audio_token_id"))
        return {self.image_token(config), *(one for one in found if isinstance(one, int))}

    def image_features(self, model: Any, pixels: Pixels) -> Any:
        """Tower and connector of a built model over the images of some prompts."""
        found = [model.get_image_features(**one) for one, _ in self.calls(pixels)]
        return found if len(found) > 1 else found[0]

    def calls(self, pixels: Pixels) -> Sequence[tuple[Pixels, Sequence[int]]]:
        """Inputs of calls that go one after the other, with the images or views that each is for.

        Several, where the reference would pad to the largest or compute pairs of patches that a mask drops.
        """
        return [(pixels, ())]

    def given(self, model: Any, pixels: Pixels, ids: Tensor) -> dict[str, Any]:
        """What the whole model is called with beside a prompt's ids (B, S) for the images in it."""
        calls = self.calls(pixels)
        if len(calls) == 1:
            typed = {"mm_token_type_ids": (ids == self.image_token(model.config)).int()} if self.typed else {}
            return {**pixels, **typed}
        found: dict[int, Tensor] = {}
        for one, places in calls:
            found.update(zip(places, model.get_image_features(**one).pooler_output, strict=True))
        features = BaseModelOutputWithPooling(pooler_output=tuple(found[place] for place in sorted(found)))  # type: ignore[arg-type]
        return {"mm_encoder_outputs": {"image": features}}

    def beside(self, model: Any, pixels: Pixels, tokens: int) -> dict[str, Tensor]:
        """What the language model is called with beside so many tokens: features of images, where it looks at them."""
        return {}

    def masking_flops(self, model: Any, pixels: Pixels) -> int:
        """FLOPs of products by which the reference makes a mask of its tower, which no count means."""
        return 0


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
    chosen = found.chosen(values)
    chosen.check(model, values)
    return chosen


def shrunk_sides(model: ReleasedModel) -> tuple[int, int]:
    """Width and height of the image as the processor gets it."""
    assert model.image is not None
    return shrunk(model.image.width, model.image.height, model.rule.resize_longest_edge)


def view_shape(model: ReleasedModel, config: Any) -> tuple[int, int, int]:
    """(3, height, width) of a view in pixels, where all are alike."""
    (view,) = model.seen.views
    patch = config.vision_config.patch_size
    down, across = patch if isinstance(patch, (list, tuple)) else (patch, patch)
    return 3, view.rows * down, view.columns * across


def grid_numbers(rows: int, columns: int) -> Tensor:
    """(rows x columns, 2): the row and the column of each patch, row by row."""
    return torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
