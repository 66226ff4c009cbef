"""Measured errors -> the exact least-squares optimum of a form, by variable projection.

For given exponents the best A, B, D >= 0 are known exactly (`faces`); what is left is a search in the two exponents:
a grid (`grid`), then Newton's method on the projected residual from every basin at once, damped as Levenberg does.
Steps are judged by the exact projected residual, so the descent is always on the best face of where it stands.
Variable projection: Golub and Pereyra 1973; the Hessian without its second-order terms is Kaufman's 1975.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.laws.faces import POWER_FORMS, Design, FaceFit, PowerForm, best_face, least_squares, take_fit, where_fit
from planner.laws.grid import basins

FloatArray = NDArray[np.float64]

EXPONENT_MAX = 10.0
"""Largest exponent tried: beyond it a power is a step at the smallest level, which no run tells from a larger one."""

_ITERATIONS_MAX = 300
_NO_GAIN = 1e-16  # relative: a promised fall in RSS below this is rounding, so the descent has arrived
_LITTLE_GAIN = 1e-12  # relative: so little, and not even that came true: rounding too
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


def solve(form_name: str, design: Design, y: FloatArray) -> Optimum:
    """The global least-squares optimum of a form under its own bounds: every parameter but c0 at least zero.

    Args:
        form_name: "additive", "multiplicative" or "log-linear".
        design: where the runs stand.
        y: measured errors, shape (n,).
    """
    if form_name == "log-linear":
        return _solve_log_linear(design, y)
    form = POWER_FORMS[form_name]
    exponents, fit, converged = descend(form, design, y, basins(form_name, design, y))
    best = _simplest_best(fit, y * design.root_weight)
    params = in_units(form_name, design, exponents[best], float(fit.a[best]), float(fit.b[best]), float(fit.d[best]))
    return Optimum(params, float(fit.rss[best]), bool(converged[best]))


def descend(
    form: PowerForm, design: Design, y: FloatArray, starts: FloatArray
) -> tuple[FloatArray, FaceFit, NDArray[np.bool_]]:
    """Follow the projected residual downhill from P starts at once.

    Args:
        form: additive or multiplicative.
        design: where the runs stand.
        y: measured errors, shape (n,).
        starts: exponents, shape (P, 2).

    Returns:
        Exponents (P, 2), the fit there, and whether each descent ended because no step improved any more.
    """
    exponents = np.clip(starts, form.exponent_min, EXPONENT_MAX)
    points = len(exponents)
    fit = best_face(form, design, y, exponents)
    fan = _FAN if points <= _FAN_POINTS_MAX else _FAN[:1]
    each_y = np.broadcast_to(y, (len(fan), points, len(design.x))).reshape(-1, len(design.x))
    damping = np.full(points, 1e-3)
    done = np.zeros(points, bool)
    rounding = _rounding_rss(y * design.root_weight)
    for _ in range(_ITERATIONS_MAX):
        gradient, matrix = _quadratic_model(form, design, exponents, fit)
        gain = -np.einsum("pk,pk->p", gradient, _solve_2x2(matrix, np.full(points, 1e-12), -gradient))
        steps = np.concatenate([_solve_2x2(matrix, damping * factor, -gradient) for factor in fan])
        trials = np.clip(np.tile(exponents, (len(fan), 1)) + steps, form.exponent_min, EXPONENT_MAX)
        trial_fit = best_face(form, design, each_y, trials)
        choice = np.argmin(trial_fit.rss.reshape(len(fan), points), axis=0)
        picked = choice * points + np.arange(points)
        trial_fit = take_fit(trial_fit, picked)
        better = (trial_fit.rss < fit.rss) & ~done
        settled = (gain <= _NO_GAIN * fit.rss) | (fit.rss <= rounding)
        done |= settled | (~better & (gain <= _LITTLE_GAIN * fit.rss)) | (damping > _DAMPING_MAX)
        exponents = np.where(better[:, None], trials[picked], exponents)
        fit = where_fit(better, trial_fit, fit)
        damping = np.where(better, np.maximum(damping * np.array(fan)[choice] * 0.1, 1e-12), damping * fan[-1] * 4)
        damping = np.minimum(damping, 10 * _DAMPING_MAX)
        if done.all():
            break
    return exponents, fit, done


def _quadratic_model(
    form: PowerForm, design: Design, exponents: FloatArray, fit: FaceFit
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


def _rounding_rss(target: FloatArray) -> float:
    """The residual sum of squares that rounding alone leaves on errors of this size."""
    return float((8 * np.finfo(float).eps) ** 2 * (target @ target))


def _simplest_best(fit: FaceFit, target: FloatArray) -> int:
    """Position of the smallest RSS; among those equal to rounding the one with the most coefficients at zero."""
    near = fit.rss <= fit.rss.min() * (1 + _SAME_RSS) + _rounding_rss(target)
    zeros = (fit.d == 0).astype(int) + (fit.a == 0) + (fit.b == 0)
    order = np.lexsort((fit.rss, -zeros, ~near))
    return int(order[0])


def in_units(form_name: str, design: Design, exponents: FloatArray, a: float, b: float, d: float) -> dict[str, float]:
    """Parameters as the form states them, from those of the centred problem."""
    alpha, beta = (float(exponent) for exponent in exponents)
    if form_name == "multiplicative":
        if a == 0:
            alpha = beta = 0.0  # a term that is not there has no exponent
        return {"A": a * math.exp(alpha * design.x_mean + beta * design.t_mean), "alpha": alpha, "beta": beta, "D": d}
    alpha, beta = alpha if a else 0.0, beta if b else 0.0
    scaled_a, scaled_b = a * math.exp(alpha * design.x_mean), b * math.exp(beta * design.t_mean)
    return {"A": scaled_a, "alpha": alpha, "B": scaled_b, "beta": beta, "D": d}


def _solve_log_linear(design: Design, y: FloatArray) -> Optimum:
    """c0 - c1 ln N - c2 ln T with c1, c2 >= 0: four faces, each an ordinary least squares."""
    root = design.root_weight
    slopes = {"c1": -design.x, "c2": -design.t}
    best: Optimum | None = None
    for names in (("c1", "c2"), ("c1",), ("c2",), ()):
        columns = [(column * root)[None] for column in (np.ones_like(y), *(slopes[name] for name in names))]
        coefficients, residual, _, _, independent = least_squares(columns, (y * root)[None])
        found = {name: float(c[0]) for name, c in zip(names, coefficients[1:], strict=True)}
        rss = float(np.sum(residual**2))
        if independent[0] and all(c >= 0 for c in found.values()) and (best is None or rss < best.weighted_rss):
            params = {"c1": 0.0, "c2": 0.0} | found
            c0 = float(coefficients[0][0]) + params["c1"] * design.x_mean + params["c2"] * design.t_mean
            best = Optimum({"c0": c0} | params, rss, True)
    assert best is not None  # the last face, a constant, always fits
    return best
