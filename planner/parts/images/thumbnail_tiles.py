"""LFM2-VL: one view within a token budget, or, of a large image, tiles of fixed size and a thumbnail.

Source: `Lfm2VlImageProcessor` and `Lfm2VlProcessor` in transformers 5.23.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.parts.images.base import ImageRule, Knob, Seen, View, unlike_bounds, without_effect
from planner.parts.images.grids import closest_grid
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader


@dataclass(frozen=True, kw_only=True)
class ThumbnailTiles(ImageRule):
    """A view within a budget, or tiles and such a view."""

    patch: int
    merge: int
    tile: int
    max_image_tokens: int
    min_image_tokens: int
    max_tiles: int
    min_tiles: int
    do_image_splitting: bool
    use_thumbnail: bool
    max_pixels_tolerance: float

    def own_knobs(self) -> tuple[Knob, ...]:
        return (
            Knob(
                "max_image_tokens",
                "most visual tokens of a view that is not a tile",
                tuple(sorted({64, 128, 256, self.max_image_tokens})),
                low=1,
                high=4096,
            ),
            Knob("do_image_splitting", "whether large images are cut into tiles", (False, True)),
            Knob("max_tiles", "most tiles", tuple(sorted({4, self.max_tiles})), low=1, high=64),
            Knob("min_image_tokens", "fewest visual tokens of a view", (self.min_image_tokens,), low=1, high=4096),
        )

    def remarks(self, turned: Collection[str] = ()) -> tuple[str, ...]:
        bounds = ("min_image_tokens", self.min_image_tokens, "max_image_tokens", self.max_image_tokens)
        return (*unlike_bounds(*bounds), *without_effect(self, "max_tiles", turned, "do_image_splitting"))

    def cut(self, width: int, height: int) -> Seen:
        if self.do_image_splitting and self.max_tiles < self.min_tiles:
            raise InputError(
                f"max_tiles: the image processor refuses less than min_tiles={self.min_tiles}, got {self.max_tiles}"
            )
        rows, columns = self._view(width, height)
        whole = View(rows * self.merge, columns * self.merge)
        tokens = rows * columns
        if not self._is_cut(width, height):
            return Seen(tokens, (whole,), extra_tokens=2)
        across, down = closest_grid(width, height, self.tile, self.min_tiles, self.max_tiles)
        tiles, grid = across * down, self.tile // self.patch
        if tiles == 1:
            return Seen(tokens, (whole,), extra_tokens=2)
        last = (whole,) if self.use_thumbnail else ()
        return Seen(
            tiles * math.ceil(grid / self.merge) ** 2 + (tokens if last else 0),
            (View(grid, grid, tiles), *last),
            extra_tokens=2 + tiles + len(last),
        )

    def _is_cut(self, width: int, height: int) -> bool:
        if not self.do_image_splitting or self.min_tiles == self.max_tiles == 1:
            return False
        block = self.patch * self.merge
        high, wide = (max(self.patch, round(side / block) * block) for side in (height, width))
        return high * wide > self.max_image_tokens * block * block * self.max_pixels_tolerance

    def _view(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of tokens of the whole image."""
        block = self.patch * self.merge
        low, high = self.min_image_tokens * block * block, self.max_image_tokens * block * block
        rows, columns = max(1, round(height / block)), max(1, round(width / block))
        if rows * columns * block * block > high:
            shrink = math.sqrt(height * width / high)
            return max(1, math.floor(height / shrink / block)), max(1, math.floor(width / shrink / block))
        if rows * columns * block * block < low:
            grow = math.sqrt(low / (height * width))
            return math.ceil(height * grow / block), math.ceil(width * grow / block)
        return rows, columns


def _read(files: Files) -> ThumbnailTiles:
    return ThumbnailTiles(
        patch=files.count("encoder_patch_size"),
        merge=files.count("downsample_factor"),
        tile=files.count("tile_size"),
        max_image_tokens=files.count("max_image_tokens"),
        min_image_tokens=files.count("min_image_tokens"),
        max_tiles=files.tiles("max_tiles"),
        min_tiles=files.tiles("min_tiles"),
        do_image_splitting=files.flag("do_image_splitting"),
        use_thumbnail=files.flag("use_thumbnail"),
        max_pixels_tolerance=float(files.processor["max_pixels_tolerance"]),
    )


IMAGE_READERS.register(
    ImageReader(
        name="lfm2_vl",
        processors=("Lfm2VlImageProcessor",),
        read=_read,
        defaults={
            "encoder_patch_size": 16,
            "downsample_factor": 2,
            "tile_size": 512,
            "max_image_tokens": 256,
            "min_image_tokens": 64,
            "max_tiles": 10,
            "min_tiles": 2,
            "do_image_splitting": True,
            "use_thumbnail": True,
            "max_pixels_tolerance": 2.0,
        },
    )
)
