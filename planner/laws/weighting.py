"""What every run weighs in a fit, and what its stated standard errors are taken for.

Of error_se either the ratios count, and the residuals tell how large the noise is (relative: lmfit's scale_covar=True,
scipy's absolute_sigma=False), or the numbers as they stand (absolute). Standard errors mostly leave out what differs
between two trainings, so that intervals by their numbers would be too narrow: relative is the default.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, InputError, UnknownNameError

if TYPE_CHECKING:
    from planner.runs import Runs

FloatArray = NDArray[np.float64]

RELATIVE, ABSOLUTE = "relative", "absolute"
ERROR_SE = (RELATIVE, ABSOLUTE)


def run_weights(runs: Runs, weighting: str) -> tuple[str, FloatArray]:
    """(which one, weight of every run): inverse variances up to a common factor."""
    if weighting == "auto":
        weighting = "error_se" if runs.error_se is not None else "samples" if runs.samples is not None else "equal"
    if weighting == "equal":
        return weighting, np.ones(len(runs))
    column: FloatArray | None = getattr(runs, weighting)
    if column is None:
        raise FitError(
            f"weights={weighting!r} needs a column {weighting!r} in the runs; add it, or say weights='equal'"
        )
    if weighting == "error_se":
        return weighting, 1.0 / column**2
    # binomial variance y (1 - y) / samples, with two successes and two failures added so that 0 and 1 have one too
    smoothed = (runs.error * column + 2) / (column + 4)
    return weighting, (column + 4) / (smoothed * (1 - smoothed))


def stated_sd(runs: Runs, weighting: str, error_se: str, loss: str) -> float | None:
    """Standard error that the runs state for one of mean weight; None where they are weighted otherwise.

    Raises:
        UnknownNameError: no such meaning of error_se.
        InputError: absolute standard errors with other weights, or with a robust loss, which changes the weights.
    """
    if error_se not in ERROR_SE:
        raise UnknownNameError("meaning of error_se", error_se, ERROR_SE)
    if weighting != "error_se" or runs.error_se is None:
        if error_se == ABSOLUTE:
            raise InputError(
                f"error_se='absolute': the runs are weighted by {weighting!r}, expected a column error_se and weights "
                "by it; leave it out, or add the column"
            )
        return None
    if error_se == ABSOLUTE and loss != "least-squares":
        raise InputError(f"error_se='absolute': loss={loss!r} weighs runs down by their residuals; leave out one")
    return 1 / math.sqrt(float(np.mean(1 / runs.error_se**2)))
