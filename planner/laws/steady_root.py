"""A root of a covariance that no library, machine or number of threads decides: draws made with it stay the same.

    R R^T = C,   draws are R z with z ~ N(0, 1)

Eigenvectors will not do: where eigenvalues are equal or nearly so, the last digits of C turn them, and each turn draws
otherwise. Cholesky's root is the only lower triangular one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_JITTER = 1e-12  # of the mean variance: rounding cannot make a variance negative
_JITTER_MAX = 1e-6  # a covariance that takes more is none
_KNOWN = 1e-9  # of its variance: all that is left of an error that follows from others
_ABOVE_JITTER = 1e3  # that many times the jitter counts as something that is left


def steady_root(covariance: FloatArray) -> FloatArray:
    """R of a covariance C, lower triangular: (m, m) -> (m, m).

    Of a column whose error is known from those before it rounding alone is left: such columns are 0.

    Raises numpy.linalg.LinAlgError where C is no covariance.
    """
    variance = np.diag(covariance).copy()
    mean = float(variance.mean()) if len(variance) else 0.0
    if mean <= 0:
        return np.zeros_like(covariance)
    jitter = _JITTER
    while True:
        raised = covariance.copy()
        raised[np.diag_indices(len(raised))] += jitter * mean
        try:
            root = np.linalg.cholesky(raised)
        except np.linalg.LinAlgError:
            if jitter >= _JITTER_MAX:
                raise
            jitter *= 10
        else:
            break
    left = max(_KNOWN, _ABOVE_JITTER * jitter)
    root[:, np.diag(root) ** 2 <= left * variance] = 0.0
    found: FloatArray = root.astype(float, copy=False)
    return found
