"""Pixtral and Mistral 3 (native resolution), and LLaVA, which has either CLIP's square or Pixtral's patches.

    shrunk so that the longer side is at most `longest_edge`, sides rounded up to blocks of patch x merge;
    tokens = rows x columns, and after each row a break token (the last one ends the image).

Source: `PixtralImageProcessor` in transformers 5.23.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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

    def own_knobs(self) -> tuple[Knob, ...]:
        block = self.patch * self.merge
        return (
            Knob(
                "longest_edge",
                "longer side that images are shrunk to, in pixels",
                tuple(sorted({336, 512, 768, 1024, self.longest_edge})),
                low=block,
                high=self.longest_edge_max,
                aliases=("size.longest_edge",),
            ),
        )

    def cut(self, width: int, height: int) -> Seen:
        ratio = max(height / self.longest_edge, width / self.longest_edge)
        if ratio > 1:
            height, width = math.floor(height / ratio), math.floor(width / ratio)
        block = self.patch * self.merge
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


def _llava(files: Files) -> ImageRule:
    """A file that names no processor has the one of its tower."""
    vision = files.config.get("vision_config") or {}
    if files.kind == "PixtralImageProcessor" or (not files.kind and vision.get("model_type") == "pixtral"):
        return _native(files, 1)
    side = files.edge("height", "shortest_edge", group="crop_size")
    patch = files.of_vision("patch_size", 14)
    full = files.config.get("vision_feature_select_strategy", "default") == "full"
    return Square(side=side, patch=patch, tokens=(side // patch) ** 2 + full, class_tokens=1)


def _published_llava(config: Values) -> Values:
    vision = config.get("vision_config") or {}
    side = vision.get("image_size", 336)
    if vision.get("model_type") == "pixtral":
        patch = vision.get("patch_size", 16)
        return {"size": {"longest_edge": side}, "patch_size": {"height": patch, "width": patch}}
    return {"crop_size": {"height": side, "width": side}}


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
