"""Images: how many visual tokens one becomes, by the arithmetic of each family's own processor; one file for each."""

from planner.parts.images.base import ImageRule, Knob, Seen, View, settings_text
from planner.parts.images.none import NoImages
from planner.parts.images.reading import IMAGE_READERS, ImageReader, read_images
from planner.parts.images.sizes import ImageMix, ImageSize


def _rules() -> None:
    """Every family's rule registers its readers; loaded when one is asked for, since most plans ask for none."""
    from planner.parts.images import (  # noqa: F401
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


IMAGE_READERS.fill_with(_rules)

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
