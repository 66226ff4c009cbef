"""A model that takes no images."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.parts.images.base import ImageRule, Knob, Seen


@dataclass(frozen=True, kw_only=True)
class NoImages(ImageRule):
    """Refuses every image."""

    model: str

    def own_knobs(self) -> tuple[Knob, ...]:
        return ()

    def cut(self, width: int, height: int) -> Seen:
        raise InputError(f"{self.model} takes no images: it is a language model alone (--images 0)")
