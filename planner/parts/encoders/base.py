"""What a released model runs on its images: the vision tower over the views of an image, and the connector after it.

A building block (`planner.parts.towers`) sees one square; an encoder sees what its model's image rule cut, tiles or a
grid of any shape. Parameters are counts of what is stored; a walk holds what is needed for the features that are used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from planner.base.dataclass import dataclass
from planner.parts.images import Seen
from planner.parts.walk import Kernel, Matmul, Number


@dataclass(frozen=True)
class Step:
    """A matrix of a connector, and how many rows it gets."""

    k: int
    n: int
    per_token: bool = True
    """Whether it has a row for each visual token; otherwise one for each patch."""
    times: int = 1

    @property
    def weights(self) -> int:
        return self.times * self.k * self.n


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """A connector: patches are put together, and matrices lead them into the language model's embedding space."""

    merge: int = 1
    """Patches that become one token."""
    steps: tuple[Step, ...] = ()
    vectors: int = 0
    """Parameters beside the matrices: biases and norms."""
    pooling_width: int = 0
    """Query heads x head size of an attention from each token over its patches; 0: there is none."""

    @property
    def params(self) -> int:
        """Parameters."""
        return sum(step.weights for step in self.steps) + self.vectors

    def walk(self, patches: Number) -> Iterator[Kernel]:
        """The kernels for so many patches, class tokens left out."""
        for step in self.steps:
            rows = patches / self.merge if step.per_token else patches
            yield Matmul(rows, step.k, step.n, times=step.times)
        if self.pooling_width:
            yield pooling(patches, self.pooling_width)


def two_layers(width: int, llm_width: int, *, bias: bool = True, norm: int = 0) -> Bridge:
    """d -> H -> H; `norm` parameters before it."""
    return Bridge(
        steps=(Step(width, llm_width), Step(llm_width, llm_width)),
        vectors=norm + 2 * llm_width * bias,
    )


def pooling(patches: Number, width: int) -> Kernel:
    """An attention of each token over its own patches, as one product: each patch is a pair."""
    return Matmul(patches, 2 * width, 1, stored=0.0, touched=0.0)


@dataclass(frozen=True, kw_only=True)
class Encoder(ABC):
    """The vision side of a released model."""

    name: str
    bridge: Bridge
    audio_params: int = 0
    """Of an audio tower that is stored beside it; it does not run on images."""

    @property
    @abstractmethod
    def tower_params(self) -> int:
        """Parameters of the tower, as it is stored."""

    @property
    def connector_params(self) -> int:
        """Parameters between tower and language model."""
        return self.bridge.params

    @abstractmethod
    def tower_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        """The kernels of so many images that are cut alike."""

    def connector_walk(self, seen: Seen, images: Number) -> Iterator[Kernel]:
        """The connector's kernels."""
        yield from self.bridge.walk(images * sum(view.patches for view in seen.views))

    @abstractmethod
    def activation_values(self, seen: Seen) -> int:
        """Numbers that one image keeps alive in the widest moment."""
