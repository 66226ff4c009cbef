"""A tower from outside the package: its tokens follow from the image's size, four patches merged into each.

Letters: d width of the layers, p side of a patch in pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.parts.towers import Tower
from planner.parts.walk import Attention, Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class Merging(Tower):
    """A vision transformer over the patches of an image of any size; 2 x 2 features are joined at the end."""

    width: int
    """Of an image, in pixels; so `height`."""
    height: int
    layers: int = 24
    layer_width: int = 1024
    patch_side: int = 14
    merge: int = 2

    @property
    def grid(self) -> tuple[int, int]:
        side = self.patch_side * self.merge
        return round(self.height / side), round(self.width / side)

    @property
    def patches_seen(self) -> int:
        return self.patches * self.merge**2

    @property
    def params_run(self) -> int:
        d = self.layer_width
        joined = self.merge**2 * d
        return 3 * self.patch_side**2 * d + self.layers * (12 * d * d + 13 * d) + joined * self.hidden_size

    def walk(self, images: Number) -> Iterator[Kernel]:
        d, rows = self.layer_width, images * self.patches_seen
        yield Matmul(rows, 3 * self.patch_side**2, d)
        for k, n in ((d, 3 * d), (d, d), (d, 4 * d), (4 * d, d)):
            yield Matmul(rows, k, n, times=self.layers)
        yield Attention.bidirectional(self.layers, images, self.patches_seen, d)
        yield Elementwise(rows, self.layers * 16 * d, launches=3 * self.layers)
        yield Matmul(images * self.patches, self.merge**2 * d, self.hidden_size)

    def activation_values(self, feature_layers: int) -> Number:
        return self.patches_seen * ((feature_layers + 2) * self.layer_width + 3 * 4 * self.layer_width)
