"""Blocks that keep a state in place of a cache: short convolutions, gated delta rule, state-space models.

A state does not grow with the tokens. Under `full` a token costs what its recurrence costs: the products of its state
with what comes in and what goes out. Under `torch` it costs what the implementations of transformers compute without
further packages, which work on chunks of a prompt; each block names theirs.

Letters: h width of the model, c channels of the convolution, K its length, S new tokens.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms.block import Block, uneven
from planner.parts.walk import Cache, Kernel, Matmul, Number, Pass, State


@dataclass(frozen=True, kw_only=True)
class Recurrent(Block):
    """What they share: matrices into the state and out of it, a short convolution, and a state of fixed size."""

    hidden_size: int
    kernel: int
    """Length of the convolution, in tokens."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """That the convolution runs over."""

    @property
    @abstractmethod
    def state_values(self) -> int:
        """Numbers of the recurrent state."""

    @property
    @abstractmethod
    def flops_per_token(self) -> float:
        """Of the recurrence, the convolution left out."""

    @property
    @abstractmethod
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        """Inputs, outputs, and 1 where GPUs share the outputs, 0 where they share the inputs."""

    @abstractmethod
    def chunked_flops(self, tokens: Number) -> Number:
        """FLOPs of the recurrence over the new tokens of a prompt, as transformers computes them."""

    def resumed_flops(self, tokens: Number) -> Number:
        """The same where the state of an earlier prompt is continued."""
        return self.chunked_flops(tokens)

    @property
    def step_flops(self) -> float:
        """FLOPs that PyTorch's counter sees in one decode step of the recurrence."""
        return 0.0

    def walk(self, todo: Pass, times: Number, gpus: Number = 1.0) -> Iterator[Kernel]:
        for k, n, outputs in self.matrices:
            own_k, own_n = (k, n / gpus) if outputs else (k / gpus, n)
            yield Matmul(todo.rows, own_k, own_n, times=times, quantised=True)
        window = 2.0 * self.channels * self.kernel
        if todo.step:
            counted = todo.rows * (2 * window + self.step_flops)
        else:
            resumed, tokens = np.asarray(todo.cached_tokens) > 0, todo.new_tokens
            seen = tokens + np.where(resumed, self.kernel, 0) + self.kernel - 1
            recurrence = np.where(resumed, self.resumed_flops(tokens), self.chunked_flops(tokens))
            counted = todo.sequences * (window * seen + recurrence)
        values = self.state_values + self.channels * self.kernel
        flops = (self.flops_per_token + window) / gpus
        yield State(times, todo.rows, todo.state_updates, values / gpus, flops, unmasked_flops=counted / gpus)

    def cache(self, times: Number, gpus: Number = 1.0) -> Cache | None:
        values = self.state_values + self.channels * self.kernel
        return Cache(0.0, constant_values=times * values / gpus)

    def moved_values(self, gpus: Number = 1.0) -> Number:
        return 4.0 * self.channels / gpus

    def alive_values(self, gpus: Number = 1.0) -> Number:
        return (sum(n for _, n, outputs in self.matrices if outputs) + 2 * self.channels) / gpus


@dataclass(frozen=True, kw_only=True)
class ShortConvolution(Recurrent):
    """A gated convolution over the last tokens (LFM2): h -> 3 h, convolution, h -> h."""

    columns_if_alike: ClassVar = ()

    bias: bool = False

    @property
    def vectors(self) -> int:
        return self.hidden_size * (self.kernel + 5 * self.bias)

    @property
    def channels(self) -> int:
        return self.hidden_size

    @property
    def state_values(self) -> int:
        return 0

    @property
    def flops_per_token(self) -> float:
        return 0.0

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        return (self.hidden_size, 3 * self.hidden_size, 1), (self.hidden_size, self.hidden_size, 0)

    def chunked_flops(self, tokens: Number) -> Number:
        return 0.0

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.hidden_size, "{} channels"))


@dataclass(frozen=True, kw_only=True)
class GatedDelta(Recurrent):
    """The gated delta rule (Qwen3-Next): a state of key size x value size for each value head.

    A token reads its state with the key, writes the difference, and reads it with the query: 6 multiply-adds and adds a
    number. transformers works on chunks of 64 tokens, padded: 4 C^2 k + 2 C^2 v + 6 C k v FLOPs each and head.
    """

    columns_if_alike: ClassVar = ()

    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    chunk: int = 64

    @property
    def _widths(self) -> tuple[int, int]:
        return self.key_heads * self.key_dim, self.value_heads * self.value_dim

    @property
    def vectors(self) -> int:
        return self.channels * self.kernel + 2 * self.value_heads + self.value_dim

    @property
    def channels(self) -> int:
        keys, values = self._widths
        return 2 * keys + values

    @property
    def state_values(self) -> int:
        return self.value_heads * self.key_dim * self.value_dim

    @property
    def flops_per_token(self) -> float:
        return 6.0 * self.state_values

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        keys, values = self._widths
        into = 2 * keys + 2 * values + 2 * self.value_heads
        return (self.hidden_size, into, 1), (values, self.hidden_size, 0)

    def chunked_flops(self, tokens: Number) -> Number:
        c, k, v = self.chunk, self.key_dim, self.value_dim
        chunks = np.ceil(tokens / c)
        return chunks * self.value_heads * (4.0 * c * c * k + 2.0 * c * c * v + 6.0 * c * k * v)

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.key_heads, "{} key heads"), (self.value_heads, "{} value heads"))


@dataclass(frozen=True, kw_only=True)
class Selective(Recurrent):
    """A selective state space with a step of its own for each channel (Mamba)."""

    columns_if_alike: ClassVar = ()

    inner: int
    state: int
    step_rank: int
    conv_bias: bool = True
    bias: bool = False
    normed: bool = False
    """Whether step, input and output of the state are normalised (Jamba)."""

    @property
    def vectors(self) -> int:
        d, n = self.inner, self.state
        norms = self.normed * (self.step_rank + 2 * n)
        return d * (self.kernel + self.conv_bias + n + 2) + self.bias * (2 * d + self.hidden_size) + norms

    @property
    def channels(self) -> int:
        return self.inner

    @property
    def state_values(self) -> int:
        return self.inner * self.state

    @property
    def flops_per_token(self) -> float:
        return 4.0 * self.state_values

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        d, rank = self.inner, self.step_rank
        return (self.hidden_size, 2 * d, 1), (d, rank + 2 * self.state, 0), (rank, d, 1), (d, self.hidden_size, 0)

    def chunked_flops(self, tokens: Number) -> Number:
        return 2.0 * self.state_values * tokens

    @property
    def step_flops(self) -> float:
        return 2.0 * self.state_values

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.inner, "{} channels"))


@dataclass(frozen=True, kw_only=True)
class HeadedStateSpace(Recurrent):
    """A state space with one step for each head (Mamba 2): a state of head size x n for each head.

    transformers works on chunks of C tokens, padded, with Z chunks: for each head 2 C^2 n + 2 C^2 p + 4 C n p a chunk,
    and 2 (Z + 1)^2 n p to hand states from chunk to chunk.
    """

    columns_if_alike: ClassVar = ()

    heads: int
    head_dim: int
    groups: int
    state: int
    chunk: int
    conv_bias: bool = True
    bias: bool = False
    normed: bool = True
    """Whether what comes out is normalised, over all its numbers."""

    @property
    def inner(self) -> int:
        """Heads x head size."""
        return self.heads * self.head_dim

    @property
    def vectors(self) -> int:
        into = self.inner + self.channels + self.heads
        found = self.channels * (self.kernel + self.conv_bias) + 3 * self.heads + self.normed * self.inner
        return found + self.bias * (into + self.hidden_size)

    @property
    def channels(self) -> int:
        return self.inner + 2 * self.groups * self.state

    @property
    def state_values(self) -> int:
        return self.inner * self.state

    @property
    def flops_per_token(self) -> float:
        return 4.0 * self.state_values

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        return (self.hidden_size, self.inner + self.channels + self.heads, 1), (self.inner, self.hidden_size, 0)

    def chunked_flops(self, tokens: Number) -> Number:
        c, n, p = self.chunk, self.state, self.head_dim
        chunks = np.ceil(tokens / c)
        one = 2.0 * c * c * (n + p) + 4.0 * c * n * p
        found: Number = self.heads * (chunks * one + 2.0 * (chunks + 1) ** 2 * n * p)
        return found

    @property
    def step_flops(self) -> float:
        return 2.0 * self.state_values

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.heads, "{} heads"), (self.groups if self.groups > 1 else gpus, "{} groups"))
