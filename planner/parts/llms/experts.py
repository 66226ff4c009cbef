"""Mixtures of experts: a router sends each token to k of E experts; shared experts take every token.

Stored are all experts; a token is multiplied with k of them. A pass reads the experts that its tokens meet: with tokens
that are routed independently and evenly, E (1 - (1 - k / E)^tokens) of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms.block import Block, uneven
from planner.parts.walk import Kernel, Matmul, Number, Pass


@dataclass(frozen=True, kw_only=True)
class Experts(Block):
    """Routed experts, each an MLP, and one shared MLP or none."""

    columns_if_alike: ClassVar = ("shared_width", "router_outputs", "shared_gate", "latent", "runs_all")

    hidden_size: int
    width: int
    """Of one routed expert."""
    experts: int
    per_token: int
    shared_width: int = 0
    """Of all shared experts together; 0: none."""
    gated: bool = True
    bias: bool = False
    """Of the routed experts."""
    router_outputs: int | None = None
    """Of the router's matrix; None: one for each expert."""
    extra_vectors: int = 0
    """Biases of the router, gates of shared experts that are no matrices, and the like."""
    shared_gate: bool = False
    """Whether a matrix of one output weighs the shared expert."""
    latent: int = 0
    """Width that routed experts work in, behind one matrix and before another; 0: the model's."""
    runs_all: bool = False
    """Whether the implementation of transformers runs every expert on every token, and masks."""

    @property
    def _outputs(self) -> int:
        return self.experts if self.router_outputs is None else self.router_outputs

    @property
    def _size(self) -> int:
        return self.latent if np.any(self.latent) else self.hidden_size

    @property
    def _biases(self) -> int:
        return self.bias * self.experts * ((1 + self.gated) * self.width + self._size)

    @property
    def vectors(self) -> int:
        return self.extra_vectors + self._biases

    @property
    def expert_params(self) -> int:
        return self.experts * (2 + self.gated) * self.width * self._size + self._biases

    @property
    def idle_expert_params(self) -> int:
        return self.expert_params - self.expert_params * self.per_token // self.experts

    def touched(self, tokens: Number) -> Number:
        """Expected number of distinct experts that so many tokens meet."""
        found: Number = self.experts * (1 - (1 - self.per_token / self.experts) ** tokens)
        return found

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        h, size, width, rows = self.hidden_size, self._size, self.width / gpus, todo.rows * self.per_token
        touched = self.touched(todo.rows)
        yield Matmul(todo.rows, h, self._outputs, times=times)
        if self.shared_gate:
            yield Matmul(todo.rows, h, 1, times=times)
        if np.any(self.shared_width):
            shared = self.shared_width / gpus
            yield Matmul(todo.rows, h, (1 + self.gated) * shared, times=times, quantised=True)
            yield Matmul(todo.rows, shared, h, times=times, quantised=True)
        if np.any(self.latent):
            yield Matmul(todo.rows, h, size, times=times, quantised=True)
            yield Matmul(todo.rows, size, h, times=times, quantised=True)
        for k, n in ((size, (1 + self.gated) * width), (width, size)):
            yield Matmul(
                rows,
                k,
                n,
                times=times,
                quantised=True,
                stored=self.experts * k * n,
                touched=touched * k * n,
                groups=touched,
                unmasked_rows=todo.rows * self.experts if self.runs_all else None,
            )

    def moved_values(self, gpus: Number = 1.0) -> Number:
        routed = self.per_token * ((2 + self.gated) * self.width / gpus + 2 * self.hidden_size)
        return routed + (2 + self.gated) * self.shared_width / gpus + 2 * self.experts

    @property
    def extra_launches(self) -> int:
        """The router's choice, the sort of tokens by expert, the weighted sum of what the experts give."""
        return 3

    def alive_values(self, gpus: Number = 1.0) -> Number:
        routed = self.per_token * ((2 + self.gated) * self.width / gpus + self.hidden_size)
        return self.hidden_size + routed + (2 + self.gated) * self.shared_width / gpus

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.width, "experts of {}"), (self.shared_width, "a shared expert of {}"))
