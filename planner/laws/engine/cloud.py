"""Where the exponents of a likelihood region lie: its ends, a cloud of nodes that fills it, and a zoom.

In the plane of ln alpha and ln beta a region can be a thin, long, bent ribbon: an offset that the runs do not tell lets
both exponents grow together by a factor, while their ratio is known to a thousandth. So the region is followed, not
boxed in: the profile along the longer of the two axes gives its ends and its centre line, and at each point of that
line the region is cut across.

Letters: K nodes, S trial values along an axis, n runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.design import Design
from planner.laws.engine.projection import EXPONENT_MAX, Projection
from planner.laws.engine.region import Products, products, projected_rss

FloatArray = NDArray[np.float64]

LOG_LOWEST, LOG_HIGHEST = math.log(1e-6), math.log(EXPONENT_MAX)
"""Logarithms of the exponents that are searched."""

_ACROSS, _ACROSS_ROUNDS, _ACROSS_HALF = 17, 2, 3.0  # nodes of a cut, how often it is refined, its first half-length
_PARABOLAS = (0.05, 0.01)  # half-lengths of three points, whose parabola finds the least
_FINE, _FINE_ROUNDS, _FINE_HALF = 9, 6, 0.01  # cuts again: where D turns zero the RSS has a kink that parabolas miss
_END_TO_END = 17  # nodes of a cut through all exponents that are searched
_REACHES = 1e-3 * 2.0 ** np.arange(15)  # distances from the optimum at which an end is first looked for
_TRIALS = 5  # values at once when an end is refined
_DOUBLINGS, _BISECTIONS = 11, 14  # of the way from the centre line to the edge
_ZOOM_ROUNDS, _ZOOM_SIDE, _SHRINKS = 60, 5, 8
_SAME = 1e-7  # relative: what rises by less has arrived


@dataclass(frozen=True)
class Problem:
    """A form, where its runs stand, their errors, and the level that bounds the region."""

    form: Projection
    """Its powers."""
    design: Design
    y: FloatArray
    """Measured errors, shape (n,)."""
    level: float
    """The region holds what has RSS <= level."""

    def rss(self, logs: FloatArray) -> FloatArray:
        """The projected RSS at logarithms of exponents (..., 2); outside the limits that of the nearest inside."""
        nodes = np.exp(np.clip(logs.reshape(-1, 2), LOG_LOWEST, LOG_HIGHEST))
        return projected_rss(products(self.form, self.design, self.y, nodes)).reshape(logs.shape[:-1])


def log_range(problem: Problem, best: FloatArray, weights: tuple[float, float], rounds: int = 6) -> tuple[float, float]:
    """Least and largest  w_alpha ln alpha + w_beta ln beta  over the region, by the profile in that direction.

    Args:
        problem: the region.
        best: the best exponents, (2,).
        weights: (w_alpha, w_beta), such as (1, 0) for alpha and (1, -1) for alpha / beta.
        rounds: how often the ends are refined; each round by a factor of six.
    """
    axes = _axes(weights)
    start = np.clip(np.log(np.maximum(best, 1e-300)), LOG_LOWEST, LOG_HIGHEST) @ axes
    limits = np.array([[a, b] for a in (LOG_LOWEST, LOG_HIGHEST) for b in (LOG_LOWEST, LOG_HIGHEST)]) @ axes
    bounds = np.array([limits[:, 0].min(), limits[:, 0].max()])
    signs = np.array([-1.0, 1.0])
    trials = start[0] + signs[:, None] * _REACHES  # both ends at once, (2, S)
    trials = np.where(signs[:, None] * (bounds[:, None] - trials) > 0, trials, bounds[:, None])
    near, far = _bracket(problem, axes, start[1], np.full(2, start[0]), trials)
    for _ in range(rounds):
        near, far = _bracket(problem, axes, start[1], near, np.linspace(near, far, _TRIALS + 2, axis=1)[:, 1:])
    low, high = (near + far) / 2 * np.hypot(*weights)
    return float(low), float(high)


def _axes(weights: tuple[float, float]) -> FloatArray:
    """Unit vectors along and across a direction, as columns (2, 2)."""
    along = np.array(weights) / np.hypot(*weights)
    return np.array([[along[0], -along[1]], [along[1], along[0]]])


def _bracket(
    problem: Problem, axes: FloatArray, across: float, near: FloatArray, trials: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """For both ends (2,): the last value in the region and the first beyond it, of trial values (2, S) in order.

    Where all are in, the last one twice: the limit of the search cuts the region off.
    """
    _, least = _centre_line(problem, axes, trials.ravel(), across)
    inside = least.reshape(trials.shape) <= problem.level
    first = np.where(inside.all(axis=1), trials.shape[1], inside.argmin(axis=1))
    values = np.concatenate([near[:, None], trials], axis=1)
    rows = np.arange(2)
    return values[rows, first], values[rows, np.minimum(first + 1, trials.shape[1])]


def _centre_line(problem: Problem, axes: FloatArray, along: FloatArray, across: float) -> tuple[FloatArray, FloatArray]:
    """Where the RSS is least across the direction, and how much, at values along it (S,).

    Looked for around `across`. Of an exponent whose term is zero at the optimum `across` says nothing: where the cut
    misses the region, it is looked at from end to end, for another dip of the RSS.
    """
    centers, least = _dips(problem, axes, along, np.full(len(along), across))
    missed = least > problem.level
    if missed.any():
        corners = np.array([[a, b] for a in (LOG_LOWEST, LOG_HIGHEST) for b in (LOG_LOWEST, LOG_HIGHEST)])
        places = np.linspace((corners @ axes)[:, 1].min(), (corners @ axes)[:, 1].max(), _END_TO_END)
        rss = _across(problem, axes, along[missed, None], np.broadcast_to(places, (missed.sum(), _END_TO_END)))
        lower = rss.min(axis=1) < least[missed] * (1 - _SAME)
        at = np.flatnonzero(missed)[lower]
        if at.size:
            centers[at], least[at] = _dips(problem, axes, along[at], places[rss[lower].argmin(axis=1)])
    return centers, least


def _across(problem: Problem, axes: FloatArray, along: FloatArray, across: FloatArray) -> FloatArray:
    """The RSS at coordinates along and across a direction."""
    return problem.rss(np.stack([np.broadcast_to(along, across.shape), across], axis=-1) @ axes.T)


def _dips(problem: Problem, axes: FloatArray, along: FloatArray, centers: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The least RSS across the direction near `centers` (S,): cuts, then parabolas."""
    least = np.full(len(along), np.inf)
    rows = np.arange(len(along))

    def cut(nodes: int, half: float, rounds: int) -> None:
        """Ever finer grids around the least so far."""
        nonlocal centers, least
        ticks = np.linspace(-1.0, 1.0, nodes)
        for _ in range(rounds):
            places = centers[:, None] + half * ticks
            rss = _across(problem, axes, along[:, None], places)
            choice = rss.argmin(axis=1)
            better = rss[rows, choice] <= least
            least = np.where(better, rss[rows, choice], least)
            centers = np.where(better, places[rows, choice], centers)
            half *= 1.5 * (ticks[1] - ticks[0])

    cut(_ACROSS, _ACROSS_HALF, _ACROSS_ROUNDS)
    for half in _PARABOLAS:
        left, middle, right = _across(problem, axes, along, centers + half * np.array([[-1.0], [0.0], [1.0]]))
        bend = left - 2 * middle + right
        shift = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0), 0.0)
        trial = centers + half * np.clip(shift, -3.0, 3.0)
        lower = _across(problem, axes, along, trial)
        for place, there in ((centers - half, left), (centers, middle), (centers + half, right), (trial, lower)):
            better = there <= least
            least, centers = np.where(better, there, least), np.where(better, place, centers)
    cut(_FINE, _FINE_HALF, _FINE_ROUNDS)
    return centers, least


@dataclass(frozen=True)
class Cloud:
    """Nodes that fill the region."""

    exponents: FloatArray
    """(K, 2)."""
    steps: FloatArray
    """For each node the way to its neighbour along the region and across it, in logarithms, (K, 2, 2)."""
    areas: FloatArray
    """The share of the plane of logarithms that each node stands for, (K,); of no meaning for a single node."""


def make_cloud(
    problem: Problem, best: FloatArray, side: int, ranges: tuple[tuple[float, float], tuple[float, float]] | None = None
) -> Cloud:
    """Fill the region with side x side nodes and the optimum.

    Args:
        problem: the region.
        best: the best exponents, (2,).
        side: nodes along the region, and across it.
        ranges: of ln alpha and of ln beta over the region, where they are known (`log_range`).
    """
    start = np.clip(np.log(np.maximum(best, 1e-300)), LOG_LOWEST, LOG_HIGHEST)
    if ranges is None:
        ranges = (log_range(problem, best, (1.0, 0.0), rounds=2), log_range(problem, best, (0.0, 1.0), rounds=2))
    longer = int(np.ptp(ranges[1]) > np.ptp(ranges[0]))
    axes = _axes(((1.0, 0.0), (0.0, 1.0))[longer])
    low, high = ranges[longer]
    # denser towards the ends, where a region tapers and extremes stand
    along = (low + high) / 2 + (high - low) / 2 * np.sin(np.linspace(-1.0, 1.0, side) * math.pi / 2 * 0.995)
    centers, least = _centre_line(problem, axes, along, float((start @ axes)[1]))
    kept = least <= problem.level
    along, centers = along[kept], centers[kept]
    if len(along) < 2:
        return Cloud(np.exp(start)[None], 1e-3 * np.eye(2)[None], np.ones(1))
    left, right = _crossings(problem, axes, along, centers)
    share = (np.sin(np.linspace(-1.0, 1.0, side) * math.pi / 2) + 1) / 2
    across = left[:, None] + (right - left)[:, None] * share
    points = np.stack([np.broadcast_to(along[:, None], across.shape), across], axis=-1)
    forward = np.gradient(points, axis=0)
    sideways = np.stack(
        [np.zeros_like(across), np.broadcast_to(((right - left) / side)[:, None], across.shape)], axis=-1
    )
    logs, steps = points.reshape(-1, 2) @ axes.T, np.stack([forward, sideways], axis=-2).reshape(-1, 2, 2) @ axes.T
    logs = np.clip(np.vstack([logs, start]), LOG_LOWEST, LOG_HIGHEST)
    nearest = int(np.argmin(np.sum((logs[:-1] - start) ** 2, axis=1)))
    areas = (np.gradient(along) * (right - left))[:, None] * np.gradient(share)
    return Cloud(np.exp(logs), np.vstack([steps, steps[nearest][None]]), np.append(areas.ravel(), 0.0))


def _crossings(problem: Problem, axes: FloatArray, along: FloatArray, centers: FloatArray) -> FloatArray:
    """Where the cuts (S,) leave the region on either side of its centre line, (2, S); the last values inside."""
    signs = np.array([[-1.0], [1.0]])

    def inside(distance: FloatArray) -> NDArray[np.bool_]:
        cut = centers + signs * distance
        return problem.rss(np.stack([np.broadcast_to(along, cut.shape), cut], axis=-1) @ axes.T) <= problem.level

    reach = np.full((2, len(along)), 1e-5)
    for _ in range(_DOUBLINGS):
        out = ~inside(reach)
        if out.all():
            break
        reach = np.where(out, reach, 4 * reach)
    low, high = np.zeros_like(reach), reach
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        ok = inside(middle)
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    edges: FloatArray = centers + signs * low
    return edges


def zoom(problem: Problem, cloud: Cloud, value: Callable[[Products, FloatArray], FloatArray]) -> float:
    """The largest `value` over the region: the best node of a cloud, then ever finer grids around it.

    Args:
        problem: the region.
        cloud: nodes that fill the region.
        value: (inner products, exponents (K, 2)) -> value at each node, -inf outside the region.
    """

    def values_at(nodes: FloatArray) -> FloatArray:
        return value(products(problem.form, problem.design, problem.y, nodes), nodes)

    values = values_at(cloud.exponents)
    best = int(np.argmax(values))
    found = float(values[best])
    if not cloud.steps.any():
        return found  # exponents that are fixed, or a form without any
    center, steps = np.log(cloud.exponents[best]), cloud.steps[best]
    ticks = np.linspace(-1.0, 1.0, _ZOOM_SIDE)
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    shrunk = 0
    for _ in range(_ZOOM_ROUNDS):
        nodes = np.exp(np.clip(center + grid @ steps, LOG_LOWEST, LOG_HIGHEST))
        values = values_at(nodes)
        best = int(np.argmax(values))
        if values[best] > found * (1 + _SAME * np.sign(found)):  # in a bent ribbon the way on is found step by step
            found, center = float(values[best]), np.log(nodes[best])
        else:
            found = max(found, float(values[best]))
            steps = steps / 3.0
            shrunk += 1
            if shrunk > _SHRINKS:
                break
    return found
