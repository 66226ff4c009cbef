"""The least-squares optimum of any form: by the exact engine where the form allows it, else by descents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.laws.engine.descent import descend_from_many, descend_from_one
from planner.laws.engine.design import make_design
from planner.laws.engine.projection import Powers
from planner.laws.engine.solve import Optimum, solve, solve_many
from planner.laws.forms import Form

FloatArray = NDArray[np.float64]


def best_fit(
    form: Form,
    n: FloatArray,
    t: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    fixed: Mapping[str, float] | None = None,
    near: Mapping[str, float] | None = None,
    hint: Mapping[str, float] | None = None,
) -> Optimum:
    """The least-squares optimum under the form's own bounds.

    Args:
        form: any form.
        n: sizes of the runs, in the law's unit, shape (n,).
        t: visual tokens of the runs, shape (n,).
        y: measured errors, shape (n,).
        weights: weights of the squared residuals, shape (n,).
        fixed: parameters that are held.
        near: parameters that are known to be near the optimum; the exact engine does not need them.
        hint: parameters that may be near it: one start, beside a few of those that are tried without.
    """
    if form.simplifies is not None:
        fuller, held = form.simplifies, form.held
        near, hint = ({**start, **held} if start else None for start in (near, hint))
        found = best_fit(fuller, n, t, y, weights, {**held, **(fixed or {})}, near, hint)
        return replace(found, params={name: found.params[name] for name in form.param_names})
    projection = form.projection
    if projection is not None and not fixed:
        return solve(projection, form.value, make_design(n, t, weights), y)
    if isinstance(projection, Powers) and fixed == {projection.offset: 0.0}:
        return solve(projection, form.value, make_design(n, t, weights), y, offset=False)
    if near is not None:
        return descend_from_one(form, n, t, y, weights, near, fixed)
    return descend_from_many(form, n, t, y, weights, fixed, hint)


def best_fits(
    form: Form, n: FloatArray, t: FloatArray, y: FloatArray, weights: FloatArray, near: Mapping[str, float]
) -> dict[str, FloatArray]:
    """The optimum for each of R sets of errors (R, n) of the same runs: each parameter, shape (R,).

    Args:
        form: any form.
        n: sizes of the runs, in the law's unit, shape (n,).
        t: visual tokens of the runs, shape (n,).
        y: errors, shape (R, n).
        weights: weights of the squared residuals, shape (n,).
        near: parameters from which to start, where the exact engine does not know better.
    """
    if form.projection is not None:
        return solve_many(form.projection, make_design(n, t, weights), y)
    found = [descend_from_one(form, n, t, row, weights, near).params for row in y]
    return {name: np.array([params[name] for params in found]) for name in form.param_names}
