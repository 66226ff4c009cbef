"""Phi-4-multimodal: tiles of 448 as many as the image needs, padding dropped, line breaks, and a view of the whole.

    tokens = 16 x 16 + 1 for the whole and a separator, its 16 line breaks, and of the tiles each 2 x 2 block of patches
    whose first patch is no padding, with a line break for each row.

Source: `Phi4MultimodalImageProcessor` in transformers 5.23.
"""

from __future__ import annotations

import math

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.parts.images.base import ImageRule, Knob, Seen, View
from planner.parts.images.grids import closest_grid
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader

SIDE_LEAST = 10
"""Pixels of the shorter side after resizing; the processor refuses less."""


@dataclass(frozen=True, kw_only=True)
class PaddedTiles(ImageRule):
    """Tiles of a padded image."""

    tile: int
    patch: int
    dynamic_hd: int

    def own_knobs(self) -> tuple[Knob, ...]:
        values = tuple(sorted({1, 4, 9, 16, self.dynamic_hd}))
        return (Knob("dynamic_hd", "most tiles of an image", values, low=1, high=64),)

    def cut(self, width: int, height: int) -> Seen:
        (rows, columns), (high, wide) = self.layout(width, height)
        grid = self.tile // self.patch
        kept_rows, kept_columns = math.ceil(high / 2), math.ceil(wide / 2)
        side = grid // 2
        return Seen(
            side * side + 1 + side + kept_columns * kept_rows + kept_rows,
            (View(grid, grid, 1 + columns * rows),),
        )

    def layout(self, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns of tiles, and those of their patches that are no padding. Raises InputError."""
        columns, rows = math.ceil(width / self.tile), math.ceil(height / self.tile)
        if columns * rows > self.dynamic_hd:
            columns, rows = closest_grid(width, height, self.tile, 1, self.dynamic_hd)
        wide, high = columns * self.tile, rows * self.tile
        across, down = wide / width, high / height
        inner_wide, inner_high = (wide, int(height * across)) if across < down else (int(width * down), high)
        if min(inner_wide, inner_high) < SIDE_LEAST:
            raise InputError(f"image: {width}x{height} is too long for the processor")
        padding = (high - inner_high) // self.patch, (wide - inner_wide) // self.patch
        return (rows, columns), (high // self.patch - padding[0], wide // self.patch - padding[1])


def _read(files: Files) -> PaddedTiles:
    return PaddedTiles(tile=files.edge("height"), patch=files.count("patch_size"), dynamic_hd=files.tiles("dynamic_hd"))


IMAGE_READERS.register(
    ImageReader(
        name="phi4_multimodal",
        processors=("Phi4MultimodalImageProcessor",),
        read=_read,
        defaults={"size": {"height": 448, "width": 448}, "patch_size": 14, "dynamic_hd": 36},
    )
)
