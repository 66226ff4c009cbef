"""What every run weighs in a fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError
from planner.runs import Runs

FloatArray = NDArray[np.float64]


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
