"""How far a quantity moves inside the likelihood region of any form: the ends of its profile.

The region holds what has RSS <= level. A step goes to where the quantity would be largest if the residuals were linear
in the parameters: the region would be an ellipsoid, its extremes are known. Then the fit is made again with the
quantity held (to first order), which brings the step back to the profile; it is taken if it lies in the region and
moved the quantity on. So what is found is always in the region, and an end is never overstated. Parameters at a bound
that a step would leave by are held for that step.

Letters: P searches at once, p free parameters, n runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from planner.laws.engine.trial import Trial

FloatArray = NDArray[np.float64]
Value = Callable[[FloatArray, NDArray[np.intp]], FloatArray]
"""(free parameters (P, p), which of the searches (P,)) -> the quantity (P,)."""
Gradient = Callable[[FloatArray, NDArray[np.intp]], FloatArray]
"""The same -> its gradient in the free parameters (P, p)."""

_ROUNDS = 40
_SHARES = (1.0, 0.5, 0.2, 0.05)  # of a step, tried at once
_REFITS = 2
_DAMPING = 1e-9
_SAME = 1e-8  # relative to the way from the start: a search that gains less has arrived
_PATIENCE = 3


def farthest(trial: Trial, level: float, starts: FloatArray, value: Value, gradient: Gradient) -> FloatArray:
    """The largest value of P quantities over the region, (P,).

    Args:
        trial: the form and its runs.
        level: the region holds what has RSS <= level.
        starts: a point of the region for each search, (P, p).
        value: the quantity of each search.
        gradient: its gradient.
    """
    low, high = trial.bounds
    here, index = starts.copy(), np.arange(len(starts))
    reached = value(here, index)
    origin, best_values = reached.copy(), here.copy()
    idle = np.zeros(len(starts), int)
    limit = level * (1 + 1e-9)
    for _ in range(_ROUNDS):
        going = np.flatnonzero(idle < _PATIENCE)
        if not len(going):
            break
        at = best_values[going]
        step = _ellipsoid_step(trial, level, at, gradient(at, going), low, high)
        shares = np.repeat(_SHARES, len(going))[:, None]
        trials = np.clip(np.tile(at, (len(_SHARES), 1)) + shares * np.tile(step, (len(_SHARES), 1)), low, high)
        which = np.tile(going, len(_SHARES))
        for refit in range(_REFITS + 1):
            good = trial.rss(trials) <= limit
            found = np.where(good, value(trials, which), -np.inf).reshape(len(_SHARES), len(going))
            choice = found.argmax(axis=0)
            top = found[choice, np.arange(len(going))]
            better = top > reached[going]
            picked = choice * len(going) + np.arange(len(going))
            gained = np.where(better, top - reached[going], 0.0)
            best_values[going[better]] = trials[picked[better]]
            reached[going[better]] = top[better]
            idle[going] = np.where(gained > _SAME * np.abs(reached[going] - origin[going]), 0, idle[going])
            if refit < _REFITS:
                trials = _refitted(trial, trials, gradient(trials, which), low, high)
        idle[going] += 1
    return reached


def _normal(
    trial: Trial, at: FloatArray, held: NDArray[np.bool_]
) -> tuple[FloatArray, Callable[[FloatArray], FloatArray], FloatArray]:
    """J^T r (P, p), solve: (P, p) -> H^-1 (P, p), and the sums of squares (P,); what is held takes no part."""
    residual, jacobian = trial.residual(at), trial.jacobian(at)
    jacobian = np.where(held[:, None], 0.0, jacobian)
    length = np.sqrt(np.einsum("pnk,pnk->pk", jacobian, jacobian))
    length = np.where(length > 0, length, 1.0)
    scaled = jacobian / length[:, None]
    hessian = np.einsum("pnk,pnl->pkl", scaled, scaled) + _DAMPING * np.eye(at.shape[1])
    inverse = np.linalg.inv(hessian) / (length[:, :, None] * length[:, None])
    slope = np.einsum("pnk,pn->pk", jacobian, residual)

    def solve(right: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("pkl,pl->pk", inverse, np.where(held, 0.0, right)))

    return slope, solve, np.einsum("pn,pn->p", residual, residual)


def _ellipsoid_step(
    trial: Trial, level: float, at: FloatArray, gradient: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    """To the extreme of the quantity in the region of linear residuals, (P, p)."""
    held = np.zeros(at.shape, bool)
    for _ in range(at.shape[1]):
        slope, solve, rss = _normal(trial, at, held)
        inward, along = solve(slope), solve(gradient)
        room = np.maximum(level - rss + np.einsum("pk,pk->p", slope, inward), 0.0)
        length = np.sqrt(np.maximum(np.einsum("pk,pk->p", gradient, along), 1e-300))
        step: FloatArray = -inward + (np.sqrt(room) / length)[:, None] * along
        leaves = ((at <= low) & (step < 0)) | ((at >= high) & (step > 0))
        if not (leaves & ~held).any():
            break
        held |= leaves
    return np.where(held, 0.0, step)


def _refitted(trial: Trial, at: FloatArray, gradient: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """One Gauss-Newton step of the fit with the quantity held, (P, p)."""
    held = np.zeros(at.shape, bool)
    for _ in range(2):
        slope, solve, _ = _normal(trial, at, held)
        inward, along = solve(slope), solve(gradient)
        size = np.einsum("pk,pk->p", gradient, along)
        share = np.einsum("pk,pk->p", gradient, inward) / np.where(size > 0, size, np.inf)
        step = -inward + share[:, None] * along
        held = ((at <= low) & (step < 0)) | ((at >= high) & (step > 0))
        if not held.any():
            break
    return np.clip(at + np.where(held, 0.0, step), low, high)
