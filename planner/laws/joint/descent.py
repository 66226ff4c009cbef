"""The best exponents of a projected joint fit: a descent, from many starts, with or without a pull."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.laws.engine.projection import EXPONENT_MAX
from planner.laws.joint.problem import rounding
from planner.laws.joint.projected import Point, Projected, Pull

FloatArray = NDArray[np.float64]

_START_EXPONENTS = (0.02, 0.08, 0.3, 1.2)
_SWEEP = tuple(np.geomspace(0.005, 4.0, 14).tolist())
_DESCENTS = 6
_ITERATIONS_MAX = 300
_NO_GAIN = 1e-24  # relative: a promised fall of the sum below this moves no digit of an exponent
_ROUNDED = 1e-13  # the same for the sum itself
_GAIN_OF_PULL = 1e-11  # the same on the edge of the region, where no last digit is wanted


def solve(problem: Projected, hints: Iterable[Mapping[str, float]]) -> Point:
    """The best of descents from a grid and from exponents found elsewhere, each first swept one exponent at a time."""
    names = problem.projection.exponents
    pairs = itertools.product(_START_EXPONENTS, repeat=2)
    starts = [dict(zip(names, pair, strict=True)) if names else {} for pair in pairs]
    swept: dict[tuple[float, ...], float] = {}
    for start in [*starts, *hints]:
        exponents = np.zeros(problem.exponents_count)
        for entry in names:
            exponents[problem.slots[entry]] = max(start[entry], _SWEEP[0])
        best = problem.rss(exponents)
        for k in [*range(len(exponents))] * 2:
            for value in _SWEEP:
                trial = exponents.copy()
                trial[k] = value
                rss = problem.rss(trial)
                if rss < best:
                    exponents, best = trial, rss
        swept[tuple(exponents.tolist())] = best
    ranked = sorted(swept, key=lambda exponents: (swept[exponents], exponents))
    found = [descend(problem, np.array(exponents)) for exponents in ranked[:_DESCENTS]]
    return min(found, key=lambda point: point.rss)


def descend(
    problem: Projected,
    start: FloatArray,
    pull: Pull | None = None,
    bend: FloatArray | None = None,
    kept: NDArray[np.bool_] | None = None,
) -> Point:
    """Downhill in the exponents, damped as Levenberg does, each step judged by the exact projected sum.

    Gauss-Newton leaves out what the residuals' own curvature adds to the Hessian, and a pull has much of it: secants of
    the gradient fill it in (Dennis, Gay and Welsch 1981), starting from `bend`. Where a coefficient turns zero the sum
    bends sharply, and steps from this side overshoot: then the face beyond (only the coefficients in `kept`) is
    descended by itself.
    """
    low, high, count = problem.exponent_min, EXPONENT_MAX, problem.exponents_count
    no_gain = _NO_GAIN if pull is None else _GAIN_OF_PULL
    here = problem.at(np.clip(start, low, high), pull, kept)
    bend = np.zeros((count, count)) if bend is None else bend
    damping = 1e-3
    floor, settled = rounding(problem.data), False
    for _ in range(_ITERATIONS_MAX):
        gradient = here.jacobian.T @ here.residual
        free = ~((here.exponents <= low) & (gradient > 0) | (here.exponents >= high) & (gradient < 0))
        normal = here.jacobian.T @ here.jacobian
        hessian = _block(normal + bend, free)
        if not _is_convex(hessian):
            hessian = _block(normal, free)
        size = np.where(np.diag(hessian) > 0, np.diag(hessian), 1.0)
        step = np.linalg.solve(hessian + damping * np.diag(size), gradient * free)
        gain = float(gradient @ step)
        settled = gain <= _ROUNDED * here.objective
        if gain <= no_gain * here.objective or here.objective <= floor:
            return replace(here, bend=bend, converged=True)
        trial = problem.at(np.clip(here.exponents - step, low, high), pull, kept)
        bend = _bent(bend, here, trial)
        worse = trial.objective >= here.objective and not settled  # a settled sum is all rounding, its slope is not
        if worse and kept is None and ((trial.coefficients == 0) & (here.coefficients != 0)).any():
            beyond = descend(problem, here.exponents, pull, None, trial.coefficients != 0)
            trial = problem.at(beyond.exponents, pull)
            worse = trial.objective >= here.objective
        if not worse:
            here, damping = trial, max(0.03 * damping, 1e-12)
        elif gain <= 1e4 * no_gain * here.objective or damping > 1e12:
            return replace(here, bend=bend, converged=True)
        else:
            damping *= 10
    return replace(here, bend=bend, converged=settled)


def _bent(bend: FloatArray, old: Point, new: Point) -> FloatArray:
    """The secant update of the Hessian's part beyond J^T J (E, E) after a step."""
    s = new.exponents - old.exponents
    y = new.jacobian.T @ new.residual - old.jacobian.T @ old.residual
    wanted = (new.jacobian - old.jacobian).T @ new.residual
    along = float(y @ s)
    if along <= 1e-12 * float(np.linalg.norm(y) * np.linalg.norm(s)):
        return bend
    curved = float(s @ bend @ s)
    if curved != 0:
        bend = bend * min(1.0, abs(float(s @ wanted) / curved))
    miss = wanted - bend @ s
    updated: FloatArray = bend + (np.outer(miss, y) + np.outer(y, miss)) / along
    updated -= float(miss @ s) / along**2 * np.outer(y, y)
    return updated


def _block(matrix: FloatArray, free: NDArray[np.bool_]) -> FloatArray:
    """The matrix with the rows and columns of what is held taken out, ones on their diagonal."""
    return np.asarray(np.where(np.outer(free, free), matrix, 0.0) + np.diag((~free).astype(float)))


def _is_convex(matrix: FloatArray) -> bool:
    diagonal = np.diag(matrix)
    if not (diagonal > 0).all():
        return False
    scale = 1 / np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(matrix * np.outer(scale, scale))[0] > 1e-6) if len(matrix) else True
