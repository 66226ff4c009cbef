"""Llama 4 and Llama 3.2 Vision: the canvas of tiles that an image fits on with the least enlargement.

Llama 4 adds a view of the whole where there are several tiles. In Llama 3.2 Vision the image stands outside of the
prompt: cross-attention layers read its features, one placeholder marks it. Source: transformers 5.23.
"""

from __future__ import annotations

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.images.base import ImageRule, Knob, Seen, View
from planner.parts.images.grids import grids
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader


def least_enlarged(
    width: int, height: int, tile: int, shapes: tuple[tuple[int, int], ...], kind: type[np.floating]
) -> tuple[int, int]:
    """(rows, columns) of the canvas: least enlargement if any canvas holds the image, else least reduction.

    Of canvases that scale alike the one of least area, of those the first. Scales are compared in the processor's
    precision, `kind`.
    """
    sides = np.array(shapes, dtype=np.int64) * tile
    down = (sides[:, 0] / height).astype(kind)
    across = (sides[:, 1] / width).astype(kind)
    scales = np.minimum(down, across)
    enlarging = scales[scales >= 1]
    chosen = enlarging.min() if enlarging.size else scales.max()
    among = np.flatnonzero(scales == chosen)
    areas = sides[among, 0] * sides[among, 1]
    rows, columns = shapes[int(among[int(np.argmin(areas))])]
    return rows, columns


@dataclass(frozen=True, kw_only=True)
class CanvasTiles(ImageRule):
    """Tiles of a canvas and the whole: Llama 4."""

    tile: int
    patch: int
    tokens_per_tile: int
    max_patches: int

    def own_knobs(self) -> tuple[Knob, ...]:
        values = tuple(sorted({1, 4, 9, self.max_patches}))
        return (Knob("max_patches", "most tiles of an image", values, low=1, high=64),)

    def cut(self, width: int, height: int) -> Seen:
        rows, columns = least_enlarged(width, height, self.tile, _by_ratio(self.max_patches), np.float32)
        tiles = rows * columns + (rows * columns > 1)
        grid = self.tile // self.patch
        return Seen(
            tiles * self.tokens_per_tile,
            (View(grid, grid, tiles),),
            extra_tokens=2 + tiles,
            class_tokens=1,
        )


def _by_ratio(most: int) -> tuple[tuple[int, int], ...]:
    """(rows, columns) of every grid, grouped by shape in the order in which the processor meets the shapes."""
    groups: dict[float, list[tuple[int, int]]] = {}
    for count in range(most, 0, -1):
        for rows in (factor for factor in range(1, count + 1) if count % factor == 0):
            groups.setdefault(rows / (count // rows), []).append((rows, count // rows))
    return tuple(grid for group in groups.values() for grid in group)


@dataclass(frozen=True, kw_only=True)
class CrossTiles(ImageRule):
    """Tiles of a canvas that cross-attention reads: Llama 3.2 Vision. The reference pads to the most tiles."""

    tile: int
    patch: int
    max_image_tiles: int
    tiles_padded_to: int

    def own_knobs(self) -> tuple[Knob, ...]:
        return (
            Knob(
                "max_image_tiles",
                "most tiles of an image",
                tuple(range(1, self.tiles_padded_to + 1)),
                low=1,
                high=self.tiles_padded_to,
            ),
        )

    def cut(self, width: int, height: int) -> Seen:
        rows, columns = self.layout(width, height)
        grid = self.tile // self.patch
        return Seen(
            rows * columns * (grid * grid + 1),
            (View(grid, grid, rows * columns),),
            class_tokens=1,
            in_sequence=False,
            padded_patches=self.tiles_padded_to * (grid * grid + 1),
        )

    def layout(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of tiles of an image of width x height pixels."""
        shapes = tuple(sorted(grids(1, self.max_image_tiles)))
        return least_enlarged(width, height, self.tile, shapes, np.float64)


def _llama4(files: Files) -> CanvasTiles:
    tile, patch = files.edge("height"), files.of_vision("patch_size", 14)
    vision = files.config.get("vision_config") or {}
    kept = float(vision.get("pixel_shuffle_ratio", 0.5))
    return CanvasTiles(
        tile=tile,
        patch=patch,
        tokens_per_tile=round((tile // patch) ** 2 * kept * kept),
        max_patches=files.tiles("max_patches"),
    )


def _mllama(files: Files) -> CrossTiles:
    return CrossTiles(
        tile=files.edge("height"),
        patch=files.of_vision("patch_size", 14),
        max_image_tiles=files.tiles("max_image_tiles"),
        tiles_padded_to=files.of_vision("max_num_tiles", 4),
    )


IMAGE_READERS.register(
    ImageReader(
        name="llama4",
        processors=("Llama4ImageProcessor",),
        read=_llama4,
        defaults={"size": {"height": 336, "width": 336}, "max_patches": 16},
    )
)
IMAGE_READERS.register(
    ImageReader(
        name="mllama",
        processors=("MllamaImageProcessor",),
        read=_mllama,
        defaults={"size": {"height": 224, "width": 224}, "max_image_tiles": 4},
        published=lambda config: {"size": {"height": 560, "width": 560}},
    )
)
