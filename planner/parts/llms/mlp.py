"""What works on each token alone: an MLP, gated or plain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from planner.base.dataclass import dataclass
from planner.parts.llms.block import Block, uneven
from planner.parts.walk import Kernel, Matmul, Number, Pass


@dataclass(frozen=True, kw_only=True)
class Mlp(Block):
    """Two matrices, or three with a gate."""

    columns_if_alike: ClassVar = ()

    hidden_size: int
    width: int
    gated: bool = True
    bias: bool = False
    extra_vectors: int = 0

    @property
    def vectors(self) -> int:
        return self.extra_vectors + self.bias * ((1 + self.gated) * self.width + self.hidden_size)

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        width = self.width / gpus
        yield Matmul(todo.rows, self.hidden_size, (1 + self.gated) * width, times=times, quantised=True)
        yield Matmul(todo.rows, width, self.hidden_size, times=times, quantised=True)

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return (2 + self.gated) * self.width / gpus

    def alive_values(self, gpus: Number = 1.0) -> Number:
        return (2 + self.gated) * self.width / gpus

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.width, "an MLP of {}"))


@dataclass(frozen=True, kw_only=True)
class Linear(Block):
    """A chain of matrices on each token: low-rank adapters, projections around the layers."""

    columns_if_alike: ClassVar = ("steps",)

    steps: tuple[tuple[int, int], ...]
    """Inputs and outputs of each matrix."""
    extra_vectors: int = 0
    rows_per_token: int = 1
    """Several streams of a token that pass through the same matrices."""

    @property
    def vectors(self) -> int:
        return self.extra_vectors

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        rows = todo.rows * self.rows_per_token
        for k, n in self.steps:
            yield Matmul(rows, k, n, times=times, quantised=True)

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return 2.0 * self.rows_per_token * sum(n for _, n in self.steps)

    def alive_values(self, gpus: Number = 1.0) -> Number:
        return self.rows_per_token * max(n for _, n in self.steps)
