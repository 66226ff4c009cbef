"""PaliGemma, Gemma 3 and 3n, FastVLM (and LLaVA-1.5): every image becomes one square, and always as many tokens.

Gemma 3 can cut long images into crops beside the whole ("pan and scan"); FastVLM's tower is convolutional, so the side
of its square is a knob. Source: the processors of transformers 5.23.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, SpecError
from planner.parts.images.base import ImageRule, Knob, Seen, View, without_effect
from planner.parts.images.reading import IMAGE_READERS, Files, ImageReader, Values


@dataclass(frozen=True, kw_only=True)
class Square(ImageRule):
    """One square of a side that the checkpoint fixes."""

    side: int
    patch: int
    tokens: int
    class_tokens: int = 0
    extra_tokens: int = 0

    def own_knobs(self) -> tuple[Knob, ...]:
        return ()

    def cut(self, width: int, height: int) -> Seen:
        return self._crops(1)

    def _crops(self, count: int) -> Seen:
        grid = self.side // self.patch
        return Seen(
            count * self.tokens,
            (View(grid, grid, count),),
            extra_tokens=count * self.extra_tokens,
            class_tokens=self.class_tokens,
        )


@dataclass(frozen=True, kw_only=True)
class Convolved(ImageRule):
    """A square of any side that the tower's stride divides: FastVLM."""

    size: int
    stride: int

    def own_knobs(self) -> tuple[Knob, ...]:
        sides = {side for side in (256, 512, 768, 1024) if side % self.stride == 0}
        return (
            Knob(
                "size",
                f"side of the square that images become, in pixels (a multiple of {self.stride})",
                tuple(sorted({*sides, self.size})),
                low=self.stride,
                high=4096,
                aliases=("crop_size", "size.shortest_edge", "shortest_edge"),
                per_request=False,
            ),
        )

    def cut(self, width: int, height: int) -> Seen:
        if self.size % self.stride:
            raise InputError(f"size: expected a multiple of {self.stride}, got {self.size}")
        grid = self.size // self.stride
        return Seen(grid * grid, (View(grid, grid),))


@dataclass(frozen=True, kw_only=True)
class PanAndScan(Square):
    """A square, and crops of long images beside it where that is switched on: Gemma 3."""

    do_pan_and_scan: bool = False
    pan_and_scan_min_crop_size: int = 256
    pan_and_scan_max_num_crops: int = 4
    pan_and_scan_min_ratio_to_activate: float = 1.2

    def own_knobs(self) -> tuple[Knob, ...]:
        return (
            Knob("do_pan_and_scan", "whether long images are cut into crops beside the whole", (False, True)),
            Knob("pan_and_scan_max_num_crops", "most crops", (2, self.pan_and_scan_max_num_crops), low=1, high=64),
        )

    def remarks(self, turned: Collection[str] = ()) -> tuple[str, ...]:
        return without_effect(self, "pan_and_scan_max_num_crops", turned, "do_pan_and_scan")

    def cut(self, width: int, height: int) -> Seen:
        return self._crops(1 + (self.crops(width, height) if self.do_pan_and_scan else 0))

    def crops(self, width: int, height: int) -> int:
        """Crops beside the whole image."""
        longer, shorter = max(width, height), min(width, height)
        if longer / shorter < self.pan_and_scan_min_ratio_to_activate:
            return 0
        fitting = math.floor(longer / self.pan_and_scan_min_crop_size)
        count = min(fitting, math.floor(longer / shorter + 0.5))
        count = min(self.pan_and_scan_max_num_crops, max(2, count))
        if min(math.ceil(longer / count), shorter) < self.pan_and_scan_min_crop_size:
            return 0
        return count


def _paligemma(files: Files) -> Square:
    side, patch = files.edge("height"), files.of_vision("patch_size", 14)
    tokens = (side // patch) ** 2
    if files.config.get("vision_config", {}).get("image_size", side) != side:
        raise SpecError(f"{files.name}: its processor and its config disagree on the image size")
    return Square(side=side, patch=patch, tokens=tokens)


def _gemma3(files: Files) -> PanAndScan:
    settings = {
        key: files.processor[key]
        for key in (
            "pan_and_scan_min_crop_size",
            "pan_and_scan_max_num_crops",
            "pan_and_scan_min_ratio_to_activate",
        )
        if files.processor.get(key) is not None
    }
    return PanAndScan(
        side=files.edge("height"),
        patch=files.of_vision("patch_size", 14),
        tokens=files.of_model("mm_tokens_per_image", 256),
        extra_tokens=2,
        do_pan_and_scan=files.flag("do_pan_and_scan"),
        **settings,
    )


def _gemma3n(files: Files) -> Square:
    """MobileNetV5 gives a 16 x 16 grid at any resolution."""
    side = files.edge("height")
    tokens = files.of_model("vision_soft_tokens_per_image", 256)
    grid = math.isqrt(tokens)
    return Square(side=side, patch=side // grid, tokens=tokens, extra_tokens=2)


def _fast_vlm(files: Files) -> Convolved:
    return Convolved(size=files.edge("height", "shortest_edge", group="crop_size"), stride=64)


def _squares(config: Values) -> Values:
    """PaliGemma's resolution is that of the checkpoint."""
    side = (config.get("vision_config") or {}).get("image_size", 224)
    return {"size": {"height": side, "width": side}}


def _gemma3_size(config: Values) -> Values:
    side = (config.get("vision_config") or {}).get("image_size", 896)
    return {"size": {"height": side, "width": side}}


IMAGE_READERS.register(
    ImageReader(name="paligemma", processors=("SiglipImageProcessor",), read=_paligemma, published=_squares)
)
IMAGE_READERS.register(
    ImageReader(name="gemma3", processors=("Gemma3ImageProcessor",), read=_gemma3, published=_gemma3_size)
)
IMAGE_READERS.register(
    ImageReader(
        name="gemma3n",
        processors=("SiglipImageProcessor",),
        read=_gemma3n,
        published=lambda config: {"size": {"height": 768, "width": 768}},
    )
)
IMAGE_READERS.register(
    ImageReader(
        name="fast_vlm",
        processors=("CLIPImageProcessor",),
        read=_fast_vlm,
        published=lambda config: {"crop_size": {"height": 1024, "width": 1024}},
    )
)
