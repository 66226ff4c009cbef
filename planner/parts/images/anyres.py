"""LLaVA-NeXT and LLaVA-OneVision: a base view and a canvas of tiles out of a list; what was padding is dropped again.

    tokens = base + rows x columns of the canvas without its padding + one newline for each row

OneVision shrinks the canvas's features where they are more than N tiles' worth (`anyres_max_N`): fewer tokens, but as
much work for the tower. Source: the processors of transformers 5.23.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, SpecError
from planner.base.quantities import shown
from planner.parts.images.base import ImageRule, Knob, Seen, Setting, View
from planner.parts.images.grids import least_distorting_size
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader

Sizes = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Pinpoints(Knob):
    """A list of canvases, typed as JSON; as a setting it is the text."""

    tile: int = 336

    def parse(self, given: object) -> Setting:
        return json.dumps([list(size) for size in canvases(given, self.tile)], separators=(",", ":"))


def canvases(given: object, tile: int) -> Sizes:
    """(height, width) of each canvas, out of a text or a list. Raises InputError."""
    try:
        found = json.loads(given) if isinstance(given, str) else given
        sizes = tuple((height, width) for height, width in found)  # type: ignore[union-attr]
    except (ValueError, TypeError):
        sizes = ()
    for size in sizes:
        for side in size:
            if isinstance(side, bool) or not isinstance(side, int) or side < tile or side % tile:
                sizes = ()
    if not sizes:
        raise InputError(
            f"image_grid_pinpoints: expected a list of [height, width] in multiples of {tile}, got {shown(given)}"
        )
    return sizes


@dataclass(frozen=True, kw_only=True)
class Anyres(ImageRule):
    """A base view and a canvas: LLaVA-NeXT."""

    tile: int
    patch: int
    class_tokens: int = 0
    image_grid_pinpoints: str
    """JSON list of [height, width]."""

    def own_knobs(self) -> tuple[Knob, ...]:
        smallest = json.dumps([[self.tile, self.tile]], separators=(",", ":"))
        return (
            _Pinpoints(
                "image_grid_pinpoints",
                "canvases that images are laid out on, as [[height, width], ...]; set in config and processor alike",
                tuple(dict.fromkeys((smallest, self.image_grid_pinpoints))),
                per_request=False,
                tile=self.tile,
            ),
        )

    @property
    def grid(self) -> int:
        """Patches on a side of a tile."""
        return self.tile // self.patch

    def cut(self, width: int, height: int) -> Seen:
        canvas = least_distorting_size(width, height, canvases(self.image_grid_pinpoints, self.tile))
        down, across = canvas[0] // self.tile, canvas[1] // self.tile
        rows, columns = self.kept(*unpadded(width, height, self.grid * across, self.grid * down))
        return Seen(
            self.grid**2 + rows * columns + rows,
            (View(self.grid, self.grid, 1 + down * across),),
            class_tokens=self.class_tokens,
        )

    def kept(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of the canvas that stay."""
        return rows, columns


@dataclass(frozen=True, kw_only=True)
class AnyresMax(Anyres):
    """A canvas of at most N tiles' worth of tokens: LLaVA-OneVision."""

    vision_aspect_ratio: str = "anyres_max_9"

    def own_knobs(self) -> tuple[Knob, ...]:
        (pinpoints,) = super().own_knobs()
        worth = tuple(f"anyres_max_{tiles}" for tiles in (1, 2, 4, 9))
        values = tuple(dict.fromkeys((*worth, self.vision_aspect_ratio)))
        tokens = _Budget(
            "vision_aspect_ratio",
            "tiles' worth of tokens that a canvas keeps at most; set in config and processor alike",
            values,
            per_request=False,
        )
        return (tokens, replace(pinpoints, values=(self.image_grid_pinpoints,)))

    def kept(self, rows: int, columns: int) -> tuple[int, int]:
        most = int(self.vision_aspect_ratio.removeprefix("anyres_max_"))
        ratio = math.sqrt(rows * columns / (most * self.grid**2))
        return (int(rows // ratio), int(columns // ratio)) if ratio > 1.1 else (rows, columns)

    def cut_one_of(self, width: int, height: int, images: int) -> Seen:
        """Of several images only the base view is taken, and one newline."""
        if images < 2:
            return self.cut(width, height)
        return Seen(self.grid**2 + 1, (View(self.grid, self.grid),), class_tokens=self.class_tokens)


@dataclass(frozen=True)
class _Budget(Knob):
    """ "anyres_max_N"."""

    def parse(self, given: object) -> Setting:
        number = str(given).strip().removeprefix("anyres_max_")
        if not number.isdecimal() or not 1 <= int(number) <= 36 or isinstance(given, bool):
            raise InputError(f"{self.name}: expected anyres_max_1 to anyres_max_36, got {shown(given)}")
        return f"anyres_max_{int(number)}"


def unpadded(width: int, height: int, across: int, down: int) -> tuple[int, int]:
    """(rows, columns) of a grid of `down` x `across` features without those that the image's shape leaves empty."""
    if width / height > across / down:
        inner = int(round(height * (across / width), 7))
        return down - (down - inner) // 2 * 2, across
    inner = int(round(width * (down / height), 7))
    return down, across - (across - inner) // 2 * 2


def _pinpoints(files: Files, tile: int) -> str:
    given = files.processor.get("image_grid_pinpoints") or files.config.get("image_grid_pinpoints")
    try:
        return json.dumps([list(size) for size in canvases(given, tile)], separators=(",", ":"))
    except InputError as error:
        raise SpecError(f"{files.name}: {error}") from None


def _next(files: Files) -> Anyres:
    tile = files.edge("shortest_edge", "height")
    return Anyres(
        tile=tile,
        patch=files.of_vision("patch_size", 14),
        class_tokens=1,
        image_grid_pinpoints=_pinpoints(files, tile),
    )


def _onevision(files: Files) -> AnyresMax:
    tile = files.edge("height", "shortest_edge")
    given = files.processor.get("vision_aspect_ratio") or files.config.get("vision_aspect_ratio") or "anyres_max_9"
    rule = AnyresMax(tile=tile, patch=files.of_vision("patch_size", 14), image_grid_pinpoints=_pinpoints(files, tile))
    turned = rule.turned({"vision_aspect_ratio": given})
    assert isinstance(turned, AnyresMax)
    return turned


_NEXT_CANVASES = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
_ONEVISION_CANVASES = [[384 * rows, 384 * columns] for rows in range(1, 7) for columns in range(1, 7)]

IMAGE_READERS.register(
    ImageReader(
        name="llava_next",
        processors=("LlavaNextImageProcessor",),
        read=_next,
        defaults={"size": {"shortest_edge": 336}, "image_grid_pinpoints": _NEXT_CANVASES},
    )
)
IMAGE_READERS.register(
    ImageReader(
        name="llava_onevision",
        processors=("LlavaOnevisionImageProcessor",),
        read=_onevision,
        defaults={"size": {"height": 384, "width": 384}, "image_grid_pinpoints": _ONEVISION_CANVASES},
    )
)
