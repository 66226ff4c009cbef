"""Pixtral and Mistral 3 (native resolution), and LLaVA, which has either CLIP's square or Pixtral's patches.

    shrunk so that the longer side is at most `longest_edge`, sides rounded up to blocks of patch x merge;
    tokens = rows x columns, and after each row a break token (the last one ends the image).

Source: `PixtralImageProcessor` in transformers 5.23.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.images.base import ImageRule, Knob, Seen, View
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader, Values, whole
from planner.parts.images.square import Square


@dataclass(frozen=True, kw_only=True)
class NativeResolution(ImageRule):
    """Blocks of the image as it comes, up to a longest side."""

    patch: int
    merge: int
    longest_edge: int
    longest_edge_max: int
    """Where the tower's table of positions ends, in pixels."""

    @property
    def block(self) -> int:
        """Side of the square that becomes one token, in pixels."""
        return self.patch * self.merge

    def own_knobs(self) -> tuple[Knob, ...]:
        return (
            Knob(
                "longest_edge",
                "longer side that images are shrunk to, in pixels",
                tuple(sorted({336, 512, 768, 1024, self.longest_edge})),
                low=self.block,
                high=self.longest_edge_max,
                aliases=("size.longest_edge",),
            ),
        )

    def cut(self, width: int, height: int) -> Seen:
        ratio = max(height / self.longest_edge, width / self.longest_edge)
        if ratio > 1:
            height, width = math.floor(height / ratio), math.floor(width / ratio)
        block = self.block
        rows, columns = (max(height, 1) - 1) // block + 1, (max(width, 1) - 1) // block + 1
        return Seen(rows * columns, (View(rows * self.merge, columns * self.merge),), extra_tokens=rows)


def _native(files: Files, merge: int) -> NativeResolution:
    longest = files.edge("longest_edge")
    return NativeResolution(
        patch=files.count("patch_size"),
        merge=merge,
        longest_edge=longest,
        longest_edge_max=max(longest, files.of_vision("image_size", longest)),
    )


def _mistral3(files: Files) -> NativeResolution:
    return _native(files, whole(files.config, "spatial_merge_size", files.name, 2))


def _square(files: Files) -> Square:
    """CLIP's: the shorter side is resized and the middle cropped."""
    side = files.edge("height", "shortest_edge", group="crop_size")
    patch = files.of_vision("patch_size", 14)
    full = files.config.get("vision_feature_select_strategy", "default") == "full"
    return Square(side=side, patch=patch, tokens=(side // patch) ** 2 + full, class_tokens=1)


PROCESSORS: Mapping[str, Callable[[Files], ImageRule]] = {
    "CLIPImageProcessor": _square,
    "PixtralImageProcessor": lambda files: _native(files, 1),
}
PROCESSOR_OF_TOWER = {"clip_vision_model": "CLIPImageProcessor", "pixtral": "PixtralImageProcessor"}
"""What cuts images for a tower where no file names a processor."""


def _llava(files: Files) -> ImageRule:
    """By the processor that the files name, else the one of its tower. Raises SpecError."""
    return PROCESSORS[files.kind or _processor(files.config)](files)


def _processor(config: Values) -> str:
    """Raises SpecError for a tower of which no processor is known."""
    tower = (config.get("vision_config") or {}).get("model_type", "clip_vision_model")
    found = PROCESSOR_OF_TOWER.get(tower) if isinstance(tower, str) else None
    if found is None:
        raise SpecError(f"nothing is known of how images are cut for a tower of the type {shown(tower)}")
    return found


def _published_clip(vision: Values) -> Values:
    side = vision.get("image_size", 336)
    return {"crop_size": {"height": side, "width": side}}


def _published_pixtral(vision: Values) -> Values:
    patch = vision.get("patch_size", 16)
    return {"size": {"longest_edge": vision.get("image_size", 1024)}, "patch_size": {"height": patch, "width": patch}}


_PUBLISHED = {"CLIPImageProcessor": _published_clip, "PixtralImageProcessor": _published_pixtral}


def _published_llava(config: Values) -> Values:
    return _PUBLISHED[_processor(config)](config.get("vision_config") or {})


IMAGE_READERS.register(
    ImageReader(
        name="llava",
        processors=("CLIPImageProcessor", "PixtralImageProcessor"),
        read=_llava,
        published=_published_llava,
    )
)
IMAGE_READERS.register(
    ImageReader(
        name="mistral3",
        processors=("PixtralImageProcessor",),
        read=_mistral3,
        published=lambda config: {"size": {"longest_edge": 1540}, "patch_size": {"height": 14, "width": 14}},
    )
)
