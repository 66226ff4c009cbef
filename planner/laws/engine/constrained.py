"""The optimum of a form under the user's own constraints: lmfit.Parameters, started from the projected optimum.

Fixed and tied parameters, and bounds, take away the structure that variable projection lives on, so this is a general
bounded least squares (lmfit over scipy's trust region), from several starts, with tolerances at rounding: scipy's
defaults stop at a relative change of 1e-8, which on a flat ridge is anywhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, UnknownNameError
from planner.laws.engine.descent import starting_points
from planner.laws.engine.design import make_design
from planner.laws.engine.faces import best_face
from planner.laws.engine.projection import Powers
from planner.laws.engine.solve import Optimum
from planner.laws.forms import Form

if TYPE_CHECKING:
    import lmfit

FloatArray = NDArray[np.float64]

_TOLERANCE = 1e-15
_EVALUATIONS_MAX = 3000
_START_EXPONENTS = (0.02, 0.15, 1.0)
_STARTS = 4  # besides the free optimum
_NEAR_BOUND = 1e-5  # an interior method stops this near to an active bound, relative to the parameter


def solve_constrained(
    form: Form,
    n: FloatArray,
    t: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    params: lmfit.Parameters,
    free: Optimum,
) -> tuple[Optimum, tuple[str, ...]]:
    """The best parameters under `params`, and the names of those at a bound.

    Args:
        form: any form.
        n: sizes of the runs in the law's unit, shape (n,).
        t: visual tokens, shape (n,).
        y: measured errors, shape (n,).
        weights: weights of the squared residuals, shape (n,).
        params: constraints by parameter name; parameters that are not named have the form's own bounds.
        free: the optimum under the form's own bounds alone.

    Raises:
        UnknownNameError: a name that the form has no parameter of.
        FitError: constraints that no parameters satisfy.
    """
    full = _complete(form, params)
    root = np.sqrt(weights / weights.mean())
    noise = math.sqrt(max(free.weighted_rss / len(y), 1e-24))

    def residual(trial: lmfit.Parameters) -> FloatArray:
        out: FloatArray = (form.value(trial.valuesdict(), n, t) - y) * root / noise
        return np.nan_to_num(out, nan=1e150, posinf=1e150, neginf=-1e150)

    best: lmfit.Parameters | None = None
    best_rss = math.inf
    for start in _starts(form, n, t, y, weights, free):
        found, rss = _minimise(residual, _with_values(full, start))
        if rss < best_rss:
            best, best_rss = found, rss
    if best is None:
        raise FitError("the constraints leave no parameters with a finite error; loosen a bound or an expression")
    best, best_rss = _snap_to_bounds(residual, best, best_rss)
    best, best_rss = _solve_linear(form, n, t, y, root, residual, best, best_rss)
    values = {name: float(best[name].value) for name in form.param_names}
    at_bound = tuple(name for name in form.param_names if _bound_reached(full[name], values[name]) is not None)
    return Optimum(values, best_rss * noise**2, True), at_bound


def _complete(form: Form, params: lmfit.Parameters) -> lmfit.Parameters:
    """The user's parameters with the form's own bounds under them."""
    import lmfit

    for name in params:
        if name not in form.param_names:
            raise UnknownNameError(f"parameter of the {form.name} form", name, form.param_names)
    full = lmfit.Parameters()
    for one in form.parameters:
        full.add(one.name, value=0.1, min=one.low, max=one.high)
    for name, own in params.items():
        parameter = full[name]
        if not own.vary and not own.expr and not math.isfinite(own.value):
            raise FitError(f"parameter {name}: expected a finite value to fix, got {own.value}")
        parameter.min = own.min if math.isfinite(own.min) else parameter.min
        parameter.max = own.max if math.isfinite(own.max) else parameter.max
        if own.expr:
            parameter.min, parameter.max = -math.inf, math.inf
            try:
                parameter.expr = own.expr
                full.update_constraints()
            except Exception as error:  # whatever an expression of the user's can raise
                raise FitError(f"parameter {name}: the expression {own.expr!r} cannot be read ({error})") from None
        elif not own.vary:
            parameter.min, parameter.max = -math.inf, math.inf
            parameter.set(value=own.value, vary=False)
    return full


def _starts(
    form: Form, n: FloatArray, t: FloatArray, y: FloatArray, weights: FloatArray, free: Optimum
) -> list[dict[str, float]]:
    """The free optimum first, then the best coefficients at a few pairs of exponents, or other good starts."""
    projection = form.projection
    if projection is None:
        return [free.params, *starting_points(form, n, t, y, weights)[:_STARTS]]
    if not isinstance(projection, Powers):
        return [free.params]
    pairs = np.array([(alpha, beta) for alpha in _START_EXPONENTS for beta in _START_EXPONENTS])
    design = make_design(n, t, weights)
    fit = best_face(projection, design, y, pairs)
    found = projection.params(design, pairs, fit.a, fit.b, fit.d)
    best = np.argsort(fit.rss)[:_STARTS]
    return [free.params, *({name: float(found[name][i]) for name in found} for i in best)]


def _with_values(full: lmfit.Parameters, start: dict[str, float]) -> lmfit.Parameters:
    trial = full.copy()
    for name, value in start.items():
        parameter = trial[name]
        if parameter.vary and not parameter.expr:
            span = parameter.max - parameter.min
            margin = 1e-3 * (span if math.isfinite(span) else max(abs(value), 1e-3))
            inside = min(max(value, parameter.min + min(margin, 1e-3)), parameter.max - min(margin, 1e-3))
            parameter.set(value=inside)
    return trial


def _minimise(residual: Any, start: lmfit.Parameters) -> tuple[lmfit.Parameters, float]:
    """(parameters, sum of squares) of one bounded descent."""
    import lmfit

    if not any(parameter.vary for parameter in start.values()):
        return start, float(np.sum(residual(start) ** 2))
    with np.errstate(all="ignore"):  # a flat direction leaves lmfit's variances undefined, and it takes their roots
        result = lmfit.minimize(
            residual,
            start,
            method="least_squares",
            x_scale="jac",
            jac="3-point",
            ftol=_TOLERANCE,
            xtol=_TOLERANCE,
            gtol=_TOLERANCE,
            max_nfev=_EVALUATIONS_MAX,
            calc_covar=False,
        )
    return result.params, float(np.sum(residual(result.params) ** 2))


def _snap_to_bounds(residual: Any, best: lmfit.Parameters, best_rss: float) -> tuple[lmfit.Parameters, float]:
    """Put parameters that came near a bound exactly on it, where that is no worse."""
    for name, parameter in list(best.items()):
        bound = _bound_reached(parameter, parameter.value) if parameter.vary else None
        if bound is None:
            continue
        trial = best.copy()
        trial[name].min, trial[name].max = -math.inf, math.inf
        trial[name].set(value=bound, vary=False)
        found, rss = _minimise(residual, trial)
        if rss <= best_rss * (1 + 1e-9):
            best, best_rss = found, min(rss, best_rss)
    return best, best_rss


def _solve_linear(
    form: Form,
    n: FloatArray,
    t: FloatArray,
    y: FloatArray,
    root: FloatArray,
    residual: Any,
    best: lmfit.Parameters,
    best_rss: float,
) -> tuple[lmfit.Parameters, float]:
    """The linear parameters once more, exactly, at the exponents found: a descent leaves their last digits open."""
    from scipy.optimize import lsq_linear

    free = [one.name for one in form.parameters if one.linear and best[one.name].vary]
    if not free or any(parameter.expr for parameter in best.values()):
        return best, best_rss
    values = best.valuesdict()
    rest = values | dict.fromkeys(free, 0.0)
    base = form.value(rest, n, t)
    columns = np.column_stack([form.value(rest | {name: 1.0}, n, t) - base for name in free])
    bounds = ([best[name].min for name in free], [best[name].max for name in free])
    solved = lsq_linear(columns * root[:, None], (y - base) * root, bounds, method="bvls", tol=1e-15)
    trial = best.copy()
    for name, value in zip(free, solved.x, strict=True):
        trial[name].set(value=float(value))
    rss = float(np.sum(residual(trial) ** 2))
    return (trial, rss) if rss <= best_rss * (1 + 1e-12) else (best, best_rss)


def _bound_reached(parameter: lmfit.Parameter, value: float) -> float | None:
    """The bound at which a free parameter stands, or None."""
    if not parameter.vary or parameter.expr:
        return None
    for bound in (parameter.min, parameter.max):
        if math.isfinite(bound) and abs(value - bound) <= _NEAR_BOUND * max(abs(bound), 1e-2):
            return float(bound)
    return None
