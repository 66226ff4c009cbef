"""Seconds of prompts without decode steps beside them, with one logit.

    X(P, pairs, n) = F(P) + a + b P + P A(r) + e n d + P S(n / P)          r = pairs / P,   d = r - (P / n + 1) / 2

F by rows of products; A straight pieces of the time of attention per token, by the r tokens that it attends to; e reads
what stands before a chunk; S straight pieces of the time of recurrent layers per token, which write their state once
for each sequence. That is so where no attention has a window; where numbers drawn at random say
otherwise, each (P, pairs, n) is asked for once. Letters: P tokens of n prompts, d tokens before a chunk in the mean.
"""

from __future__ import annotations

import numpy as np

from planner.traffic.iteration_time import FloatArray, IntArray, IterationTime
from planner.traffic.pieces import Pieces, TooManyPieces, nodes
from planner.traffic.probes import RELATIVE_ERROR, near, prompts_drawn

_PROBES = 32
_FORESEEN = 4
"""Prompts of one iteration that are asked for together with others."""
_FINER = (4, 32)
"""By which pieces keep the error that an iteration may have: the latter where they weigh more in shorter ones."""
_ROUNDING = 0.5
"""Tokens before a chunk; less are the rounding of unlike prompts that are taken as equal."""


class Alone:
    """Prompts alone, of one iteration time."""

    def __init__(self, iteration: IterationTime, rows: FloatArray, tokens: int, longest: int) -> None:
        """`rows`: F at 0, 1, ... up to `tokens`, but for a constant and a multiple of the rows."""
        self._iteration = iteration
        self._rows: list[float] = rows.tolist()
        self._known: dict[tuple[int, float, int], float] = {}
        self._pieces: Pieces | None = None
        self._states: Pieces | None = None
        self._most = min(tokens, longest)
        if tokens < 2:
            return
        self._read = self._read_of(max(longest, 4))
        if not any(self._tabulated(tokens, longest, RELATIVE_ERROR / parts) for parts in _FINER):
            self._pieces = self._states = None

    def seconds(self, tokens: int, pairs: float, prompts: int) -> float:
        """Of so many tokens of so many prompts, and pairs of one of them and one that it attends to."""
        if self._pieces is not None:
            return self._formula(tokens, pairs, prompts)
        key = (tokens, pairs, prompts)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = float(self._ask(float(tokens), pairs, float(prompts)))
        return found

    def foresee(self, sizes: IntArray, cached: IntArray) -> None:
        """Ask, in one go, for the whole prompts that may share an iteration: those that come one after the other.

        Args:
            sizes: tokens of each prompt, in the order in which they come; shape (requests,).
            cached: in front of each.
        """
        if self._pieces is not None:
            return
        pairs = sizes * (cached + (sizes + 1) / 2)
        tokens, seen = np.zeros(sizes.size + 1, np.int64), np.zeros(sizes.size + 1)
        for n in range(1, min(_FORESEEN, sizes.size) + 1):
            tokens, seen = tokens[:-1] + sizes[n - 1 :], seen[:-1] + pairs[n - 1 :]
            fits = tokens < len(self._rows) - 1
            keys = list({(p, r, n) for p, r in zip(tokens[fits].tolist(), seen[fits].tolist(), strict=True)})
            if keys:
                p, r, _ = np.array(keys, float).T
                found = np.broadcast_to(self._ask(p, r, float(n)), p.shape)
                self._known.update(zip(keys, found.tolist(), strict=True))

    def joined_s(self, decodes: int, tokens: int, prompts: int) -> float:
        """What recurrent layers take for prompts and decode steps together, above what they take for each alone."""
        if self._states is None:
            return 0.0
        return self._state(decodes + tokens, decodes + prompts) - self._state(tokens, prompts)

    def _state(self, rows: int, updates: int) -> float:
        """Of recurrent layers, but for a multiple of the rows."""
        assert self._states is not None
        return rows * self._states.at(updates / rows * self._most)

    def _ask(self, tokens: FloatArray | float, pairs: FloatArray | float, prompts: FloatArray | float) -> FloatArray:
        return self._iteration.seconds(0.0, 0.0, tokens, pairs, 1.0, prompts=prompts)

    def _formula(self, tokens: int, pairs: float, prompts: int) -> float:
        assert self._pieces is not None
        seen = pairs / tokens
        before = seen - (tokens / prompts + 1) / 2
        read = self._read * prompts * before if before > _ROUNDING else 0.0
        found = self._rows[tokens] + self._constant + self._row * tokens + tokens * self._pieces.at(seen) + read
        return found if self._states is None else found + self._state(tokens, prompts)

    def _tabulated(self, tokens: int, longest: int, error: float) -> bool:
        """Whether the formula is right, with pieces that keep a relative error where iterations are longest."""
        self._constant = self._row = 0.0
        try:
            self._pieces = self._attention(float(tokens), float(longest), error)
            self._states = self._recurrence(self._most, error)
        except TooManyPieces:
            return False
        self._fit(tokens)
        return self._agrees(tokens, longest)

    def _read_of(self, seen: int) -> float:
        """e: two prompts of one token read more before them than one of two that attends to as many; what else they
        differ in does not grow with that."""
        far, near_by = (
            float(self._ask(2.0, 2.0 * r, 2.0)) - float(self._ask(2.0, 2.0 * r, 1.0)) for r in (float(seen), 3.0)
        )
        return (far - near_by) / (seen - 3.0)

    def _attention(self, tokens: float, longest: float, error: float) -> Pieces:
        """A, of an iteration full of prompts of one token."""

        def asked(seen: FloatArray) -> FloatArray:
            found = self._ask(tokens, tokens * seen, tokens) - self._read * tokens * (seen - 1)
            return np.broadcast_to(found, seen.shape)[None]

        x = nodes(asked, 2.0, max(longest, 3.0), error)  # from where there is something before each token
        y = asked(x)[0]
        return Pieces(x.tolist(), ((y - y[0]) / tokens).tolist())

    def _recurrence(self, tokens: int, error: float) -> Pieces | None:
        """S by n, of so many tokens with one token before each prompt or more; None where there are no recurrent
        layers."""
        seen = (tokens + 1) / 2 + 1

        def asked(prompts: FloatArray) -> FloatArray:
            read = self._read * prompts * (seen - (tokens / prompts + 1) / 2)
            return np.broadcast_to(self._ask(float(tokens), tokens * seen, prompts) - read, prompts.shape)[None]

        ends = asked(np.array([1.0, tokens]))[0]
        if near(ends[0], ends[1]):
            return None
        x = nodes(asked, 1.0, float(tokens), error)
        y = asked(x)[0]
        return Pieces(x.tolist(), ((y - y[-1]) / tokens).tolist())

    def _fit(self, tokens: int) -> None:
        """a and b, from what the formula misses without them."""
        first, last = self._missed(1, 1.0, 1), self._missed(tokens, float(tokens), tokens)
        self._row = (last - first) / (tokens - 1)
        self._constant = first - self._row

    def _missed(self, *given: float) -> float:
        tokens, pairs, prompts = given
        return float(self._ask(*given)) - self._formula(int(tokens), pairs, int(prompts))

    def _agrees(self, tokens: int, longest: int) -> bool:
        random = np.random.default_rng(1)
        drawn = [prompts_drawn(random, tokens, longest) for _ in range(_PROBES)]
        p, pairs, n = np.array(drawn, float).T
        asked = np.broadcast_to(self._ask(p, pairs, n), p.shape)
        return all(near(self._formula(*one), other) for one, other in zip(drawn, asked.tolist(), strict=True))
