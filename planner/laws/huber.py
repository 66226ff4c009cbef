"""Huber's loss on relative residuals (y - Y) / y, by re-weighted least squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError
from planner.laws.fitted import FitData
from planner.laws.remarks import NO_NOISE

FloatArray = NDArray[np.float64]
Found = TypeVar("Found")

_K = 1.345  # residuals beyond this many sigmas count linearly: 95 % efficient on Gaussian noise (Huber 1964)
_SCALE_ROUNDS = 10
_ROUNDS_MAX = 300


def reweighted(
    data: FitData, solve: Callable[[FloatArray], Found], predict: Callable[[Found], FloatArray]
) -> tuple[Found, FloatArray, float, bool]:
    """Each round is solved exactly.

    The turning point is 1.345 times the robust sigma (1.4826 x median absolute residual), re-estimated for a few
    rounds and then held, so that what converges is the optimum of one fixed objective.

    Args:
        data: what to fit.
        solve: weights (n,), of mean 1 -> the fit.
        predict: the fit -> Y of the runs, (n,).

    Returns:
        The fit, its weights (n,) of mean 1, the turning point, and whether the rounds settled.

    Raises:
        FitError: a run without error.
    """
    if (data.y <= 0).any():
        raise FitError("the Huber loss is on relative residuals and needs errors above 0; a run has error 0")
    relative = data.weights / data.y**2
    weights, delta, settled = relative, math.inf, False
    for round_number in range(_ROUNDS_MAX):
        found = solve(weights / weights.mean())
        residual = np.abs(data.y - predict(found)) / data.y * np.sqrt(data.weights)
        if round_number < _SCALE_ROUNDS:
            delta = _K * max(1.4826 * float(np.median(residual)), NO_NOISE)
        new_weights = relative * np.minimum(1.0, delta / np.maximum(residual, delta))
        still = bool(np.allclose(new_weights, weights, rtol=1e-9, atol=0.0))
        weights = new_weights
        if still and round_number >= _SCALE_ROUNDS:
            settled = True
            break
    return found, weights / weights.mean(), delta, settled
