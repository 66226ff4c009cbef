"""Iterations drawn at random, at which tables are compared with direct calls."""

from __future__ import annotations

import math

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.iteration_time import FloatArray, IterationTime

RELATIVE_ERROR = 1e-6
"""Of an iteration's seconds from tables, against a direct call."""
_COUNT = 48
_ALONE = 0.2
"""Share of iterations without decode steps."""
_PROMPTS_MAX = 8

Mixed = tuple[int, int, int, float, int, int, int]
"""Decode steps, tokens that they attend to, tokens of prompts, pairs, logits, prompts, images."""


@dataclass(frozen=True)
class Probes:
    """Iterations with prompts, and of decode steps alone."""

    mixed: list[Mixed]
    steps: list[tuple[int, int]]
    """Decode steps and tokens that they attend to."""

    @classmethod
    def drawn(cls, sequences: int, tokens: int, longest: int, images: int) -> Probes:
        """Within the bounds of an engine, few sequences and short chunks as often as many and long ones."""
        random = np.random.default_rng(0)
        mixed, steps = [], []
        for _ in range(_COUNT):
            b = max(1, int(np.exp(random.uniform(0, math.log(sequences + 1)))))
            steps.append((b, int(b * random.uniform(2, longest))))
            b = min(b, tokens - 1) if random.random() > _ALONE else 0
            context = int(b * random.uniform(2, longest))
            p, pairs, n = prompts_drawn(random, max(tokens - b, 1), longest)
            heads = min(b + int(random.integers(0, n + 1)), sequences)
            mixed.append((b, context, p, pairs, heads, n, int(random.integers(0, images + 1))))
        return cls(mixed, steps)

    def seconds(self, iteration: IterationTime) -> tuple[FloatArray, FloatArray]:
        """Of both, by direct calls."""
        b, context, p, pairs, heads, n, images = np.array(self.mixed, float).T
        mixed = iteration.seconds(b, context, p, pairs, heads, prompts=n, images=images)
        b, context = np.array(self.steps, float).T
        return mixed, iteration.seconds(b, context, 0.0, 0.0, b)


def prompts_drawn(random: np.random.Generator, tokens: int, longest: int) -> tuple[int, float, int]:
    """Tokens, pairs and number of some equal chunks of prompts, half of the time with something before them."""
    n = min(int(random.integers(1, _PROMPTS_MAX + 1)), tokens)
    p = max(n, int(np.exp(random.uniform(0, math.log(min(tokens, n * longest))))))
    before = int(random.uniform(0, longest - p / n)) * int(random.integers(0, 2))
    return p, p * (before + (p / n + 1) / 2), n


def near(one: float, other: float, tables: int = 1) -> bool:
    """Whether two times agree within the error that so many tables, which are added up, may have."""
    return bool(abs(one - other) <= tables * RELATIVE_ERROR * abs(other))
