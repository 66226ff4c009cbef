"""Gemma 4: the image keeps its shape and is brought, up as well as down, to the most blocks that a budget holds.

    f = sqrt(budget x block^2 / w h);  sides f w and f h rounded down to blocks of 3 x 3 patches, one token for each.

Source: `get_aspect_ratio_preserving_size` of Gemma 4 in transformers 5.23, which pads the patches to the budget.
"""

from __future__ import annotations

import math

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.parts.images.base import ImageRule, Knob, Seen, View
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader

BUDGETS = (70, 140, 280, 560, 1120)
"""The processor takes no other."""


@dataclass(frozen=True, kw_only=True)
class SoftTokens(ImageRule):
    """A budget of visual tokens."""

    patch: int
    pool: int
    """Patches on a side of the square that becomes one token."""
    max_soft_tokens: int

    def own_knobs(self) -> tuple[Knob, ...]:
        return (Knob("max_soft_tokens", "most visual tokens of an image", BUDGETS),)

    def cut(self, width: int, height: int) -> Seen:
        block = self.patch * self.pool
        scale = math.sqrt(self.max_soft_tokens * self.pool**2 * self.patch**2 / (height * width))
        rows, columns = math.floor(scale * height / block), math.floor(scale * width / block)
        if rows == columns == 0:
            raise InputError(f"image: {width}x{height} is refused by the processor: it would have no pixel")
        if rows == 0:
            rows, columns = 1, min(math.floor(width / height), self.max_soft_tokens)
        elif columns == 0:
            rows, columns = min(math.floor(height / width), self.max_soft_tokens), 1
        if rows * columns > self.max_soft_tokens:
            raise InputError(f"image: {width}x{height} is refused by the processor: it exceeds max_soft_tokens")
        return Seen(
            rows * columns,
            (View(rows * self.pool, columns * self.pool),),
            extra_tokens=2,
            padded_patches=self.max_soft_tokens * self.pool**2,
        )


def _read(files: Files) -> SoftTokens:
    return SoftTokens(
        patch=files.count("patch_size"),
        pool=files.count("pooling_kernel_size"),
        max_soft_tokens=files.count("max_soft_tokens"),
    )


for name, processor in (("gemma4", "Gemma4ImageProcessor"), ("gemma4_unified", "Gemma4UnifiedImageProcessor")):
    IMAGE_READERS.register(
        ImageReader(
            name=name,
            processors=(processor, "Gemma4ImageProcessor"),
            read=_read,
            defaults={"patch_size": 16, "pooling_kernel_size": 3, "max_soft_tokens": 280},
        )
    )
