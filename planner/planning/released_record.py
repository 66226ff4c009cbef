"""What a plan's file holds of released models: by name, since their files are published or shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

from planner.base.codec import SPARSE
from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.place import Place
from planner.base.stored import COUNT
from planner.configuration import ReleasedModel
from planner.parts.images import ImageMix, ImageSize
from planner.parts.released import Checkpoint, Selection, find_checkpoint
from planner.planning.tried import Released

RELEASED = "released"
TO_BE_TRAINED = "to be trained"


@dataclass(frozen=True)
class KnobRecord:
    """A knob that is turned."""

    name: str
    value: int | bool | str


@dataclass(frozen=True)
class ReleasedInputs:
    """The released models that were asked for, and the images."""

    models: tuple[str, ...]
    """Hub ids of all that were compared, or folders of models that have none."""
    image_sizes: tuple[str, ...]
    image_shares: tuple[float, ...]
    image_source: str
    own_dtype: bool
    """Whether each ran in the dtype that its files name."""
    refused: tuple[tuple[str, str], ...]
    """What was left out, with the reason."""
    beyond_context: tuple[tuple[str, Annotated[int, COUNT]], ...]
    """Models that the request is too long for, with how many of their candidates."""
    asked: tuple[str, ...] = field(default=(), metadata=SPARSE)
    """What was asked for, as it was typed: "released", families, hub ids, folders."""

    @classmethod
    def of(cls, tried: Released) -> ReleasedInputs:
        """Of what was chosen from."""
        selection, mix = tried.selection, tried.images
        return cls(
            models=tuple(map(source_of, selection.checkpoints)),
            image_sizes=tuple(map(str, mix.sizes)),
            image_shares=mix.shares,
            image_source=mix.source,
            own_dtype=tried.own_dtype,
            refused=tried.refused,
            beyond_context=tried.beyond_context,
            asked=selection.asked,
        )

    def tried(self, place: Place) -> Released:
        """What was chosen from. Raises InputError where a model is gone."""
        try:
            checkpoints = tuple(map(find_checkpoint, self.models))
            sizes = tuple(map(ImageSize.parse, self.image_sizes))
        except InputError as error:
            raise place.complaint(str(error)) from None
        if len(sizes) != len(self.image_shares):
            raise place.at("image_shares").wrong(f"{len(sizes)} shares", len(self.image_shares))
        images = ImageMix(sizes, self.image_shares, self.image_source)
        selection = Selection(checkpoints, refused=self.refused, asked=self.asked)
        return Released(selection, images, self.own_dtype, self.beyond_context)


def source_of(checkpoint: Checkpoint) -> str:
    """By what a checkpoint is found again."""
    return checkpoint.hub_id or checkpoint.source


def released_fields(model: ReleasedModel) -> dict[str, Any]:
    """The fields of a candidate's record that say which released model it is."""
    turned = [KnobRecord(name, value) for name, value in model.turned.items()]
    return {
        "model": model.checkpoint.name,
        "hub_id": model.checkpoint.hub_id or None,
        "model_source": source_of(model.checkpoint),
        "knob": turned[0] if turned else None,
        "image": str(model.image),
        "params": model.params_by_part(),
    }


def restored_model(
    source: str, image: str, knob: KnobRecord | str | None, params: Mapping[str, int], images: int, place: Place
) -> ReleasedModel:
    """The released model of a candidate's record. Raises InputError where it is gone, or another one by now."""
    knobs = {knob.name: knob.value} if isinstance(knob, KnobRecord) else {}
    try:
        found = ReleasedModel.of_checkpoint(source, image, knobs=knobs, images=images)
    except InputError as error:
        raise place.complaint(str(error)) from None
    if found.params_by_part() != dict(params):
        raise place.at("params").complaint(
            f"{params.get('total')} parameters were planned, {source} has {found.params} now"
        )
    return found
