"""Linear attention without a decay of its own for each token (MiniMax), and with one for each channel (Kimi)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms.block import uneven
from planner.parts.llms.recurrent import Recurrent
from planner.parts.walk import Number


@dataclass(frozen=True, kw_only=True)
class Lightning(Recurrent):
    """Linear attention whose state decays at a fixed rate: head size x head size numbers for each head; no convolution.

    A token writes its key times its value and reads the state with its query: 4 FLOPs a number. transformers works on
    blocks of B tokens, the last one shorter, 4 b^2 s + 4 b s^2 FLOPs each and head; behind a cache token by token.
    """

    columns_if_alike: ClassVar = ()

    kernel: int = 0
    heads: int
    head_dim: int
    chunk: int

    @property
    def _width(self) -> int:
        return self.heads * self.head_dim

    @property
    def vectors(self) -> int:
        return self._width  # norm of what comes out

    @property
    def channels(self) -> int:
        return 3 * self._width

    @property
    def state_values(self) -> int:
        return self._width * self.head_dim

    @property
    def flops_per_token(self) -> float:
        return 4.0 * self.state_values

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        return (self.hidden_size, 4 * self._width, 1), (self._width, self.hidden_size, 0)

    def chunked_flops(self, tokens: Number) -> Number:
        whole, rest = np.divmod(tokens, self.chunk)
        squares = whole * self.chunk**2 + rest**2
        found: Number = self.heads * 4.0 * self.head_dim * (squares + tokens * self.head_dim)
        return found

    def resumed_flops(self, tokens: Number) -> Number:
        return self.flops_per_token * tokens

    @property
    def step_flops(self) -> float:
        return self.flops_per_token

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.heads, "{} heads"))


@dataclass(frozen=True, kw_only=True)
class ChannelDelta(Recurrent):
    """The delta rule with a decay for each channel of a key (Kimi Delta Attention): head size x head size numbers for
    each head.

    FLOPs of a token as in the gated delta rule: 6 a number. transformers works on chunks of 64 tokens, padded: 6 C^2 s
    + 6 C s^2 FLOPs each and head; what it sums up number by number is no product and counts nothing.
    """

    columns_if_alike: ClassVar = ("gate_rank",)

    heads: int
    head_dim: int
    gate_rank: int | None
    """Width between the two matrices that make the decay, and the two that make the gate; None: one matrix each."""
    chunk: int = 64

    @property
    def _width(self) -> int:
        return self.heads * self.head_dim

    @property
    def vectors(self) -> int:
        return self.channels * self.kernel + self._width + self.heads + self.head_dim

    @property
    def channels(self) -> int:
        return 3 * self._width

    @property
    def state_values(self) -> int:
        return self._width * self.head_dim

    @property
    def flops_per_token(self) -> float:
        return 6.0 * self.state_values

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        h, width, rank = self.hidden_size, self._width, self.gate_rank
        into = (h, 3 * width + self.heads, 1)
        gates = ((h, 2 * width, 1),) if rank is None else ((h, rank, 1), (rank, width, 1)) * 2
        return into, *gates, (width, h, 0)

    def chunked_flops(self, tokens: Number) -> Number:
        c, s = self.chunk, self.head_dim
        return np.ceil(tokens / c) * self.heads * (6.0 * c * c * s + 6.0 * c * s * s)

    def obstacle(self, gpus: int) -> str:
        return uneven(gpus, (self.heads, "{} heads"))
