"""What a released model's image processor would hand over: random pixels in the shapes of its image rule.

Each kind of model has a maker, registered under its model type; one file for each way of cutting images. A kind without
a maker is refused.
"""

from planner.make.pixels import (  # noqa: F401  they register their makers
    canvases,
    crops,
    cross,
    grids,
    native,
    placed,
    squares,
)
from planner.make.pixels.base import PIXEL_MAKERS, PixelMaker, Random, find_maker
from planner.make.pixels.squares import Views

__all__ = ["PIXEL_MAKERS", "PixelMaker", "Random", "Views", "find_maker"]
