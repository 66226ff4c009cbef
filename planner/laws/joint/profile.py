"""The edge of a joint fit's likelihood region, followed once, when the fit is made.

Profile-likelihood F-intervals over all groups together, as in `planner.laws.intervals`: the interval of a quantity q
holds every q0 for which the best joint fit with q = q0 has RSS <= RSS_min (1 + F / dof). Finding an end takes refits,
so the fit follows each parameter, and the error on a grid of points, to the edge of that region, and keeps the
parameters that it meets there. One noise variance is taken for all groups.

Letters: L levels, M parameter sets met at a level.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.laws.joint.descent import descend, rounding
from planner.laws.joint.problem import Places, Point, Problem, Pull, Whole
from planner.laws.student import two_sided_quantile

FloatArray = NDArray[np.float64]

LEVELS = (0.8, 0.95, 0.99)
"""Levels at which the edge of the region is kept; those between are interpolated."""

_STIFFER = 10.0  # a pull against the runs' own hold on its quantity: much more, and a descent along a bend is slow
_SAME_T = 1e-4  # how well, relative, the edge of the region is met
_REFITS_MAX = 60
_STUCK = 1e-6  # a quantity that follows its pull less than this, relative, is held by a bound
_HOLD_MIN = 1e-9
_NODES = 7  # along each axis of the grid on which the edge of the region is followed
_COARSE = [1, 3, 5]  # of these, those between which differences are followed
_REACH_DOWN, _REACH_UP = 2.0, 16.0  # how far beyond the data the grid goes
_DIGITS = 7  # of the kept edge, more than it is met to; a fit's own parameters keep all


def profile_of(
    problem: Problem, best: Point, group: int, whole: Whole, sizes: FloatArray, counts: FloatArray
) -> dict[str, Any]:
    """The edge of the likelihood region as one group sees it, at each of `LEVELS`.

    Followed are the group's parameters, and its error on a grid that reaches well beyond its data. For an error between
    the nodes the extremes over the parameters met fall short of the edge by some percent of the interval's width.

    Args:
        problem: what was solved.
        best: its optimum.
        group: whose law.
        whole: the whole fit.
        sizes: LLM sizes that the law speaks for, in its unit.
        counts: numbers of visual tokens that it speaks for.

    Returns:
        "params": parameter -> values met, (L, M) as lists; "ends": parameter -> its low and high, None for an open end.
    """
    t_values = [two_sided_quantile(level, whole.dof) for level in LEVELS]
    n_grid, t_grid = _grid(sizes), _grid(counts)
    pulls = [(name, _pull_of_parameter(problem, name, group)) for name in problem.form.param_names]
    pulls += [("", _pull_of_errors(problem, [(n, t)], group)) for n in n_grid for t in t_grid]
    coarse = [(n, t) for n in n_grid[_COARSE] for t in t_grid[_COARSE]]
    pulls += [("", _pull_of_errors(problem, pair, group)) for pair in itertools.combinations(coarse, 2)]
    met: list[list[dict[str, float]]] = [[] for _ in LEVELS]
    ends: dict[str, dict[str, list[float | None]]] = {name: {} for name in problem.form.param_names}
    for name, pull in pulls:
        for side, sign in (("low", -1.0), ("high", 1.0)):
            edge = _follow(problem, best, pull, sign, whole.noise_variance, t_values)
            for sets, (_, point) in zip(met, edge, strict=True):
                sets.append(problem.params(point, group))
            if name:
                floor = 1e-12 if name in problem.form.non_negative else -math.inf
                ends[name][side] = [None if v is None or v <= floor else _rounded(v) for v, _ in edge]
    params = {name: [[_rounded(one[name]) for one in sets] for sets in met] for name in problem.form.param_names}
    return {"levels": list(LEVELS), "ends": ends, "params": params}


def _grid(levels: FloatArray) -> FloatArray:
    """Nodes that see the data under equal angles: what an error depends on turns fast inside them and slowly beyond."""
    log = np.log(levels)
    middle, spread = float(log.mean()), 1.7 * max(float(log.std()), 0.5)
    low, high = float(log.min()) - math.log(_REACH_DOWN), float(log.max()) + math.log(_REACH_UP)
    angles = np.linspace(math.atan((low - middle) / spread), math.atan((high - middle) / spread), _NODES)
    return np.asarray(np.exp(middle + spread * np.tan(angles)))


def _follow(
    problem: Problem, best: Point, pull: Pull, side: float, noise: float, t_values: Sequence[float]
) -> list[tuple[float | None, Point]]:
    """Where one quantity leaves the region at each t: (its value there, the parameters); None where a bound stops it.

    With v the quantity, t^2 = (RSS - RSS_min) / noise. The force of the pull is half the slope of RSS in v, so each
    refit gives t and dt / dv, and Newton's method meets a t in two or three.
    """
    origin = problem.value(pull, best)
    if best.rss <= rounding(problem):
        return [(origin, best)] * len(t_values)  # runs without noise leave nothing open
    edge: list[tuple[float | None, Point]] = []
    point, v, wanted, hold = best, 0.0, side * max(1e-2 * abs(origin), 1e-4), 1.0
    for t in t_values:
        low, high = abs(v), math.inf
        for _ in range(_REFITS_MAX):
            stiffness = math.sqrt(_STIFFER * hold)
            pull = replace(pull, target=origin + wanted * (1 + hold / stiffness**2), stiffness=stiffness)
            point = descend(problem, point.exponents, pull, point.bend)
            before, v = v, problem.value(pull, point) - origin
            if abs(v - before) <= _STUCK * abs(wanted - before):  # at a bound, which it takes force to leave
                hold *= 1e3
                if hold > 1 / _HOLD_MIN:
                    return edge + [(None, point)] * (len(t_values) - len(edge))
                continue
            here = math.sqrt(max(point.rss - best.rss, 0.0) / noise)
            force = stiffness**2 * (pull.target - origin - v)
            hold = min(max(force / v, _HOLD_MIN), 1 / _HOLD_MIN) if v else hold
            if abs(here - t) <= _SAME_T * t:
                break
            low, high = (abs(v), high) if here < t else (low, abs(v))
            slope = side * force / (noise * here) if here > 0 else 0.0
            ahead = abs(v) + (t - here) / slope if slope > 0 else math.inf
            if not low < ahead < high:
                ahead = (low + high) / 2 if high < math.inf else 2 * low
            wanted = side * min(ahead, 30 * abs(v))
        edge.append((origin + v, point))
        wanted = v * t_values[min(len(edge), len(t_values) - 1)] / t
    return edge


def _pull_of_parameter(problem: Problem, name: str, group: int) -> Pull:
    nowhere = Places(np.zeros(0), np.zeros(0), np.zeros(0, int))
    coefficients, exponents = np.zeros(problem.coefficients_count), np.zeros(problem.exponents_count)
    (exponents if name in problem.projection.bends else coefficients)[problem.slots[name][group]] = 1.0
    return Pull(nowhere, np.zeros(0), coefficients, exponents)


def _pull_of_errors(problem: Problem, points: Sequence[tuple[float, float]], group: int) -> Pull:
    """The error at a point (N, T), or that at the first of two less that at the second."""
    n, t = np.log(np.array(points)).T
    none = np.zeros(problem.coefficients_count), np.zeros(problem.exponents_count)
    return Pull(Places(n, t, np.full(len(points), group)), np.array([1.0, -1.0])[: len(points)], *none)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
