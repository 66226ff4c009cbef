"""Tail probabilities of F and chi-square, for any degrees of freedom, without the time that scipy takes to load.

    P(F >= x) = I_z(b / 2, a / 2),  z = b / (b + a x)         I: the regularised incomplete beta function
    P(chi-square >= x) = Q(dof / 2, x / 2)                    Q: the regularised upper incomplete gamma function

Both by their continued fractions where these converge fast, and by what is left of one elsewhere (Abramowitz and
Stegun 26.5.8, 6.5.31 and 6.5.29), with Lentz's recurrence.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_TINY = 1e-300
_ROUNDS_MAX = 10_000


def f_tail(x: float, upper: float, lower: float) -> float:
    """P(F >= x) of Fisher's F with `upper` and `lower` degrees of freedom, above 0, whole or not."""
    if x <= 0:
        return 1.0
    return _incomplete_beta(lower / 2, upper / 2, lower / (lower + upper * x))


def chi_square_tail(x: float, dof: float) -> float:
    """P(chi-square >= x) for degrees of freedom above 0, whole or not."""
    if x <= 0:
        return 1.0
    a, half = dof / 2, x / 2
    front = math.exp(a * math.log(half) - half - math.lgamma(a))
    if half < a + 1:
        term = total = 1.0 / a
        for k in range(1, _ROUNDS_MAX):
            term *= half / (a + k)
            total += term
            if term < total * 1e-17:
                break
        return max(1.0 - front * total, 0.0)

    def pair(k: int) -> tuple[float, float]:
        return -k * (k - a), half + 2 * k + 1 - a

    return front / _fraction(half + 1 - a, pair)


def _incomplete_beta(a: float, b: float, z: float) -> float:
    """I_z(a, b)."""
    if z <= 0 or z >= 1:
        return 0.0 if z <= 0 else 1.0
    if z > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(b, a, 1 - z)

    def pair(k: int) -> tuple[float, float]:
        m = k // 2
        if k % 2:
            return -(a + m) * (a + b + m) * z / ((a + 2 * m) * (a + 2 * m + 1)), 1.0
        return m * (b - m) * z / ((a + 2 * m - 1) * (a + 2 * m)), 1.0

    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(scale + a * math.log(z) + b * math.log1p(-z)) / (a * _fraction(1.0, pair))


def _fraction(first: float, pair: Callable[[int], tuple[float, float]]) -> float:
    """first + n_1 / (d_1 + n_2 / (d_2 + ...)), where pair(k) = (n_k, d_k)."""
    value = first or _TINY
    above, below = value, 0.0
    for k in range(1, _ROUNDS_MAX):
        n, d = pair(k)
        below = 1 / (d + n * below or _TINY)
        above = d + n / above or _TINY
        value *= above * below
        if abs(above * below - 1) < 1e-16:
            break
    return value
