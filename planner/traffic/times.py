"""Seconds of single iterations, as fast as a loop over them needs.

    t = D(B, c / B)                                                                          decode steps alone
    t = D(B, c / B) + F(B + P) - F(B) - F(P) + X(P, pairs, n) + H(h) - H(B) + E(i) + K       prompts beside them
        + (B + P) S((B + n) / (B + P)) - P S(n / P)
    t = X(P, pairs, n) + H(h) - H(1) + E(i)                                                  prompts alone

    D    straight pieces in the mean context, for each B
    F    by rows of products, H by rows of the output head, E by images: each number asked for once
    X    prompts alone with one logit, and S, of recurrent layers per token (`planner.traffic.alone`)
    K    what is saved where prompts and decode steps share launches

The forms are not taken on trust: numbers drawn at random are compared with direct calls, and where one differs by more
than `RELATIVE_ERROR` of each table every iteration is a direct call. Letters: B decode steps over c tokens in all, P
tokens of n prompts, h logits, i images.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from planner.traffic.alone import Alone
from planner.traffic.direct import Direct
from planner.traffic.iteration_time import FloatArray, IntArray, IterationTime
from planner.traffic.pieces import Pieces, TooManyPieces, nodes
from planner.traffic.probes import RELATIVE_ERROR, Probes, near

_ROWS_AT_ONCE = 64
"""Sequences for which decode steps are tabulated in one go."""
_TABLES = 3
"""That are added up for an iteration with prompts: of decode steps, of prompts and of rows."""
_SAMPLED_DECODES = (1, 2, 3, 5, 7, 10, 16, 40, 100)
"""Sequences, and the most, for which pieces of the context are looked for."""


class Times(Protocol):
    """What the loop asks for; as `Direct` describes it."""

    def mixed_s(
        self,
        decodes: int,
        context_tokens: int,
        prefill_tokens: int,
        pairs: float,
        heads: int,
        prompts: int,
        images: int,
    ) -> float: ...

    def decode_s(self, decodes: int, context_tokens: int) -> float: ...

    def until(self, decodes: int, context_tokens: int, count: int, limit_s: float) -> tuple[int, float]: ...

    def foresee(self, sizes: IntArray, cached: IntArray) -> None: ...


def times_of(iteration: IterationTime, sequences: int, tokens: int, context_tokens: int, images: int = 0) -> Times:
    """Fast times of iterations, tables where they agree with direct calls.

    Args:
        iteration: whose times they are.
        sequences: that run at once at most.
        tokens: of an iteration at most.
        context_tokens: of the longest sequence.
        images: of a request at most.
    """
    try:
        table = _Table(iteration, sequences, tokens, max(context_tokens, 2))
    except TooManyPieces:
        return Direct(iteration)
    return table if table.agrees(images) else Direct(iteration)


class _Table:
    """Tables of one iteration time."""

    def __init__(self, iteration: IterationTime, sequences: int, tokens: int, longest: int) -> None:
        self._iteration = iteration
        self._sequences, self._tokens, self._longest = sequences, tokens, longest
        sampled = np.unique([min(b, sequences) for b in (*_SAMPLED_DECODES, sequences)]).astype(float)
        self._contexts = nodes(lambda means: self._decodes(sampled, means), 1.0, float(longest), RELATIVE_ERROR / 4)
        self._steps: list[Pieces] = []  # of B = 1, 2, ...
        rows = self._sums_by_rows()
        self._rows: list[float] = rows.tolist()
        heads = np.arange(sequences + 1.0)
        found = iteration.seconds(0.0, 0.0, 1.0, 1.0, heads, prompts=1.0)
        self._heads: list[float] = np.broadcast_to(found, heads.shape).tolist()
        self._images: dict[int, float] = {0: 0.0}
        self._alone = Alone(iteration, rows, tokens, longest)
        self._joined_s = 0.0
        parts = (1, 2, 1, 1.0, 1, 1, 0)
        self._joined_s = Direct(iteration).mixed_s(*parts) - self.mixed_s(*parts)

    def agrees(self, images: int) -> bool:
        """Whether numbers drawn at random are those of direct calls."""
        probes = Probes.drawn(self._sequences, self._tokens, self._longest, images)
        mixed, steps = probes.seconds(self._iteration)
        if not all(near(self.mixed_s(*one), asked, _TABLES) for one, asked in zip(probes.mixed, mixed, strict=True)):
            return False
        return all(near(self.decode_s(*one), asked) for one, asked in zip(probes.steps, steps, strict=True))

    def foresee(self, sizes: IntArray, cached: IntArray) -> None:
        """As `Alone.foresee`."""
        self._alone.foresee(sizes, cached)

    # ---- what the loop asks for --------------------------------------------------------------------------------------

    def mixed_s(
        self,
        decodes: int,
        context_tokens: int,
        prefill_tokens: int,
        pairs: float,
        heads: int,
        prompts: int,
        images: int,
    ) -> float:
        """Seconds of an iteration with prompts."""
        found = self._alone.seconds(prefill_tokens, pairs, prompts)
        if images:
            found += self._encoded_s(images)
        if not decodes:
            return found + self._heads[heads] - self._heads[1]
        rows = self._rows
        shared = rows[decodes + prefill_tokens] - rows[decodes] - rows[prefill_tokens]
        shared += self._heads[heads] - self._heads[decodes] + self._alone.joined_s(decodes, prefill_tokens, prompts)
        return found + self._step(decodes).at(context_tokens / decodes) + shared + self._joined_s

    def decode_s(self, decodes: int, context_tokens: int) -> float:
        """Seconds of an iteration of decode steps alone."""
        return self._step(decodes).at(context_tokens / decodes)

    def until(self, decodes: int, context_tokens: int, count: int, limit_s: float) -> tuple[int, float]:
        """As `Direct.until`."""
        return self._step(decodes).until(context_tokens / decodes, count, limit_s)

    # ---- how ---------------------------------------------------------------------------------------------------------

    def _decodes(self, decodes: FloatArray, means: FloatArray) -> FloatArray:
        """Seconds, shape (decodes, means)."""
        b = decodes[:, None]
        found = self._iteration.seconds(b, b * means, 0.0, 0.0, b)
        return np.broadcast_to(found, (decodes.size, means.size))

    def _step(self, decodes: int) -> Pieces:
        while len(self._steps) < decodes:
            first = len(self._steps) + 1
            some = np.arange(first, first + _ROWS_AT_ONCE, dtype=float)
            x = self._contexts.tolist()
            self._steps += [Pieces(x, y) for y in self._decodes(some, self._contexts).tolist()]
        return self._steps[decodes - 1]

    def _sums_by_rows(self) -> FloatArray:
        """F at 0, 1, ... up to a constant and a multiple of the rows, which drop out of F(B + P) - F(B) - F(P) and into
        K.

        A prompt of one token beside r decode steps takes F(r + 1) - F(r) more than the steps, and a constant.
        """
        r = np.arange(1.0, self._tokens + 1)
        growth = self._iteration.seconds(r, r, 1.0, 1.0, 1.0, prompts=1.0) - self._iteration.seconds(
            r, r, 0.0, 0.0, 1.0
        )
        growth = np.broadcast_to(growth, r.shape)
        return np.concatenate([[0.0, 0.0], np.cumsum(growth - growth.mean())])

    def _encoded_s(self, images: int) -> float:
        found = self._images.get(images)
        if found is None:
            ask = self._iteration.seconds
            with_images, without = (ask(0.0, 0.0, 1.0, 1.0, 1.0, prompts=1.0, images=i) for i in (float(images), 0.0))
            found = self._images[images] = float(with_images - without)
        return found
