"""The optimum of any form: bounded least squares from many starts, or along a line with one parameter to search.

Starts are spread evenly and deterministically over the ranges that the form's parameters name; parameters in which the
form is linear are solved for at each. The best few are descended by scipy's trust region, with tolerances at rounding
(its defaults stop at a relative change of 1e-8, which on a flat ridge is anywhere), the residuals scaled by the noise.
A bound that the optimum comes near is tried as such: an interior method only comes near it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import FitError
from planner.laws.engine.finite import finite
from planner.laws.engine.line import solved_at_once
from planner.laws.engine.solve import Optimum
from planner.laws.forms.form import Form, Parameter

FloatArray = NDArray[np.float64]

_STARTS = 192
_DESCENTS = 8  # of the best starts, to three digits or so
_POLISHED = 3  # of those, to the last digit
_BESIDE_HINT = 3  # starts that are descended beside a hint
_ROUGH, _FINE = (1e-6, 60), (1e-15, 3000)  # (tolerance, evaluations)
_NEAR_BOUND = 0.02  # of a parameter's usual size: nearer to a bound, the bound itself is tried
_NO_NUMBER = 1e140  # the residual where a form gives none
_SAME_RSS = 1e-11  # relative: sums closer than this are one number, and the fit at the bound is taken


@dataclass(frozen=True)
class LeastSquares:
    """A least squares with some parameters held; p of them are free."""

    form: Form
    n: FloatArray
    t: FloatArray
    y: FloatArray
    root: FloatArray
    """Square roots of the weights, of mean weight 1."""
    fixed: Mapping[str, float]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All of them, in the order of the gradient."""
        return self.form.parameters

    @property
    def free(self) -> tuple[Parameter, ...]:
        return tuple(one for one in self.parameters if one.name not in self.fixed)

    def model(self, params: Mapping[str, float]) -> FloatArray:
        """Errors at the runs, (n,)."""
        return self.form.value(params, self.n, self.t)

    def gradient(self, params: Mapping[str, float]) -> FloatArray:
        """Their derivatives in all parameters, (n, parameters)."""
        return self.form.gradient(params, self.n, self.t)

    def params(self, values: FloatArray) -> dict[str, float]:
        """All parameters from the free ones, (p,)."""
        free = {one.name: float(value) for one, value in zip(self.free, values, strict=True)}
        return {one.name: free[one.name] if one.name in free else self.fixed[one.name] for one in self.parameters}

    def residual(self, params: Mapping[str, float]) -> FloatArray:
        """Weighted, (n,); huge where the form gives no number."""
        with np.errstate(all="ignore"):
            out = (self.model(params) - self.y) * self.root
        return finite(out, nan=_NO_NUMBER, most=_NO_NUMBER)

    def rss(self, params: Mapping[str, float]) -> float:
        return float(np.sum(self.residual(params) ** 2))


def descend_from_many(
    form: Form,
    n: FloatArray,
    t: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    fixed: Mapping[str, float] | None = None,
    hint: Mapping[str, float] | None = None,
) -> Optimum:
    """The optimum under the form's own bounds. Arguments as `optimum.best_fit`.

    Raises:
        FitError: the form gives no finite errors at the runs, whatever its parameters.
    """
    problem = _problem(form, n, t, y, weights, fixed)
    at_once = solved_at_once(problem)
    if at_once is not None and at_once.weighted_rss < _NO_NUMBER**2:
        return at_once
    starts = starting_points(form, n, t, y, weights, fixed)
    best = best_of(problem, starts) if hint is None else best_of(problem, [dict(hint), *starts[:_BESIDE_HINT]], 2)
    if best.weighted_rss >= _NO_NUMBER**2:
        raise FitError(
            f"the {form.name} form gives no finite errors at the runs with any of {_STARTS} parameter sets: check its "
            "function and the ranges of its starts"
        )
    return best


def best_of(problem: LeastSquares, starts: Sequence[Mapping[str, float]], polished: int = _POLISHED) -> Optimum:
    """The best of descents from the first few starts, the best few of them `polished`."""
    rough = [_descend(problem, start, *_ROUGH) for start in starts[:_DESCENTS]]
    rough.sort(key=lambda found: found.weighted_rss)
    return min((_polished(problem, one) for one in rough[:polished]), key=lambda found: found.weighted_rss)


def descend_from_one(
    form: Form,
    n: FloatArray,
    t: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    start: Mapping[str, float],
    fixed: Mapping[str, float] | None = None,
) -> Optimum:
    """The optimum that lies downhill from a start. Arguments as `optimum.best_fit`."""
    problem = _problem(form, n, t, y, weights, fixed)
    at_once = solved_at_once(problem)
    if at_once is not None:
        return at_once
    return _polished(problem, _descend(problem, dict(start), *_ROUGH))


def starting_points(
    form: Form,
    n: FloatArray,
    t: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    fixed: Mapping[str, float] | None = None,
) -> list[dict[str, float]]:
    """Where to start, the best first. Arguments as `optimum.best_fit`."""
    problem = _problem(form, n, t, y, weights, fixed)
    return ranked(problem, spread(form, fixed or {}))


def spread(form: Form, fixed: Mapping[str, float]) -> list[dict[str, float]]:
    """Values of the parameters that are held, and of those that have to be searched, spread evenly."""
    searched = [one for one in form.parameters if not one.linear and one.name not in fixed]
    shares = _evenly(_STARTS, len(searched)) if searched else np.zeros((1, 0))
    return [dict(fixed) | {one.name: _between(one, x) for one, x in zip(searched, row, strict=True)} for row in shares]


def ranked(problem: LeastSquares, starts: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Starts with the linear parameters solved for, the best first."""
    linear = [one for one in problem.free if one.linear]
    full = [{**start, **_linear_part(problem, start, linear)} for start in starts]
    return sorted(full, key=problem.rss)


def _problem(
    form: Form,
    n: FloatArray,
    t: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    fixed: Mapping[str, float] | None,
) -> LeastSquares:
    return LeastSquares(form, n, t, y, np.sqrt(weights / weights.mean()), fixed or {})


def _evenly(count: int, dimensions: int) -> FloatArray:
    """Points (count, dimensions) that fill the unit cube evenly: multiples of the powers of a generalised golden ratio.

    (M. Roberts 2018, "The unreasonable effectiveness of quasirandom sequences".)
    """
    golden = 2.0
    for _ in range(60):
        golden = (1 + golden) ** (1 / (dimensions + 1))
    steps = golden ** -np.arange(1.0, dimensions + 1)
    points: FloatArray = (0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0
    return points


def _between(parameter: Parameter, share: float) -> float:
    """A value at a share of the range in which a parameter's starts lie."""
    low, high = (min(max(end, parameter.low), parameter.high) for end in parameter.starts)
    if low > 0:
        return float(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))
    return float(low + share * (high - low))


def _linear_part(problem: LeastSquares, start: Mapping[str, float], linear: list[Parameter]) -> dict[str, float]:
    """The best values of the parameters in which the form is linear, those above an upper bound put on it."""
    from scipy.optimize import nnls

    if not linear:
        return {}
    floors = {one.name: one.low if math.isfinite(one.low) else 0.0 for one in linear}
    with np.errstate(all="ignore"):
        base = problem.model({**start, **floors})
        columns = [problem.model({**start, **floors, one.name: floors[one.name] + 1.0}) - base for one in linear]
    signed = [(one, column, 1.0) for one, column in zip(linear, columns, strict=True)]
    signed += [(one, -column, -1.0) for one, column in zip(linear, columns, strict=True) if not math.isfinite(one.low)]
    matrix = np.stack([column * problem.root for _, column, _ in signed], axis=1)
    target = (problem.y - base) * problem.root
    if not (np.isfinite(matrix).all() and np.isfinite(target).all()):
        return floors
    found = dict(floors)
    for (one, _, sign), value in zip(signed, nnls(matrix, target, maxiter=1000)[0], strict=True):
        found[one.name] += sign * float(value)
    return {one.name: min(found[one.name], one.high) for one in linear}


def _descend(problem: LeastSquares, start: Mapping[str, float], tolerance: float, evaluations: int) -> Optimum:
    """Downhill from a start by scipy's bounded trust region."""
    from scipy.optimize import least_squares

    free = problem.free
    if not free:
        params = problem.params(np.zeros(0))
        return Optimum(params, problem.rss(params), True)
    low, high = np.array([one.low for one in free]), np.array([one.high for one in free])
    inside = np.array([_inside(one, start[one.name]) for one in free])
    scale = 1 / max(math.sqrt(problem.rss(problem.params(inside)) / len(problem.y)), 1e-12)
    columns = [k for k, one in enumerate(problem.parameters) if one.name not in problem.fixed]

    def residual(values: FloatArray) -> FloatArray:
        return problem.residual(problem.params(values)) * scale

    def jacobian(values: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            gradient = problem.gradient(problem.params(values))[:, columns]
        return finite(gradient * problem.root[:, None] * scale, nan=0.0, most=1e100)

    found = least_squares(
        residual,
        inside,
        jacobian,
        bounds=(low, high),
        x_scale="jac",
        ftol=tolerance,
        xtol=tolerance,
        gtol=tolerance,
        max_nfev=evaluations,
    )
    params = problem.params(found.x)
    return Optimum(params, problem.rss(params), bool(found.status > 0))


def _inside(parameter: Parameter, value: float) -> float:
    """A value a little inside the bounds, where scipy wants a start."""
    low, high = parameter.low, parameter.high
    margin = min(1e-6 * parameter.size, 1e-3 * (high - low))
    return min(max(value, low + margin), high - margin)


def _polished(problem: LeastSquares, rough: Optimum) -> Optimum:
    """To the last digit, with every bound tried that the optimum is near."""
    best = _descend(problem, rough.params, *_FINE)
    best = _solved_linear(problem, best)
    rounding = (8 * np.finfo(float).eps) ** 2 * float(np.sum((problem.root * problem.y) ** 2))
    for one in problem.free:
        for bound in (one.low, one.high):
            if math.isfinite(bound) and best.params[one.name] != bound:
                if abs(best.params[one.name] - bound) > _NEAR_BOUND * one.size:
                    continue
                held = replace(problem, fixed={**problem.fixed, one.name: bound})
                trial = _solved_linear(held, _descend(held, best.params, *_FINE))
                if trial.weighted_rss <= best.weighted_rss * (1 + _SAME_RSS) + rounding:
                    best, problem = trial, held
    return best


def _solved_linear(problem: LeastSquares, found: Optimum) -> Optimum:
    """The linear parameters once more, exactly: a descent leaves their last digits open."""
    linear = [one for one in problem.free if one.linear]
    params = {**found.params, **problem.fixed}
    params |= _linear_part(problem, params, linear)
    rss = problem.rss(params)
    if rss <= found.weighted_rss:
        return Optimum({one.name: params[one.name] for one in problem.parameters}, rss, found.converged)
    return found
