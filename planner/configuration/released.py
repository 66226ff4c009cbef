"""A released model, for images that are cut in one way."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import field
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.configuration.model import Model
from planner.parts.images import ImageRule, ImageSize, Seen, settings_text
from planner.parts.images.base import Setting
from planner.parts.released import Checkpoint, OwnConnector, SeenTower, find_checkpoint, nothing_after
from planner.parts.walk import Number

_SETTING = re.compile(r", (?=\w+=)")
"""Where the text of an image goes on with a knob; values may hold commas too."""


@dataclass(frozen=True, repr=False, kw_only=True)
class ReleasedModel(Model):
    """A checkpoint with its knobs turned, and the image that it sees.

    `visual_tokens` is what an image adds to the prompt, its start, end and row tokens included; `seen` holds the tokens
    that carry features, which the law means.
    """

    checkpoint: Checkpoint
    rule: ImageRule
    """How images are cut, with the knobs as they are turned."""
    image: ImageSize | None
    """None where there is none."""
    seen: Seen
    turned: Mapping[str, Setting] = field(default_factory=dict, hash=False)
    """The knobs that were turned, by name."""

    @classmethod
    def of_checkpoint(
        cls,
        model: str | os.PathLike[str] | Checkpoint,
        image: ImageSize | str | None,
        *,
        knobs: Mapping[str, object] | None = None,
        images: int = 1,
    ) -> ReleasedModel:
        """A released model by name, with one size of image.

        Args:
            model: hub id, folder, config.json or the checkpoint itself.
            image: width x height in pixels, such as "1024x768"; None: no image.
            knobs: settings of its image processor, by name.
            images: of a prompt; some models cut an image that has company in another way.

        Raises:
            InputError: a model, size or knob that cannot be used, in one sentence.
        """
        found = find_checkpoint(model)
        rule = found.rule.turned(knobs or {})
        if image is None:
            return cls._seen(found, rule, None, Seen(0, ()), knobs or {})
        size = image if isinstance(image, ImageSize) else ImageSize.parse(image)
        return cls._seen(found, rule, size, rule.see(size.width, size.height, max(images, 1)), knobs or {})

    @classmethod
    def of_names(cls, model: Checkpoint, image: str, *, images: int = 1) -> ReleasedModel:
        """A released model by what `names` says of its image: "1024x768, max_pixels=401408". Raises InputError."""
        size, *settings = _SETTING.split(image)
        knobs: dict[str, object] = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            knobs[name] = value
        return cls.of_checkpoint(model, size, knobs=knobs, images=images)

    @classmethod
    def _seen(
        cls, found: Checkpoint, rule: ImageRule, image: ImageSize | None, seen: Seen, knobs: Mapping[str, object]
    ) -> ReleasedModel:
        return cls(
            llm=found.llm,
            tower=SeenTower.of(found.encoder, seen),
            compressor=OwnConnector(encoder=found.encoder, seen=seen),
            visual_tokens=seen.prompt_tokens if image is not None else 0,
            connector=nothing_after(),
            checkpoint=found,
            rule=rule,
            image=image,
            seen=seen,
            turned={rule.knob(name).name: rule.setting(name) for name in knobs},
        )

    def __str__(self) -> str:
        if self.image is None:
            return f"{self.checkpoint.name} without an image"
        tokens = self.seen.visual_tokens
        return f"{self.checkpoint.name} with {tokens} visual token{'' if tokens == 1 else 's'} for {self.image}"

    def __repr__(self) -> str:
        return f"ReleasedModel({self})"

    @property
    def knob(self) -> str:
        """The knobs that are turned as they are typed, "max_pixels=401408"; "" where everything is as published."""
        return settings_text(self.turned)

    @property
    def sequence_tokens(self) -> Number:
        return self.visual_tokens

    @property
    def beside_tokens(self) -> Number:
        return 0 if self.image is None else self.seen.beside_tokens

    def stored_llm_bytes(self, precision: str) -> float | None:
        found = self.checkpoint.quantisation
        return None if found is None or found.precision != precision else found.weights_bytes(self.llm)

    @property
    def params(self) -> int:
        return self.checkpoint.params

    def params_by_part(self) -> dict[str, int]:
        return self.checkpoint.params_by_part()

    @property
    def names(self) -> dict[str, Any]:
        """With the image and the knobs that are turned: "1024x768, max_pixels=401408"."""
        knobs = settings_text(self.turned)
        image = "" if self.image is None else str(self.image)
        return {
            **super().names,
            "llm": self.checkpoint.name,
            "vision": self.checkpoint.encoder.name,
            "image": f"{image}, {knobs}" if knobs else image,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        told, of_images = self.checkpoint.notes, self.checkpoint.image_notes
        if self.image is None:
            return tuple(one for one in told if one not in of_images)
        return (*told, *self.rule.remarks(self.turned))

    @property
    def stack_key(self) -> Hashable:
        """Of itself: every image and knob has a vision side of its own."""
        return self.checkpoint.source, *self.names.values()

    def columns(self, models: Sequence[Model]) -> Model:
        return self

    @property
    def tokens_move_alone(self) -> bool:
        """A knob changes the tower's work as well."""
        return False

    def to_dict(self) -> dict[str, Any]:
        """By the name of the checkpoint, its knobs and the image."""
        return {
            "model": self.checkpoint.hub_id or self.checkpoint.source,
            "image": None if self.image is None else str(self.image),
            "knobs": dict(self.turned),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ReleasedModel:
        """The model of a dictionary that `to_dict` made. Raises InputError where it is not known here."""
        if not isinstance(content, Mapping) or "model" not in content:
            raise InputError("no released model: 'model' is missing")
        return cls.of_checkpoint(content["model"], content.get("image"), knobs=content.get("knobs"))
