"""The edge of a joint fit's likelihood region, followed once, when a law is first asked how sure it is, or saved.

Profile-likelihood F-intervals over all groups together, as in `planner.laws.intervals`: the interval of a quantity q
holds every q0 for which the best joint fit with q = q0 has RSS <= RSS_min (1 + F / dof). Finding an end takes refits,
so each parameter, and the error on a grid of points, is followed to the edge of that region, and the parameters that
are met there are kept. One noise variance is taken for all groups: that of the residuals, or the one that absolute
standard errors state, with chi-square in the place of F.

Letters: L levels, M parameter sets met at a level.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.laws.joint.problem import Problem, Quantity, S, Whole
from planner.laws.student import normal_quantile, two_sided_quantile
from planner.laws.weighting import ABSOLUTE

FloatArray = NDArray[np.float64]

LEVELS = (0.8, 0.95, 0.99)
"""Levels at which the edge of the region is kept; those between are interpolated."""

_NODES = 7  # along each axis of the grid on which the edge of the region is followed
_COARSE = [1, 3, 5]  # of these, those between which differences are followed
_REACH_DOWN, _REACH_UP = 2.0, 16.0  # how far beyond the data the grid goes
_DIGITS = 7  # of the kept edge, more than it is met to; a fit's own parameters keep all


def profile_of(
    problem: Problem[S], best: S, group: int, whole: Whole, sizes: FloatArray, counts: FloatArray, error_se: str
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
        error_se: "absolute" where standard errors say the noise.

    Returns:
        "params": parameter -> values met, (L, M) as lists; "ends": parameter -> its low and high, None for an open end.
    """
    t_values = [quantile_of(level, whole.dof, error_se) for level in LEVELS]
    n_grid, t_grid = _grid(sizes), _grid(counts)
    quantities = [Quantity(group, parameter=name) for name in problem.form.param_names]
    quantities += [Quantity(group, places=((n, t),)) for n in n_grid for t in t_grid]
    coarse = [(n, t) for n in n_grid[_COARSE] for t in t_grid[_COARSE]]
    quantities += [Quantity(group, places=pair) for pair in itertools.combinations(coarse, 2)]
    values, met = problem.met(best, group, quantities, whole.noise_variance, t_values)
    ends = {}
    for name, both in zip(problem.form.param_names, values, strict=False):
        floor = 1e-12 if name in problem.form.non_negative else -math.inf
        ends[name] = {
            side: [_rounded(v) if v > floor else None for v in edge.tolist()]
            for side, edge in zip(("low", "high"), both, strict=True)
        }
    params = {name: [list(map(_rounded, sets)) for sets in of.tolist()] for name, of in met.items()}
    return {"levels": list(LEVELS), "ends": ends, "params": params}


def quantile_of(level: float, dof: int, error_se: str) -> float:
    """How many standard deviations an interval of a level reaches: Student's, normal where the noise is known."""
    return normal_quantile(level) if error_se == ABSOLUTE else two_sided_quantile(level, dof)


def _grid(levels: FloatArray) -> FloatArray:
    """Nodes that see the data under equal angles: what an error depends on turns fast inside them and slowly beyond."""
    log = np.log(levels)
    middle, spread = float(log.mean()), 1.7 * max(float(log.std()), 0.5)
    low, high = float(log.min()) - math.log(_REACH_DOWN), float(log.max()) + math.log(_REACH_UP)
    angles = np.linspace(math.atan((low - middle) / spread), math.atan((high - middle) / spread), _NODES)
    return np.asarray(np.exp(middle + spread * np.tan(angles)))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
