"""Vision transformers over the views of an image: patches, layers of attention and MLP, full or in windows.

Letters: d width, m width of the MLP, s positions of a view. A layer's matrices are 4 d^2 and 2 d m (3 d m where the MLP
is gated); its FLOPs 2 s (4 d^2 + 2 d m) + 4 s^2 d.
"""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.parts.configs.values import Values
from planner.parts.encoders.base import Encoder
from planner.parts.images import Seen, View
from planner.parts.walk import Attention, Elementwise, Kernel, Matmul, Number


@dataclass(frozen=True, kw_only=True)
class TransformerEncoder(Encoder):
    """A transformer as tower."""

    width: int
    heads: int
    """Of its attention, which share the width."""
    mlp: int
    layers: int
    """That are stored."""
    layers_run: int
    """Up to the last one whose features are used."""
    gated: bool = False
    layer_vectors: int
    """Parameters of a layer beside its matrices: biases, norms, scales."""
    patch_values: int
    """Numbers of a patch: channels x side^2 x frames."""
    outer_params: int
    """Beside layers and the matrix of the patch embedding: positions, class token, biases, outer norms."""
    windowed_layers: int = 0
    """Of those that run."""
    window: int = 0
    """Side of a window of attention, in patches."""
    after: int = 0
    """Weights of a matrix after the layers that is the tower's own, with one row for each `after_merge` patches."""
    after_merge: int = 1
    mlp_alive: int = 3
    """Copies of the MLP's hidden layer that are alive at once; see `mlp_copies`."""
    kept: int = 0
    """Numbers of each position that stay alive beside, such as the features of other layers."""

    @property
    def head_size(self) -> int:
        """Of a head."""
        return self.width // self.heads

    @property
    def matrices(self) -> int:
        """Weights of a layer's matrices."""
        return 4 * self.width**2 + (3 if self.gated else 2) * self.width * self.mlp

    @property
    def tower_params(self) -> int:
        layer = self.matrices + self.layer_vectors
        return self.layers * layer + self.patch_values * self.width + self.outer_params + self.after

    def tower_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        d, m, layers = self.width, self.mlp, self.layers_run
        patches = images * self.embedded_patches(seen)
        yield Matmul(patches, self.patch_values, d)
        positions = images * self.positions(seen)
        for k, n, times in ((d, 3 * d, 1), (d, d, 1), (d, m, 2 if self.gated else 1), (m, d, 1)):
            yield Matmul(positions, k, n, times=layers * times)
        yield from self.attention(seen, images)
        # two norms with the residual sum, and the activation; the embedding
        moved = layers * (2 * 4 * d + (3 if self.gated else 2) * m) + 2 * d
        yield Elementwise(positions, moved, launches=3 * layers + 1)
        if self.after:
            yield Matmul(patches / self.after_merge, self.after, 1)

    def embedded_patches(self, seen: Seen) -> int:
        """Patches that are led into the tower."""
        return sum(view.patches for view in seen.views)

    def positions(self, seen: Seen) -> int:
        """Positions that the layers compute."""
        return seen.patches

    def attention(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        """Every position of a view sees the others of it, in windowed layers those of its window."""
        full = self.layers_run - self.windowed_layers
        for view in seen.views:
            s = view.rows * view.columns + seen.class_tokens
            yield Attention.bidirectional(full, images * view.count, s, self.width, self.head_size)
            if self.windowed_layers:
                yield self._windows(view, images)

    def _windows(self, view: View, images: Number) -> Attention:
        """Windows at the edges are smaller: the sums over rows and columns of side^2 multiply."""
        pairs = images * view.count * _squares(view.rows, self.window) * _squares(view.columns, self.window)
        rows = images * view.patches
        width = self.width
        return Attention(self.windowed_layers, rows, pairs, pairs, width, width, head_size=self.head_size)

    def activation_values(self, seen: Seen) -> int:
        """The embedding, the residual before and after attention, the norm, and the copies of the MLP's hidden layer.

        0.85 to 1.1 times the peaks of real towers in torch; what fused kernels of an engine save is not taken off.
        """
        return self.positions(seen) * (4 * self.width + self.mlp_alive * self.mlp + self.kept)


def _squares(length: int, window: int) -> int:
    """Sum of the squared sides of the windows along one side."""
    return length // window * window**2 + (length % window) ** 2


def plain_layer_vectors(width: int, mlp: int) -> int:
    """Biases of four projections and two MLP matrices, two norms with bias: CLIP, SigLIP."""
    return 4 * width + mlp + width + 4 * width


IN_ONE_KERNEL = ("gelu", "gelu_pytorch_tanh", "relu", "silu")
"""Activations that torch computes without a factor in between."""


def mlp_copies(vision: Values) -> int:
    """Copies of an ungated MLP's hidden layer that are alive at once: what goes into the activation and what comes out,
    and a factor where it is a product of its input, as quick GELU is; so it is counted for any that is not known."""
    named = vision.get("hidden_act") or vision.get("hidden_activation")
    return 2 if named in IN_ONE_KERNEL else 3
