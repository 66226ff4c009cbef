"""Two questions that a plan may answer, and that are not to be mixed: which model that exists, or what to train."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from planner.base.errors import InputError
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION
from planner.planning.deployment import several

if TYPE_CHECKING:
    from planner.parts.images import ImageMix, ImageSize
    from planner.parts.released import Models

Images: TypeAlias = (
    "str | os.PathLike[str] | ImageSize | tuple[int, int] | Iterable[str | ImageSize | tuple[int, int]] | "
    "Mapping[str, float] | Mapping[tuple[int, int], float] | ImageMix"
)
"""How the sizes of images may be given."""

_TO_BUILD_FROM: dict[str, Any] = {
    "llms": None,
    "visual_tokens": None,
    "vision": DEFAULT_VISION,
    "compressor": DEFAULT_COMPRESSOR,
    "connector": DEFAULT_CONNECTOR,
    "prompt_order": "image-first",
}
"""Arguments that choose parts to build from, with their defaults."""


def check_question(models: Models | None, image: Images | None, parts: Mapping[str, Any]) -> None:
    """Two questions are not to be mixed: which model that exists, or what to train.

    Raises:
        InputError: arguments of both, or released models without the size of an image.
    """
    if models is None:
        if image is not None:
            raise InputError(
                "image: the size of an image decides for released models only; name some with models=, such as "
                "models='released', or give visual_tokens= for what is to be trained"
            )
        return
    for name, usual in _TO_BUILD_FROM.items():
        if parts[name] != usual and several(parts[name]) != (usual,):
            raise InputError(
                f"{name}: chooses what to train, and models= chooses among released models, which bring their own "
                f"parts; leave out {name}= or models="
            )
    if image is None:
        raise InputError("image: released models need the size of an image, such as image='1024x768'")
