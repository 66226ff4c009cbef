"""Draws from the posterior of any form, by an ensemble of walkers (Goodman and Weare 2010, the stretch move).

Gaussian noise of unknown variance. Priors, stated: flat in each parameter between its bounds, those that the form says
so flat in their logarithm; flat in ln sigma, which leaves the density RSS^(-n/2). Half of the walkers move at a time,
each along the line to one of the other half, so a thin or slanted region is walked through like a round one. They start
around the optimum by its Gaussian approximation.

Letters: W walkers, p free parameters, n runs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.trial import Trial

FloatArray = NDArray[np.float64]

LOWEST = 1e-6
"""Least value of a parameter whose prior is flat in its logarithm."""

_WALKERS = 120


@dataclass(frozen=True)
class Length:
    """How long the walkers go."""

    burn: int
    """First steps that are thrown away."""
    steps: int
    """Steps after those."""
    thin: int
    """Every how many steps the walkers are kept."""


DRAWS = Length(600, 1800, 12)
"""For a posterior: draws that are almost independent."""
SCOUTS = Length(150, 450, 3)
"""For the starts of searches, which do the rest: a region walked through once."""

_STRETCH = 2.0
_SPREAD_MAX = 1.0  # of the start, in usual sizes: directions that the runs leave free have no Gaussian width


def walk(trial: Trial, best: FloatArray, rss_floor: float, length: Length = DRAWS, seed: int = 0) -> FloatArray:
    """Draws of the free parameters, (draws, p), in no order that means anything.

    Args:
        trial: the form and its runs.
        best: the free parameters at the optimum, (p,).
        rss_floor: the least sum of squares that is no rounding.
        length: of the walk.
        seed: the same seed gives the same draws.
    """
    random = np.random.default_rng(seed)
    is_log = np.array([one.log for one in trial.free])
    low, high = trial.bounds
    low = np.where(is_log, np.log(np.maximum(low, LOWEST)), low)
    with np.errstate(divide="ignore"):
        high = np.where(is_log, np.log(high), high)

    def density(places: FloatArray) -> FloatArray:
        inside = np.all((places >= low) & (places <= high), axis=1)
        values = np.where(is_log, np.exp(np.clip(places, -700, 700)), places)
        rss = np.maximum(trial.rss(np.where(np.asarray(inside)[:, None], values, best)), rss_floor)
        return np.where(inside, -0.5 * len(trial.y) * np.log(rss), -math.inf)

    places = _start(trial, best, is_log, low, high, rss_floor, random)
    current = density(places)
    half, dimensions = _WALKERS // 2, places.shape[1]
    groups = (np.arange(half), np.arange(half, 2 * half))
    kept = []
    for step in range(length.burn + length.steps):
        for moving, others in (groups, groups[::-1]):
            z = ((_STRETCH - 1) * random.random(half) + 1) ** 2 / _STRETCH
            anchors = places[others[random.integers(half, size=half)]]
            proposed = anchors + z[:, None] * (places[moving] - anchors)
            there = density(proposed)
            accepted = np.log(random.random(half)) < (dimensions - 1) * np.log(z) + there - current[moving]
            places[moving[accepted]], current[moving[accepted]] = proposed[accepted], there[accepted]
        if step >= length.burn and step % length.thin == 0:
            kept.append(places.copy())
    drawn = np.concatenate(kept)
    drawn = drawn[random.permutation(len(drawn))]
    return np.where(is_log, np.exp(drawn), drawn)


def _start(
    trial: Trial,
    best: FloatArray,
    is_log: NDArray[np.bool_],
    low: FloatArray,
    high: FloatArray,
    rss_floor: float,
    random: np.random.Generator,
) -> FloatArray:
    """Walkers (W, p) spread like the Gaussian approximation, inside the bounds."""
    centre = np.where(is_log, np.log(np.maximum(best, LOWEST)), best)
    jacobian = trial.jacobian(best[None])[0] * np.where(is_log, np.maximum(best, LOWEST), 1.0)
    noise = max(float(trial.rss(best[None])[0]), rss_floor) / max(len(trial.y) - len(best), 1)
    sizes = np.array([1.0 if one.log else one.size for one in trial.free]) * _SPREAD_MAX
    stacked = np.vstack([jacobian / math.sqrt(noise), np.diag(1 / sizes)])
    _, singular, rotation = np.linalg.svd(stacked, full_matrices=False)
    places = centre + (random.standard_normal((_WALKERS, len(best))) / singular) @ rotation
    for _ in range(8):  # what lies outside is mirrored back in
        places = np.where(places < low, 2 * low - places, places)
        places = np.where(places > high, 2 * high - places, places)
    places = np.clip(places, low, high)
    return np.asarray(places)
