"""How an image that is no square becomes one.

pad     into a square of the mean colour (LLaVA-1.5 and QueCC with CLIP): all of it, undistorted
crop    its middle square, after the shorter side is resized (CLIP itself)
resize  squeezed into a square (SigLIP)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .table import Table


@dataclass(frozen=True)
class ImageFit:
    """One way."""

    pads: bool
    """Whether the processor pads before its image processor resizes."""
    settings: Callable[[int], Mapping[str, Any]]
    """Those of an image processor for squares of so many pixels a side."""


def _squeezed(side: int) -> Mapping[str, Any]:
    return {"size": {"height": side, "width": side}, "do_center_crop": False}


def _cropped(side: int) -> Mapping[str, Any]:
    return {
        "size": {"shortest_edge": side},
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
    }


IMAGE_FITS: Table[ImageFit] = Table("image_fit")
"""Ways by name."""
IMAGE_FITS.register("pad", ImageFit(True, _cropped))
IMAGE_FITS.register("crop", ImageFit(False, _cropped))
IMAGE_FITS.register("resize", ImageFit(False, _squeezed))
