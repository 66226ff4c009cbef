"""Molmo 2: a whole view and overlapping crops, pooled two by two.

Crops share a margin of patches with their neighbours, so the canvas of r x c crops of side s has (s - m) r + m rows of
patches. Source: `Molmo2ImageProcessor` and `Molmo2Processor` in transformers 5.23, which count in 32-bit floats.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.images.base import ImageRule, Knob, Seen, View
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader

DISCOURAGED = np.float32(10e9)
"""Scale that stands for "would have to shrink"."""


@dataclass(frozen=True, kw_only=True)
class OverlappingCrops(ImageRule):
    """Crops with margins."""

    crop: int
    patch: int
    pool: int
    margin: int
    """Patches that neighbours share."""
    max_crops: int

    def own_knobs(self) -> tuple[Knob, ...]:
        values = tuple(sorted({1, 4, 8, 24, self.max_crops}))
        return (Knob("max_crops", "most crops beside the whole image", values, low=1, high=64),)

    def cut(self, width: int, height: int) -> Seen:
        side = self.crop // self.patch
        window = side - self.margin
        rows, columns = self.layout(width, height)
        high = math.ceil((rows * window + self.margin) / self.pool)
        wide = math.ceil((columns * window + self.margin) / self.pool)
        low = math.ceil(side / self.pool)
        separators = (low + 2) + (high + 2)  # a column token a row, a start and an end of each view
        return Seen(low * low + high * wide, (View(side, side, 1 + rows * columns),), extra_tokens=separators)

    def layout(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of crops of an image of width x height pixels."""
        shared = self.margin * self.patch
        return self._tiling(width - shared, height - shared, self.crop // self.patch * self.patch - shared)

    def _tiling(self, width: int, height: int, window: int) -> tuple[int, int]:
        """Rows and columns of crops: least enlargement if any holds the image, else least reduction."""
        shapes = _shapes(self.max_crops)
        sides = (np.array(shapes) * window).astype(np.float32)
        scales = (sides / np.array([height, width], dtype=np.float32)).min(axis=1)
        if (scales < 1).all():
            return shapes[int(scales.argmax())]
        return shapes[int(np.where(scales < 1, DISCOURAGED, scales).argmin())]


@lru_cache(maxsize=16)
def _shapes(most: int) -> tuple[tuple[int, int], ...]:
    """(rows, columns), fewest crops first, then fewest rows."""
    found = [(r, c) for r in range(1, most + 1) for c in range(1, most + 1) if r * c <= most]
    return tuple(sorted(found, key=lambda grid: (grid[0] * grid[1], grid[0])))


def _read(files: Files) -> OverlappingCrops:
    return OverlappingCrops(
        crop=files.edge("height"),
        patch=files.count("patch_size"),
        pool=int(files.processor["pooling_size"][0]),
        margin=sum(int(side) for side in files.processor["overlap_margins"]),
        max_crops=files.tiles("max_crops"),
    )


IMAGE_READERS.register(
    ImageReader(
        name="molmo2",
        processors=("Molmo2ImageProcessor",),
        read=_read,
        defaults={
            "size": {"height": 378, "width": 378},
            "patch_size": 14,
            "pooling_size": [2, 2],
            "overlap_margins": [4, 4],
            "max_crops": 8,
        },
    )
)
