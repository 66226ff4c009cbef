"""The least error for what it costs: candidates that no cheaper one equals or beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def pareto(costs: FloatArray, errors: FloatArray) -> NDArray[np.intp]:
    """Positions that no cheaper or equally cheap one equals or beats, by ascending cost."""
    order = np.lexsort((errors, costs))
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(errors[order])[:-1]])
    return order[errors[order] < best_before]


def frontier(fitting: NDArray[np.intp], costs: FloatArray, errors: FloatArray, best: int) -> list[int]:
    """Rows of the frontier of what fits, by ascending cost, up to the error of the pick.

    Where errors read the same as the pick's though they are less, the frontier ends at the pick all the same.

    Args:
        fitting: rows that fit.
        costs: of every row.
        errors: of every row.
        best: row of the pick.
    """
    rows = [int(fitting[place]) for place in pareto(costs[fitting], errors[fitting])]
    if errors[rows[-1]] == errors[best]:
        return rows
    return [*(row for row in rows if costs[row] < costs[best] and errors[row] > errors[best]), best]
