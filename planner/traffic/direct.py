"""Seconds of single iterations, each asked for: for iteration times that no table stands for."""

from __future__ import annotations

import numpy as np

from planner.traffic.iteration_time import FloatArray, IntArray, IterationTime

_AT_ONCE = 2048
"""Decode steps that are asked for in one call."""


class Direct:
    """Asks for every iteration that it has not been asked for before."""

    def __init__(self, iteration: IterationTime) -> None:
        self._iteration = iteration
        self._known: dict[tuple[float, ...], float] = {}

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
        """Seconds of an iteration with prompts; arguments as those of `IterationTime.seconds`."""
        key = (decodes, context_tokens, prefill_tokens, pairs, heads, prompts, images)
        found = self._known.get(key)
        if found is None:
            found = float(
                self._iteration.seconds(
                    float(decodes),
                    float(context_tokens),
                    float(prefill_tokens),
                    float(pairs),
                    float(heads),
                    prompts=float(prompts),
                    images=float(images),
                )
            )
            self._known[key] = found
        return found

    def decode_s(self, decodes: int, context_tokens: int) -> float:
        """Seconds of an iteration of decode steps alone."""
        return self.until(decodes, context_tokens, 1, float("inf"))[1]

    def until(self, decodes: int, context_tokens: int, count: int, limit_s: float) -> tuple[int, float]:
        """How many iterations of the same sequences, each a token longer than in the last, it takes until they have
        lasted `limit_s`, at most `count` and at least 1; and their seconds."""
        done, total = 0, 0.0
        while done < count:
            steps = min(count - done, _AT_ONCE)
            context = context_tokens + decodes * np.arange(done, done + steps, dtype=float)
            ends: FloatArray = total + np.cumsum(self._steps(decodes, context))
            reached = int(np.searchsorted(ends, limit_s))
            if reached < steps:
                return done + reached + 1, float(ends[reached])
            done, total = done + steps, float(ends[-1])
        return done, total

    def foresee(self, sizes: IntArray, cached: IntArray) -> None:
        """Nothing is asked for ahead."""

    def _steps(self, decodes: int, context: FloatArray) -> FloatArray:
        return np.broadcast_to(
            self._iteration.seconds(float(decodes), context, 0.0, 0.0, float(decodes)), context.shape
        )
