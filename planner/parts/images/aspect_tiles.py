"""InternVL 2.5 to 3.5 and Aya Vision: tiles by the image's shape, whatever its size, and a thumbnail of the whole.

The grid of at most `max_patches` tiles that is closest to the image's shape is filled by resizing, so a small image
becomes as many tiles as a large one of its shape. Source: `GotOcr2ImageProcessor` in transformers 5.23.
"""

from __future__ import annotations

from collections.abc import Collection

from planner.base.dataclass import dataclass
from planner.parts.images.base import ImageRule, Knob, Seen, View, without_effect
from planner.parts.images.grids import closest_grid
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader


@dataclass(frozen=True, kw_only=True)
class AspectTiles(ImageRule):
    """Tiles by shape."""

    tile: int
    patch: int
    merge: int
    """Patches on a side of the square that becomes one token."""
    class_tokens: int = 0
    tile_markers: bool = False
    """Whether a token stands before each tile: Aya."""
    max_patches: int = 12
    min_patches: int = 1
    crop_to_patches: bool = True

    def own_knobs(self) -> tuple[Knob, ...]:
        return (
            Knob(
                "max_patches",
                "most tiles of an image, a thumbnail aside",
                tuple(sorted({1, 2, 4, 6, 12, self.max_patches})),
                low=1,
                high=256,
                aliases=("max_dynamic_patch", "max_splits_per_img"),
            ),
            Knob("crop_to_patches", "whether images are cut into tiles", (False, True)),
            Knob("min_patches", "fewest tiles", (1,), low=1, high=256, aliases=("min_dynamic_patch",)),
        )

    def remarks(self, turned: Collection[str] = ()) -> tuple[str, ...]:
        idle = (without_effect(self, name, turned, "crop_to_patches") for name in ("max_patches", "min_patches"))
        found = tuple(remark for remarks in idle for remark in remarks)
        if self.crop_to_patches and 1 < self.max_patches < self.min_patches:
            found += (
                f"min_patches={self.min_patches} is more than max_patches={self.max_patches}: no grid has so many "
                "tiles, and the image processor makes one",
            )
        return found

    def cut(self, width: int, height: int) -> Seen:
        tiles = 1
        if self.crop_to_patches and self.max_patches > 1:
            columns, rows = closest_grid(width, height, self.tile, self.min_patches, self.max_patches)
            tiles = columns * rows + 1 if columns * rows > 1 else 1
        grid = self.tile // self.patch
        return Seen(
            tiles * (grid // self.merge) ** 2,
            (View(grid, grid, tiles),),
            extra_tokens=2 + (tiles if self.tile_markers else 0),
            class_tokens=self.class_tokens,
        )


def _read(files: Files, class_tokens: int, markers: bool, merge: int) -> AspectTiles:
    return AspectTiles(
        tile=files.edge("height"),
        patch=files.of_vision("patch_size", 14),
        merge=merge,
        class_tokens=class_tokens,
        tile_markers=markers,
        max_patches=files.tiles("max_patches"),
        min_patches=files.tiles("min_patches"),
        crop_to_patches=files.flag("crop_to_patches"),
    )


def _internvl(files: Files) -> AspectTiles:
    """`downsample_ratio` is the share of a side that remains: .5 merges 2 x 2 patches."""
    return _read(files, 1, False, round(1 / float(files.config.get("downsample_ratio", 0.5))))


def _aya(files: Files) -> AspectTiles:
    return _read(files, 0, True, files.of_model("downsample_factor", 2))


_TILES = {"max_patches": 12, "min_patches": 1, "crop_to_patches": True}
"""InternVLProcessor and AyaVisionProcessor cut images; GotOcr2ImageProcessor alone would not."""

IMAGE_READERS.register(
    ImageReader(
        name="internvl",
        processors=("GotOcr2ImageProcessor",),
        read=_internvl,
        defaults=_TILES,
        published=lambda config: {"size": {"height": 448, "width": 448}},
    )
)
IMAGE_READERS.register(
    ImageReader(
        name="aya_vision",
        processors=("GotOcr2ImageProcessor",),
        read=_aya,
        defaults=_TILES,
        published=lambda config: {"size": {"height": 364, "width": 364}},
    )
)
