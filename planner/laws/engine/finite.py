"""Numbers in place of what is none, so that a search goes on beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def finite(values: FloatArray, nan: float, most: float) -> FloatArray:
    """A copy with `nan` where there is no number, and `most` or its negative where it is infinite.

    np.nan_to_num goes through the values four times; few arrays have anything to replace.
    """
    if np.isfinite(values).all():
        return np.array(values)
    return np.nan_to_num(values, nan=nan, posinf=most, neginf=-most)
