"""Sizes of prompts by their mean: the seconds by which each lengthens an iteration, its images included."""

from __future__ import annotations

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.batch import Batch
from planner.traffic.iteration_time import FloatArray
from planner.traffic.requests import Requests

_SIZES = 16
"""Of prompts, at most."""


@dataclass(frozen=True, eq=False)
class Sizes:
    """Of prompts by their mean, as few classes; shape (classes,)."""

    of_mean: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, batch: Batch, requests: Requests, n: float) -> Sizes:
        """By the seconds that each row adds to an iteration beside n sequences: as many mean prompts add them."""
        tokens = requests.prompt_tokens.astype(float)
        if len(requests) == 1:
            return cls(np.ones(1), np.ones(1))
        context = n * np.asarray(batch.demand.context_tokens)
        pairs = tokens * (requests.cached_tokens + (tokens + 1) / 2)
        added: FloatArray = batch.iteration.seconds(n, context, tokens, pairs, n + 1.0, prompts=1.0)
        added = added + batch.images_s(requests.images.astype(float))
        grid = np.geomspace(1e-2, 4 * tokens.max() / tokens.mean(), 256)
        mean_prompt = batch.iteration.seconds(
            n, context, grid * batch.prompt_tokens, grid * np.asarray(batch.demand.pairs), n + 1.0, prompts=1.0
        )
        known = np.maximum.accumulate(mean_prompt + grid * batch.encode_s(grid))
        return cls(*classes(np.interp(added, known, grid), requests.weights, _SIZES))

    @property
    def mean(self) -> float:
        """1, but for what classes lose."""
        return float(self.weights @ self.of_mean)

    @property
    def square(self) -> float:
        """Mean of the squares."""
        return float(self.weights @ self.of_mean**2)


def classes(values: FloatArray, weights: FloatArray, most: int) -> tuple[FloatArray, FloatArray]:
    """At most so many values with their weights, each the mean of neighbours; the mean stays, ends are finer."""
    found, which = np.unique(values, return_inverse=True)
    shares = np.bincount(which, weights=weights).astype(float)
    if found.size > most:
        below = np.cumsum(shares) - shares / 2
        edges = np.sin(np.linspace(0, np.pi / 2, most + 1))[1:-1] * (1 + 1e-9)  # the largest are the finest
        which = np.searchsorted(edges, below)
        total = np.bincount(which, weights=shares, minlength=most)
        sums = np.bincount(which, weights=shares * found, minlength=most)
        there = total > 0
        return sums[there] / total[there], total[there].astype(float)
    return found, shares
