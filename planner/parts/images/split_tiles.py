"""Idefics 3, SmolVLM and SmolVLM 2: the longer side is brought to a length, up as well as down, and cut into tiles.

Beside the tiles stands a view of the whole. Extra tokens, with s tokens a tile: s + 3 for the whole, and for each row
of tiles (s + 2) for each tile and a line break. Source: `Idefics3ImageProcessor` in transformers 5.23 (which reports 0
tiles where nothing is split; the one view is there all the same).
"""

from __future__ import annotations

import math
from collections.abc import Collection

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.parts.images.base import ImageRule, Knob, Seen, View, without_effect
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader, Values

SIDE_LIMIT = 4096
"""Longest side that the processor makes."""


@dataclass(frozen=True, kw_only=True)
class SplitTiles(ImageRule):
    """Tiles of a resized image."""

    tile: int
    patch: int
    merge: int
    longest_edge: int
    do_image_splitting: bool = True

    def own_knobs(self) -> tuple[Knob, ...]:
        sides = {self.tile * count for count in (1, 2, 3, 4)} | {self.longest_edge}
        return (
            Knob(
                "longest_edge",
                f"longer side that images are brought to, in pixels (tiles of {self.tile})",
                tuple(sorted(sides)),
                low=self.tile,
                high=SIDE_LIMIT,
                aliases=("size.longest_edge",),
            ),
            Knob("do_image_splitting", "whether images are cut into tiles", (False, True)),
        )

    def remarks(self, turned: Collection[str] = ()) -> tuple[str, ...]:
        return without_effect(self, "longest_edge", turned, "do_image_splitting")

    def cut(self, width: int, height: int) -> Seen:
        columns, rows = self.tiles(width, height) if self.do_image_splitting else (0, 0)
        grid = self.tile // self.patch
        tokens = (grid // self.merge) ** 2
        tiles = 1 + rows * columns
        return Seen(tiles * tokens, (View(grid, grid, tiles),), extra_tokens=3 + rows * (2 * columns + 1))

    def tiles(self, width: int, height: int) -> tuple[int, int]:
        """(columns, rows) beside the whole; none where one tile holds the image."""
        width, height = _within(*_brought_to(width, height, self.longest_edge), SIDE_LIMIT)
        columns, rows = math.ceil(width / self.tile), math.ceil(height / self.tile)
        return (columns, rows) if max(columns, rows) > 1 else (0, 0)


def _brought_to(width: int, height: int, longest: int) -> tuple[int, int]:
    """The shorter side is made even."""
    ratio = width / height
    if width >= height:
        shorter = int(longest / ratio)
        return longest, max(shorter + shorter % 2, 1)
    shorter = int(longest * ratio)
    return max(shorter + shorter % 2, 1), longest


def _within(width: int, height: int, limit: int) -> tuple[int, int]:
    ratio = width / height
    if width >= height and width > limit:
        return limit, max(int(limit / ratio), 1)
    if height > width and height > limit:
        return max(int(limit * ratio), 1), limit
    return width, height


def _read(files: Files) -> SplitTiles:
    tile = files.edge("longest_edge", group="max_image_size")
    patch = files.of_vision("patch_size")
    merge = files.of_model("scale_factor", 2)
    if tile // patch % merge:
        raise SpecError(f"{files.name}: {merge} x {merge} patches do not divide the {tile // patch} of a tile")
    return SplitTiles(
        tile=tile,
        patch=patch,
        merge=merge,
        longest_edge=files.edge("longest_edge"),
        do_image_splitting=files.flag("do_image_splitting", True),
    )


def _published(config: Values) -> Values:
    """Four tiles of the tower's own resolution to a side, as every released checkpoint has it."""
    side = (config.get("vision_config") or {}).get("image_size")
    if not isinstance(side, int):
        return {}
    return {"max_image_size": {"longest_edge": side}, "size": {"longest_edge": 4 * side}}


_DEFAULTS = {
    "do_image_splitting": True,
    "size": {"longest_edge": 4 * 364},
    "max_image_size": {"longest_edge": 364},
}

for name, processors in (
    ("idefics3", ("Idefics3ImageProcessor", "SmolVLMImageProcessor")),
    ("smolvlm", ("SmolVLMImageProcessor", "Idefics3ImageProcessor")),
):
    IMAGE_READERS.register(
        ImageReader(
            name=name,
            processors=processors,
            read=_read,
            defaults={
                "do_image_splitting": True,
                "size": {"longest_edge": 4 * 364},
                "max_image_size": {"longest_edge": 364},
            },
            published=_published,
        )
    )
