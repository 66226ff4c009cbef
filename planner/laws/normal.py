"""Phi, the distribution function of N(0, 1), of arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_FEW = 100_000
"""Numbers for which loading scipy takes longer than one at a time."""

_erfc = np.frompyfunc(math.erfc, 1, 1)


def phi(z: ArrayLike) -> FloatArray:
    """Density of N(0, 1)."""
    found: FloatArray = np.exp(-(np.asarray(z, float) ** 2) / 2) / np.sqrt(2 * np.pi)
    return found


def below(z: ArrayLike) -> FloatArray:
    """Phi(z) = erfc(-z / sqrt 2) / 2, to the last digits in both tails."""
    values = np.asarray(z, float)
    if values.size <= _FEW:
        return np.asarray(_erfc(-values / np.sqrt(2)), float) / 2
    from scipy.special import ndtr

    found: FloatArray = ndtr(values)
    return found
