"""What Gemma 3n and 4 put around their layers: inputs of each layer's own, and several streams of a token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from planner.base.dataclass import dataclass
from planner.parts.llms.block import Block
from planner.parts.walk import Gather, Kernel, Matmul, Number, Pass


@dataclass(frozen=True, kw_only=True)
class PerLayerInputs(Block):
    """A second embedding of each token, a slice for each layer, and what projects the first one beside it."""

    columns_if_alike: ClassVar = ()

    hidden_size: int
    layers: int
    width: int
    """Of a layer's slice."""
    vocab_size: int

    @property
    def vectors(self) -> int:
        return self.table_params + self.width

    @property
    def table_params(self) -> int:
        return self.vocab_size * self.layers * self.width

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        yield Matmul(todo.rows, self.hidden_size, self.layers * self.width, times=times, quantised=True)
        yield Gather(todo.rows, self.layers * self.width, times)

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return 3.0 * self.layers * self.width

    def alive_values(self, gpus: Number = 1.0) -> Number:
        return 2.0 * self.layers * self.width


@dataclass(frozen=True, kw_only=True)
class AltUp(Block):
    """n streams of a token, of which a layer computes one and predicts the others (alternating updates).

    A router of the layer is applied twice, to what comes in and to what was computed.
    """

    columns_if_alike: ClassVar = ()

    hidden_size: int
    streams: int

    @property
    def vectors(self) -> int:
        return 2 * self.hidden_size  # scale of the output, norm of the router

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        h, n, rows = self.hidden_size, self.streams, todo.rows
        yield Matmul(rows, h, n, times=times)
        yield Matmul(rows, n, n * n, times=times)
        yield Matmul(rows, h * n, n, times=times, stored=0.0, touched=0.0)
        yield Matmul(rows, h, n, times=times, stored=0.0, touched=0.0)
        yield Matmul(rows, n, n, times=times)

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return 6.0 * self.streams * self.hidden_size

    def alive_values(self, gpus: Number = 1.0) -> Number:
        return 3.0 * self.streams * self.hidden_size
