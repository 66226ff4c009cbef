"""Qwen-VL and GLM-V: the image keeps its shape, both sides become multiples of a block, a budget bounds its pixels.

    block = patch x merge, sides rounded to blocks (half to even);
    above max pixels: sides / sqrt(w h / max), rounded down; below min pixels: sides x sqrt(min / w h), rounded up;
    visual tokens = (rows / merge) (columns / merge).

Source: `smart_resize` of Qwen2-VL and GLM-4V in transformers 5.23. GLM counts every pixel once for each of the two
frames that a still image is doubled to.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.parts.images.base import SIDE_MAX, ImageRule, Knob, Seen, View, unlike_bounds
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader, Values

RATIO_MAX = 200


@dataclass(frozen=True, kw_only=True)
class PixelBudget(ImageRule):
    """A budget of pixels."""

    patch: int
    merge: int
    min_pixels: int
    max_pixels: int
    frames: int = 1
    """Frames that the budget counts a still image as."""

    @property
    def block(self) -> int:
        """Side of the square that becomes one token, in pixels."""
        return self.patch * self.merge

    @property
    def pixels_per_token(self) -> int:
        """What one token takes of the budget, a still image counted once for each frame."""
        return self.block**2 * self.frames

    def own_knobs(self) -> tuple[Knob, ...]:
        budgets = {tokens * self.pixels_per_token for tokens in (64, 128, 256, 512, 1024, 2048, 4096)}
        budgets = {pixels for pixels in budgets if pixels >= self.min_pixels}
        return (
            Knob(
                "max_pixels",
                f"most pixels of an image ({self.pixels_per_token} for each visual token)",
                tuple(sorted({*budgets, self.max_pixels})),
                low=1,
                high=SIDE_MAX**2,
                aliases=("longest_edge", "size.longest_edge"),
            ),
            Knob(
                "min_pixels",
                "fewest pixels of an image: smaller ones are enlarged",
                (self.min_pixels,),
                low=1,
                high=SIDE_MAX**2,
                aliases=("shortest_edge", "size.shortest_edge"),
            ),
        )

    def remarks(self, turned: Collection[str] = ()) -> tuple[str, ...]:
        found = unlike_bounds("min_pixels", self.min_pixels, "max_pixels", self.max_pixels)
        if self.max_pixels < self.pixels_per_token:
            return (
                f"max_pixels={self.max_pixels} is less than the {self.pixels_per_token} pixels of one visual token: "
                "the image processor keeps at least one token on each side of an image",
                *found,
            )
        return found

    def cut(self, width: int, height: int) -> Seen:
        if self.frames > 1 and min(width, height) < self.block:
            scale = max(self.block / height, self.block / width)
            height, width = int(height * scale), int(width * scale)
        if max(width, height) / min(width, height) > RATIO_MAX:
            raise InputError(
                f"image: {width}x{height} is more than {RATIO_MAX} times as long as wide, which the processor refuses"
            )
        rows, columns = self._blocks(width, height)
        return Seen(rows * columns, (View(rows * self.merge, columns * self.merge),), extra_tokens=2)

    def _blocks(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of tokens."""
        block, frames = self.block, self.frames
        rows, columns = round(height / block), round(width / block)
        pixels = frames * rows * columns * block * block
        if pixels > self.max_pixels:
            shrink = math.sqrt((frames * height * width) / self.max_pixels)
            return max(1, math.floor(height / shrink / block)), max(1, math.floor(width / shrink / block))
        if pixels < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (frames * height * width))
            return math.ceil(height * grow / block), math.ceil(width * grow / block)
        return rows, columns


def _read(files: Files, frames: int = 1) -> PixelBudget:
    size = dict(files.processor.get("size") or {})
    for key, other in (("shortest_edge", "min_pixels"), ("longest_edge", "max_pixels")):  # the older names come first
        size[key] = files.processor.get(other) or size.get(key)
    known = replace(files, processor={**files.processor, "size": size})
    return PixelBudget(
        patch=known.count("patch_size"),
        merge=known.count("merge_size"),
        min_pixels=known.edge("shortest_edge"),
        max_pixels=known.edge("longest_edge"),
        frames=frames,
    )


def _read_glm(files: Files) -> PixelBudget:
    return _read(files, frames=files.count("temporal_patch_size"))


_QWEN2 = {"patch_size": 14, "merge_size": 2, "size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280}}
_GLM = {
    "patch_size": 14,
    "merge_size": 2,
    "temporal_patch_size": 2,
    "size": {"shortest_edge": 112 * 112, "longest_edge": 28 * 28 * 15000},
}


def _qwen2(config: Values) -> Values:
    return {"min_pixels": 4 * 28 * 28, "max_pixels": 16384 * 28 * 28}


def _qwen3(config: Values) -> Values:
    return {"patch_size": 16, "size": {"shortest_edge": 64 * 32 * 32, "longest_edge": 16384 * 32 * 32}}


for name in ("qwen2_vl", "qwen2_5_vl"):
    IMAGE_READERS.register(
        ImageReader(name=name, processors=("Qwen2VLImageProcessor",), read=_read, defaults=_QWEN2, published=_qwen2)
    )
for name in ("qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"):
    IMAGE_READERS.register(
        ImageReader(name=name, processors=("Qwen2VLImageProcessor",), read=_read, defaults=_QWEN2, published=_qwen3)
    )
for name in ("glm4v", "glm4v_moe"):
    IMAGE_READERS.register(ImageReader(name=name, processors=("Glm4vImageProcessor",), read=_read_glm, defaults=_GLM))
