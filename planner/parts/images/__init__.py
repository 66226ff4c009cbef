"""Images: how many visual tokens one becomes, by the arithmetic of each family's own processor; one file for each."""

from planner.parts.images import (  # noqa: F401  # they register their readers
    anyres,
    aspect_tiles,
    canvas_tiles,
    native,
    overlapping_crops,
    padded_tiles,
    pixel_budget,
    soft_tokens,
    split_tiles,
    square,
    thumbnail_tiles,
)
from planner.parts.images.base import ImageRule, Knob, Seen, View, settings_text
from planner.parts.images.none import NoImages
from planner.parts.images.reading import IMAGE_READERS, ImageReader, read_images
from planner.parts.images.sizes import ImageMix, ImageSize

__all__ = [
    "IMAGE_READERS",
    "ImageMix",
    "ImageReader",
    "ImageRule",
    "ImageSize",
    "Knob",
    "NoImages",
    "Seen",
    "View",
    "read_images",
    "settings_text",
]
