"""The optimum of a form with one parameter to search, or none: all others are linear, and solved for at once.

The sum of squares is a function of the searched one alone. It is tried on a grid, and every dip of the grid is
narrowed down to where its slope changes sign, which is exact to rounding where a minimiser would stop at half the
digits. Where a bound does as well as the best dip, the bound is the answer: the runs say nothing of the parameter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.solve import Optimum
from planner.laws.forms.form import Form, Parameter

FloatArray = NDArray[np.float64]

_GRID = 96
_DIPS = 4  # of the grid, the deepest
_SAME_RSS = 1e-11  # relative: sums closer than this are one number, and the fit at the bound is taken


class Problem(Protocol):
    """Of a `LeastSquares`, what is needed here."""

    @property
    def form(self) -> Form: ...
    @property
    def fixed(self) -> Mapping[str, float]: ...
    @property
    def free(self) -> tuple[Parameter, ...]: ...
    @property
    def y(self) -> FloatArray: ...
    @property
    def root(self) -> FloatArray: ...
    def model(self, params: Mapping[str, float]) -> FloatArray: ...
    def gradient(self, params: Mapping[str, float]) -> FloatArray: ...
    def rss(self, params: Mapping[str, float]) -> float: ...


def solved_at_once(problem: Problem) -> Optimum | None:
    """The optimum of a form with one parameter to search at most; None for another form.

    The linear ones are bounded below at most, and one of them at least is free.
    """
    searched = [one for one in problem.free if not one.linear]
    linear = [one for one in problem.free if one.linear]
    if len(searched) > 1 or not linear or any(math.isfinite(one.high) for one in linear):
        return None
    if searched:
        return _optimum_along(problem, searched[0])
    params = {**problem.fixed, **linear_part(problem, problem.fixed)}
    best = {one.name: params[one.name] for one in problem.form.parameters}
    return Optimum(best, problem.rss(best), True)


def _optimum_along(problem: Problem, searched: Parameter) -> Optimum:
    """The best of all values of the searched parameter, the linear ones at their best."""
    from scipy.optimize import brentq

    line = _Line(problem, searched)
    grid = _grid(searched)
    with np.errstate(all="ignore"):
        sums = np.array([problem.rss(line.at(value)) for value in grid])
        ends = [line.at(float(value)) for value in (grid[0], grid[-1])]
        inner = [i for i in range(1, len(grid) - 1) if sums[i] <= min(sums[i - 1], sums[i + 1])]
        found = [line.at(float(grid[int(np.argmin(sums))]))]
        for i in sorted(inner, key=lambda i: float(sums[i]))[:_DIPS]:
            low, high = float(grid[i - 1]), float(grid[i + 1])
            if line.slope(low) < 0 < line.slope(high):
                found.append(line.at(float(brentq(line.slope, low, high, xtol=1e-300, rtol=1e-15, maxiter=300))))
        for low, high in ((grid[0], grid[1]), (grid[-2], grid[-1])):  # a dip beside an end
            if line.slope(float(low)) < 0 < line.slope(float(high)):
                root = brentq(line.slope, float(low), float(high), xtol=1e-300, rtol=1e-15, maxiter=300)
                found.append(line.at(float(root)))
        best = min(found, key=problem.rss)
        least = problem.rss(best)
        rounding = (8 * np.finfo(float).eps) ** 2 * float(np.sum((problem.root * problem.y) ** 2))
        for end in ends:
            if problem.rss(end) <= least * (1 + _SAME_RSS) + rounding:
                best = end
                break
    return Optimum(best, problem.rss(best), True)


def _grid(searched: Parameter) -> FloatArray:
    """Values between the ends of the starts, evenly in the logarithm, and both bounds where they are finite."""
    low, high = (min(max(end, searched.low), searched.high) for end in searched.starts)
    inside = np.geomspace(low, high, _GRID) if low > 0 else np.linspace(low, high, _GRID)
    bounds = [bound for bound in (searched.low, searched.high) if math.isfinite(bound)]
    far = np.geomspace(high, searched.high, 16) if 0 < high < searched.high < math.inf else np.zeros(0)
    near = np.linspace(searched.low, low, 16) if searched.low < low and math.isfinite(searched.low) else np.zeros(0)
    return np.unique(np.concatenate([near, inside, far, bounds]))


@dataclass(frozen=True)
class _Line:
    problem: Problem
    searched: Parameter

    def at(self, value: float) -> dict[str, float]:
        """All parameters, the linear ones at their best for this value of the searched one."""
        problem = self.problem
        params = {**problem.fixed, self.searched.name: value}
        params |= linear_part(problem, params)
        return {one.name: params[one.name] for one in problem.form.parameters}

    def slope(self, value: float) -> float:
        """Half the derivative of the sum of squares: at the best of all else, that of the model alone."""
        problem, params = self.problem, self.at(value)
        column = problem.gradient(params)[:, problem.form.param_names.index(self.searched.name)]
        return float(np.sum((problem.model(params) - problem.y) * problem.root**2 * column))


def linear_part(problem: Problem, start: Mapping[str, float]) -> dict[str, float]:
    """The best values of the parameters in which the form is linear, none below its lower bound."""
    from scipy.optimize import nnls

    linear = [one for one in problem.free if one.linear]
    floors = {one.name: one.low if math.isfinite(one.low) else 0.0 for one in linear}
    base = problem.model({**start, **floors})
    columns = np.stack(
        [problem.model({**start, **floors, one.name: floors[one.name] + 1.0}) - base for one in linear], axis=1
    )
    matrix, target = columns * problem.root[:, None], (problem.y - base) * problem.root
    if not (np.isfinite(matrix).all() and np.isfinite(target).all()):
        return floors
    lengths = np.linalg.norm(matrix, axis=0)
    matrix = matrix / np.where(lengths > 0, lengths, 1.0)
    bounded = np.array([math.isfinite(one.low) for one in linear])
    basis = np.linalg.qr(matrix[:, ~bounded])[0]
    rest = matrix[:, bounded] - basis @ (basis.T @ matrix[:, bounded])
    active = ~bounded
    if bounded.any():
        active[bounded] = nnls(rest, target - basis @ (basis.T @ target), maxiter=1000)[0] > 0
    values = np.zeros(len(linear))
    values[active] = np.linalg.lstsq(matrix[:, active], target, rcond=None)[0]
    values = np.where(bounded, np.maximum(values, 0.0), values) / np.where(lengths > 0, lengths, 1.0)
    return {one.name: floors[one.name] + float(value) for one, value in zip(linear, values, strict=True)}
