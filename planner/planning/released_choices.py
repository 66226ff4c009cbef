"""What plan() chooses from when it chooses among released models, out of what a user may pass."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from planner.base.errors import InputError
from planner.laws.shipped import as_law
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION
from planner.parts.images import ImageMix, ImageSize
from planner.parts.released import Models, find_checkpoints
from planner.planning.choices import LawLike
from planner.planning.deployment import several
from planner.planning.released import ReleasedAxes
from planner.planning.request import Load

Images: TypeAlias = (
    "str | os.PathLike[str] | ImageSize | tuple[int, int] | Iterable[str] | Mapping[str, float] | ImageMix"
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


def as_images(given: Images) -> ImageMix:
    """Sizes of images as they may be given, a CSV's path among them. Raises InputError."""
    if isinstance(given, os.PathLike) or (isinstance(given, str) and given.lower().endswith((".csv", ".tsv", ".txt"))):
        return ImageMix.read(given)
    return ImageMix.of(given)


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


def released_axes(
    models: Models,
    image: Images | None,
    law: LawLike | Mapping[str, LawLike],
    form: str | None,
    load: Load,
    precision: str | Iterable[str] | None,
) -> tuple[ReleasedAxes, tuple[str, ...]]:
    """The axes of a plan among released models, and the precisions that are tried: by default each model's own dtype.

    Raises:
        InputError: a name, an image or a law that cannot be used.
    """
    if isinstance(law, Mapping):
        raise InputError("law: a law for each compressor ranks what is to be trained; give one law with models=")
    assert image is not None
    axes = ReleasedAxes.of(find_checkpoints(models), as_images(image), as_law(law, form), load, precision is None)
    if precision is not None:
        return axes, tuple(several(precision))
    return axes, axes.own_precisions()
