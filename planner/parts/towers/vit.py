"""Vision transformers over square patches: CLIP and SigLIP."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.parts.towers.base import Tower
from planner.parts.walk import Attention, Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class Vit(Tower):
    """A vision transformer whose second-last layer's features are used (LLaVA, QueCC)."""

    intermediate_size: int
    num_layers: int
    num_heads: int
    image_size: int
    """Side of the square input image, in pixels."""
    patch_size: int
    """Side of a patch, in pixels."""
    class_token: bool
    """Whether a class token runs along with the patches (CLIP)."""

    @property
    def grid_side(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch_size

    @property
    def grid(self) -> tuple[int, int]:
        return self.grid_side, self.grid_side

    @property
    def tokens(self) -> int:
        """Patches, and the class token where there is one."""
        return self.patches + self.class_token

    @property
    def layers_run(self) -> int:
        """Layers up to the last one whose features are used: the second-last (LLaVA, QueCC)."""
        return self.num_layers - 1

    @property
    def params_run(self) -> int:
        """Parameters of the tower as it is built: layers that run and embeddings, no last norm, no pooling head.

        A layer: four projections and two MLP matrices with biases, two norms. CLIP has a class token, a norm before the
        layers and no bias in its patch embedding.
        """
        d, m = self.hidden_size, self.intermediate_size
        layer = 4 * (d * d + d) + 2 * d * m + m + d + 4 * d
        patch_embedding = 3 * self.patch_size**2 * d + (0 if self.class_token else d)
        positions = self.tokens * d
        outer = (d + 2 * d) if self.class_token else 0
        return self.layers_run * layer + patch_embedding + positions + outer

    def walk(self, images: Number) -> Iterator[Kernel]:
        """Patch embedding, then layers of d -> 3 d, attention over all tokens, d -> d, d -> m -> d."""
        d, m, layers, s = self.hidden_size, self.intermediate_size, self.layers_run, self.tokens
        yield Matmul(images * self.patches, 3 * self.patch_size**2, d)
        rows = images * s
        for k, n in ((d, 3 * d), (d, d), (d, m), (m, d)):
            yield Matmul(rows, k, n, times=layers)
        yield Attention.bidirectional(layers, images, s, d)
        # two norms with the residual sum, and the activation; the embedding
        yield Elementwise(rows, layers * (2 * 4 * d + 2 * m) + 2 * d, launches=3 * layers + 1)

    def activation_values(self, feature_layers: int) -> Number:
        """Kept feature levels, residual, norm; and in the MLP its hidden layer, the activation's factor and their
        product."""
        return self.tokens * ((feature_layers + 2) * self.hidden_size + 3 * self.intermediate_size)
