"""Which of some cells is best, with tails as heavy as those that held-out evidence shows.

What was measured lies far from what was predicted more often than a Gaussian says: a task or a model is sometimes
unlike all others. Differences therefore have Student's t, with the degrees of freedom and the scale that held-out rows
have, so that "98 %" is right in 98 of 100 cases.
"""

from __future__ import annotations

import math

import numpy as np

from planner.laws.hierarchy.cells import FloatArray
from planner.laws.hierarchy.own_runs import Mixture
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.steady_root import steady_root

DRAWS = 4000
"""By default."""


def draws(errors: Mixture, tail: Tail, count: int = DRAWS, seed: int = 0) -> FloatArray:
    """(count, m) joint draws of the errors of m cells, without the noise of a measurement.

    All cells of a draw share its factor: where the evidence is wrong of one cell, it is wrong of its like.
    """
    random = np.random.default_rng(seed)
    part = random.choice(len(errors.weights), size=count, p=errors.weights)
    normal = random.standard_normal((count, len(errors.mean)))
    spread = tail.scale * np.sqrt(tail.dof / random.chisquare(tail.dof, size=count))
    found = np.empty_like(normal)
    for which, gaussian in enumerate(errors.parts):
        chosen = part == which
        found[chosen] = gaussian.mean + spread[chosen, None] * (normal[chosen] @ steady_root(gaussian.covariance).T)
    return found


def probability_best(errors: Mixture, tail: Tail, count: int = DRAWS, seed: int = 0) -> FloatArray:
    """(m,) share of joint draws in which each cell has the least error."""
    best = np.argmin(draws(errors, tail, count, seed), axis=1)
    found: FloatArray = np.bincount(best, minlength=len(errors.mean)) / count
    return found


def probability_better(errors: Mixture, first: int, second: int, tail: Tail) -> float:
    """That one cell has a lower error than another, exactly."""
    total = 0.0
    for weight, part in zip(errors.weights.tolist(), errors.parts, strict=True):
        gain = float(part.mean[second] - part.mean[first])
        between = part.covariance[[[first], [second]], [first, second]]
        sd = math.sqrt(max(float(between[0, 0] + between[1, 1] - 2 * between[0, 1]), 0.0))
        total += weight * (tail.below(gain / sd) if sd else float(gain > 0))
    return total
