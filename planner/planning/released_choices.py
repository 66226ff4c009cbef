"""What plan() chooses from when it chooses among released models, out of what a user may pass."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from planner.base.errors import InputError
from planner.counting import found_for_a_plan
from planner.hardware import Hardware, check_bf16
from planner.parts.images import ImageMix
from planner.parts.released import Models, find_checkpoints
from planner.planning.choices import LawLike, law_of
from planner.planning.deployment import several
from planner.planning.question import Images
from planner.planning.ranking import ERROR
from planner.planning.released import ReleasedAxes
from planner.planning.request import Load


def as_images(given: Images) -> ImageMix:
    """Sizes of images as they may be given, a CSV's path among them. Raises InputError."""
    if isinstance(given, os.PathLike) or (isinstance(given, str) and given.lower().endswith((".csv", ".tsv", ".txt"))):
        return ImageMix.read(given)
    return ImageMix.of(given)


def released_axes(
    models: Models,
    image: Images | None,
    law: LawLike | Mapping[str, LawLike],
    form: str | None,
    load: Load,
    precision: str | Iterable[str] | None,
    card: Hardware | None,
    rank_by: str = ERROR,
) -> tuple[ReleasedAxes, tuple[str, ...]]:
    """The axes of a plan among released models, and the precisions that are tried: by default each model's own dtype,
    or what stands in for it on a card that has no bf16.

    Raises:
        InputError: a name, an image or a law that cannot be used, bf16 on a card that has none.
    """
    if isinstance(law, Mapping):
        raise InputError("law: a law for each compressor ranks what is to be trained; give one law with models=")
    assert image is not None
    axes = ReleasedAxes.of(
        find_checkpoints(models, found_for_a_plan),
        as_images(image),
        law_of(law, form) if rank_by == ERROR else None,
        load,
        precision is None,
        rank_by,
    )
    if precision is None:
        return axes, axes.own_precisions(card)
    asked = several(precision)
    check_bf16(card, asked)
    return axes, asked
