"""How far a quantity moves inside the likelihood region of any form: the ends of its profile.

The region holds what has RSS <= level. A step goes to where the quantity would be largest if the residuals were linear
in the parameters: the region would be an ellipsoid, its extremes are known. Then the fit is made again with the
quantity held (to first order), which brings the step back to the profile; it is taken if it lies in the region and
moved the quantity on. So what is found is always in the region, and an end is never overstated. Parameters that would
cross a bound go to the bound, and the others make the best of that.

Letters: P searches at once, p free parameters, n runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.trial import Trial

FloatArray = NDArray[np.float64]
Value = Callable[[FloatArray, NDArray[np.intp]], FloatArray]
"""(free parameters (P, p), which of the searches (P,)) -> the quantity (P,)."""
Gradient = Callable[[FloatArray, NDArray[np.intp]], FloatArray]
"""The same -> its gradient in the free parameters (P, p)."""

_ROUNDS = 80
_SHARES = (1.0, 0.5, 0.2, 0.05, 0.01)  # of a step, tried at once
_REFITS = 2
_DAMPING = 1e-9
_SAME, _PATIENCE = 1e-8, 5  # see `farthest`


def farthest(
    trial: Trial,
    level: float,
    starts: FloatArray,
    value: Value,
    gradient: Gradient,
    same: float = _SAME,
    patience: int = _PATIENCE,
) -> tuple[FloatArray, FloatArray]:
    """The largest value of P quantities over the region, (P,), and the parameters there, (P, p).

    Args:
        trial: the form and its runs.
        level: the region holds what has RSS <= level.
        starts: a point of the region for each search, (P, p).
        value: the quantity of each search.
        gradient: its gradient.
        same: a round that gains less than this, relative to the way from the start, has gained nothing.
        patience: rounds without gain until a search has arrived.
    """
    low, high = trial.bounds
    here, index = starts.copy(), np.arange(len(starts))
    reached = value(here, index)
    origin, best_values = reached.copy(), here.copy()
    idle = np.zeros(len(starts), int)
    limit = level * (1 + 1e-9)
    for _ in range(_ROUNDS):
        going = np.flatnonzero(idle < patience)
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
            idle[going] = np.where(gained > same * np.abs(reached[going] - origin[going]), 0, idle[going])
            if refit < _REFITS:
                trials = _refitted(trial, trials, gradient(trials, which), low, high)
        idle[going] += 1
    return reached, best_values


@dataclass(frozen=True)
class _Linear:
    """The residuals as linear functions of the parameters, at P points."""

    residual: FloatArray
    """(P, n)"""
    jacobian: FloatArray
    """(P, n, p)"""

    def reduced(
        self, held: NDArray[np.bool_], shift: FloatArray
    ) -> tuple[FloatArray, Callable[[FloatArray], FloatArray], FloatArray]:
        """With what is held moved by its shift: J^T r (P, p), (P, p) -> H^-1 (P, p), and the sums of squares (P,)."""
        residual = self.residual + (self.jacobian @ np.where(held, shift, 0.0)[..., None])[..., 0]
        jacobian = np.where(held[:, None], 0.0, self.jacobian)
        length = np.sqrt(np.einsum("pnk,pnk->pk", jacobian, jacobian))
        length = np.where(length > 0, length, 1.0)
        scaled = jacobian / length[:, None]
        hessian = scaled.transpose(0, 2, 1) @ scaled + _DAMPING * np.eye(held.shape[1])
        inverse = np.linalg.inv(hessian) / (length[:, :, None] * length[:, None])

        def solve(right: FloatArray) -> FloatArray:
            return np.asarray(np.einsum("pkl,pl->pk", inverse, np.where(held, 0.0, right)))

        return (residual[:, None] @ jacobian)[:, 0], solve, np.einsum("pn,pn->p", residual, residual)


def _within_bounds(
    trial: Trial,
    at: FloatArray,
    low: FloatArray,
    high: FloatArray,
    step_of: Callable[[FloatArray, Callable[[FloatArray], FloatArray], FloatArray], FloatArray],
) -> FloatArray:
    """A step (P, p) in which parameters that would cross a bound go to it, the rest making the best of that.

    Args:
        trial: the form and its runs.
        at: where to step from, (P, p).
        low: lower bounds, (p,).
        high: upper bounds, (p,).
        step_of: what `_Linear.reduced` gives -> the step of the parameters that are not held.
    """
    linear = _Linear(trial.residual(at), trial.jacobian(at))
    held, shift = np.zeros(at.shape, bool), np.zeros(at.shape)
    step = shift
    rows = np.arange(len(at))
    for _ in range(at.shape[1] + 1):
        step = np.where(held, shift, step_of(*linear.reduced(held, shift)))
        bound = np.where(step < 0, low, high)
        crosses = ~held & np.where(step < 0, at + step < low, at + step > high)
        if not crosses.any():
            break
        way = np.where(crosses, (bound - at) / np.where(crosses, step, 1.0), np.inf)
        first = way.argmin(axis=1)  # the bound that is met first is held, then the others are seen anew
        met = crosses.any(axis=1)
        held[rows[met], first[met]] = True
        shift[rows[met], first[met]] = (bound - at)[rows[met], first[met]]
    return step


def _ellipsoid_step(
    trial: Trial, level: float, at: FloatArray, gradient: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    """To the extreme of the quantity in the region of linear residuals, (P, p)."""

    def step_of(slope: FloatArray, solve: Callable[[FloatArray], FloatArray], rss: FloatArray) -> FloatArray:
        inward, along = solve(slope), solve(gradient)
        room = np.maximum(level - rss + np.einsum("pk,pk->p", slope, inward), 0.0)
        length = np.sqrt(np.maximum(np.einsum("pk,pk->p", gradient, along), 1e-300))
        return np.asarray(-inward + (np.sqrt(room) / length)[:, None] * along)

    return _within_bounds(trial, at, low, high, step_of)


def _refitted(trial: Trial, at: FloatArray, gradient: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """One Gauss-Newton step of the fit with the quantity held, (P, p)."""

    def step_of(slope: FloatArray, solve: Callable[[FloatArray], FloatArray], _: FloatArray) -> FloatArray:
        inward, along = solve(slope), solve(gradient)
        size = np.einsum("pk,pk->p", gradient, along)
        share = np.einsum("pk,pk->p", gradient, inward) / np.where(size > 0, size, np.inf)
        return np.asarray(-inward + share[:, None] * along)

    return np.clip(at + _within_bounds(trial, at, low, high, step_of), low, high)
