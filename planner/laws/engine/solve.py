"""Measured errors -> the exact least-squares optimum of a form, by variable projection.

For given exponents the best A, B, D >= 0 are known exactly (`faces`); what is left is a search in the two exponents:
a grid (`grid`), then Newton's method on the projected residual from every basin at once, damped as Levenberg does.
Steps are judged by the exact projected residual, so the descent is always on the best face of where it stands.
Variable projection: Golub and Pereyra 1973; the Hessian without its second-order terms is Kaufman's 1975.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.design import Design
from planner.laws.engine.faces import FaceFit, best_face, least_squares, put_fit, take_fit, where_fit
from planner.laws.engine.grid import basins, best_nodes
from planner.laws.engine.projection import EXPONENT_MAX, Powers, Projection

FloatArray = NDArray[np.float64]

_ITERATIONS_MAX = 300
_NO_GAIN = 1e-16  # relative: a promised fall in RSS below this is rounding, so the descent has arrived
_GAIN_OF_MANY = 1e-10  # the same where many resampled fits are wanted, not their last digits
_DAMPING_MAX = 1e14
_FAN = (1.0, 30.0, 1e3, 3e4)  # dampings tried at once: where D turns zero the model bends, and long steps overshoot
_FAN_POINTS_MAX = 64  # with more points than this at once, one damping is cheaper
_SAME_RSS = 1e-11  # relative: residual sums closer than this are one number, and the fit with more zeros is taken


@dataclass(frozen=True)
class Optimum:
    """The best parameters found, in the unit of N that the design was made with."""

    params: dict[str, float]
    weighted_rss: float
    """Sum of weight x squared residual; the mean weight is 1."""
    converged: bool
    """Whether the descent ended because no step improved any more, not because its patience did."""


def solve(
    form: Projection, value: Callable[..., FloatArray], design: Design, y: FloatArray, *, offset: bool = True
) -> Optimum:
    """The global least-squares optimum of a form under its own bounds: every parameter but a free offset at least zero.

    Args:
        form: what it is made of.
        value: (params, N, T) -> Y by the form.
        design: where the runs stand.
        y: measured errors, shape (n,).
        offset: whether a power form has its offset; False holds it at zero.
    """
    if isinstance(form, Powers):
        form = form if offset else replace(form, with_offset=False)
        exponents, fit, done = descend(form, design, y, basins(form, design, y))
        best = [_simplest_best(fit, y * design.root_weight)]
        if not done[best[0]] and form.with_offset:
            # Where D turns zero the model bends, and a descent may creep along the bend: without D it is smooth.
            along, _, _ = descend(replace(form, with_offset=False), design, y, exponents[best])
            exponents, fit, done = descend(form, design, y, np.concatenate([along, exponents[best]]))
            best = [_simplest_best(fit, y * design.root_weight)]
        params = form.params(design, exponents[best], fit.a[best], fit.b[best], fit.d[best])
        converged = bool(done[best[0]])
    else:
        params, converged = solve_lines(form, design, y[None]), True
    values = {name: float(found[0]) for name, found in params.items()}
    model = value(values, np.exp(design.x + design.x_mean), np.exp(design.t + design.t_mean))
    return Optimum(values, float(np.sum((design.root_weight * (y - model)) ** 2)), converged)


def solve_many(form: Projection, design: Design, y: FloatArray) -> dict[str, FloatArray]:
    """The optimum for each of R data sets that share a design, all in one batch.

    Each starts from the best node of the grid, and stops when a step promises less than 1e-10 of its RSS.

    Args:
        form: what it is made of.
        design: where the runs stand.
        y: measured errors, shape (R, n).

    Returns:
        Each parameter, shape (R,), in the unit of N that the design was made with.
    """
    if not isinstance(form, Powers):
        return solve_lines(form, design, y)
    exponents, fit, _ = descend(form, design, y, best_nodes(form, design, y), _GAIN_OF_MANY)
    return form.params(design, exponents, fit.a, fit.b, fit.d)


def descend(
    form: Powers, design: Design, y: FloatArray, starts: FloatArray, no_gain: float = _NO_GAIN
) -> tuple[FloatArray, FaceFit, NDArray[np.bool_]]:
    """Follow the projected residual downhill from P starts at once.

    Args:
        form: its powers.
        design: where the runs stand.
        y: measured errors, shape (n,) or (P, n).
        starts: exponents, shape (P, 2).
        no_gain: a promised fall in RSS below this, relative, ends a descent.

    Returns:
        Exponents (P, 2), the fit there, and whether each descent ended because no step improved any more.
    """
    exponents = np.clip(starts, form.exponent_min, EXPONENT_MAX)
    y = np.broadcast_to(y, (len(exponents), len(design.x)))
    fit = best_face(form, design, y, exponents)
    converged = np.zeros(len(exponents), bool)
    floor = _rounding_rss(y * design.root_weight)
    index = np.arange(len(exponents))  # of the points still under way; the rest of the state is theirs alone
    here, here_fit, damping = exponents.copy(), fit, np.full(len(exponents), 1e-3)
    for _ in range(_ITERATIONS_MAX):
        points = len(index)
        fan = _FAN if points <= _FAN_POINTS_MAX else _FAN[:1]
        gradient, matrix = _quadratic_model(form, design, here, here_fit)
        gain = -np.einsum("pk,pk->p", gradient, _solve_2x2(matrix, np.full(points, 1e-12), -gradient))
        steps = np.concatenate([_solve_2x2(matrix, damping * factor, -gradient) for factor in fan])
        trials = np.clip(np.tile(here, (len(fan), 1)) + steps, form.exponent_min, EXPONENT_MAX)
        trial_fit = best_face(form, design, np.tile(y[index], (len(fan), 1)), trials)
        choice = np.argmin(trial_fit.rss.reshape(len(fan), points), axis=0)
        picked = choice * points + np.arange(points)
        trial_fit = take_fit(trial_fit, picked)
        better = trial_fit.rss < here_fit.rss
        done = (gain <= no_gain * here_fit.rss) | (here_fit.rss <= floor[index])
        done |= (~better & (gain <= 1e4 * no_gain * here_fit.rss)) | (damping > _DAMPING_MAX)
        here = np.where(better[:, None], trials[picked], here)
        here_fit = where_fit(better, trial_fit, here_fit)
        damping = np.where(better, np.maximum(damping * np.array(fan)[choice] * 0.1, 1e-12), damping * fan[-1] * 4)
        if done.any():
            exponents[index[done]] = here[done]
            put_fit(fit, index[done], take_fit(here_fit, np.flatnonzero(done)))
            converged[index[done]] = True
            going = np.flatnonzero(~done)
            index, here, here_fit, damping = index[going], here[going], take_fit(here_fit, going), damping[going]
            if not len(index):
                return exponents, fit, converged
    exponents[index] = here
    put_fit(fit, index, here_fit)
    return exponents, fit, converged


def _quadratic_model(
    form: Powers, design: Design, exponents: FloatArray, fit: FaceFit
) -> tuple[FloatArray, FloatArray]:
    """Gradient (P, 2) and Hessian (2, 2, P) of half the projected RSS; Gauss-Newton's where the true one is not convex.

    An exponent that its bound holds takes no part: its row and column are zero.

    With r the residual, e a power, x its centred logarithm and c its coefficient, the projected f = r.r / 2 has the
    gradient c (x e).r, because d exp(-a x) / d a = -x exp(-a x) and the coefficients are optimal. Its Hessian is that
    of the whole problem less what the coefficients take up: J.J - c (x^2 e).r + u.s + s.u - s.s, where J is c x e less
    its projection u on the columns Q of the face, and s is R^-T applied to (x e).r.
    """
    powers = form.columns(design, exponents).powers
    second = len(powers) - 1  # beta's power: alpha's own in the multiplicative form
    root = design.root_weight
    logs = (design.x, design.t)
    slopes = np.stack([logs[k] * powers[k and second] * root for k in (0, 1)])  # (2, P, n)
    coefficient = np.stack([fit.a, fit.b if second else fit.a])  # (2, P)
    inner = np.einsum("kpn,pn->kp", slopes, fit.residual)
    along = coefficient[:, None] * np.einsum("kpn,qpn->kqp", slopes, fit.basis)  # u, (2, 3, P)
    taken = inner[:, None] * fit.lift[[0, second]]  # s with the sign of -r: d column / d a = -x e
    slopes *= coefficient[..., None]
    gradient = np.einsum("kp,kp->pk", coefficient, inner)
    bend = np.stack([np.einsum("kpn,n,pn->kp", slopes, log, fit.residual) for log in logs])  # c (x x e).r, (2, 2, P)
    if second:
        bend[0, 1] = bend[1, 0] = 0.0  # each power has an exponent of its own
    projected = slopes - np.einsum("kqp,qpn->kpn", along, fit.basis)
    gauss_newton = np.einsum("kpn,lpn->klp", projected, projected)
    crossed = np.einsum("kqp,lqp->klp", along, taken)
    newton = gauss_newton - bend + crossed + crossed.swapaxes(0, 1) - np.einsum("kqp,lqp->klp", taken, taken)
    convex = (newton[0, 0] > 0) & (newton[1, 1] > 0) & (newton[0, 0] * newton[1, 1] > 1.01 * newton[0, 1] ** 2)
    matrix = np.where(convex, newton, gauss_newton)
    held = ((exponents <= form.exponent_min) & (gradient > 0)) | ((exponents >= EXPONENT_MAX) & (gradient < 0))
    gradient[held] = 0.0
    free = ~held.T
    return gradient, matrix * (free[:, None] & free[None])


def _solve_2x2(normal: FloatArray, damping: FloatArray, right: FloatArray) -> FloatArray:
    """Solve (H + damping diag H) s = right for P symmetric H (2, 2, P), right sides (P, 2); a zero row gives zero."""
    h11 = np.where(normal[0, 0] > 0, normal[0, 0] * (1 + damping), 1.0)
    h22 = np.where(normal[1, 1] > 0, normal[1, 1] * (1 + damping), 1.0)
    h12 = normal[0, 1]
    determinant = h11 * h22 - h12**2
    determinant = np.where(determinant > 0, determinant, np.inf)
    first = (h22 * right[:, 0] - h12 * right[:, 1]) / determinant
    second = (h11 * right[:, 1] - h12 * right[:, 0]) / determinant
    return np.stack([first, second], axis=1)


def _rounding_rss(target: FloatArray) -> FloatArray:
    """The residual sum of squares that rounding alone leaves on errors of this size, (...,) for (..., n)."""
    size: FloatArray = np.einsum("...n,...n->...", target, target)
    return (8 * np.finfo(float).eps) ** 2 * size


def _simplest_best(fit: FaceFit, target: FloatArray) -> int:
    """Position of the smallest RSS; among those equal to rounding the one with the most coefficients at zero."""
    near = fit.rss <= fit.rss.min() * (1 + _SAME_RSS) + _rounding_rss(target)
    zeros = (fit.d == 0).astype(int) + (fit.a == 0) + (fit.b == 0)
    order = np.lexsort((fit.rss, -zeros, ~near))
    return int(order[0])


def solve_lines(form: Projection, design: Design, y: FloatArray) -> dict[str, FloatArray]:
    """A form without exponents, for errors (R, n): four faces of a, b >= 0, each an ordinary least squares."""
    root = design.root_weight
    slopes = dict(zip("ab", (column[0] for column in form.product_columns(design, np.zeros((1, 2)))), strict=True))
    found = {name: np.zeros(len(y)) for name in "abd"}
    best = np.full(len(y), np.inf)
    for names in ("ab", "a", "b", ""):
        columns = [np.broadcast_to(c * root, y.shape) for c in (np.ones_like(root), *(slopes[name] for name in names))]
        coefficients, residual, _, _, feasible = least_squares(columns, y * root)
        rss = np.einsum("rn,rn->r", residual, residual)
        trial = {"a": np.zeros(len(y)), "b": np.zeros(len(y))} | dict(zip(names, coefficients[1:], strict=True))
        trial["d"] = coefficients[0]
        better = feasible & (trial["a"] >= 0) & (trial["b"] >= 0) & (rss < best)
        best = np.where(better, rss, best)
        found = {name: np.where(better, trial[name], found[name]) for name in found}
    return form.params(design, np.zeros((len(y), 2)), found["a"], found["b"], found["d"])
