"""Where a quantity leaves the likelihood region of a projected joint fit: it is pulled off its optimum, bit by bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planner.laws.joint.descent import descend
from planner.laws.joint.problem import Edge, Quantity, rounding
from planner.laws.joint.projected import Places, Point, Projected, Pull

_STIFFER = 10.0  # a pull against the runs' own hold on its quantity: much more, and a descent along a bend is slow
_SAME_T = 1e-4  # how well, relative, the edge of the region is met
_REFITS_MAX = 60
_STUCK = 1e-6  # a quantity that follows its pull less than this, relative, is held by a bound
_HOLD_MIN = 1e-9


def follow(
    problem: Projected, best: Point, pull: Pull, side: float, noise: float, t_values: Sequence[float]
) -> Edge[Point]:
    """Where one quantity leaves the region at each t: (its value there, the parameters); None where a bound stops it.

    With v the quantity, t^2 = (RSS - RSS_min) / noise. The force of the pull is half the slope of RSS in v, so each
    refit gives t and dt / dv, and Newton's method meets a t in two or three.
    """
    origin = problem.value(pull, best)
    if best.rss <= rounding(problem.data):
        return [(origin, best)] * len(t_values)  # runs without noise leave nothing open
    edge: Edge[Point] = []
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


def pull_of(problem: Projected, quantity: Quantity) -> Pull:
    """The pull on a quantity, its target and stiffness still to be chosen."""
    coefficients, exponents = np.zeros(problem.coefficients_count), np.zeros(problem.exponents_count)
    if quantity.parameter:
        entries = exponents if quantity.parameter in problem.projection.bends else coefficients
        entries[problem.slots[quantity.parameter][quantity.group]] = 1.0
    n, t = np.log(np.array(quantity.places, float).reshape(-1, 2)).T
    places = Places(n, t, np.full(len(n), quantity.group))
    return Pull(quantity.group, places, np.array([1.0, -1.0])[: len(n)], coefficients, exponents)
