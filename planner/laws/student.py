"""Student's t for whole degrees of freedom, by its finite series: exact, and without the time that scipy takes to load.

P(|t| <= x) with theta = arctan(x / sqrt(dof)) (Abramowitz and Stegun 26.7.3 and 26.7.4):

    odd dof    (2 / pi) (theta + sin theta (cos theta + 2/3 cos^3 theta + (2 4)/(3 5) cos^5 theta + ... ))
    even dof   sin theta (1 + 1/2 cos^2 theta + (1 3)/(2 4) cos^4 theta + ... )

both up to cos^(dof - 2) theta.
"""

from __future__ import annotations

import math
from functools import lru_cache


def within(x: float, dof: int) -> float:
    """P(|t| <= x) for dof >= 1."""
    theta = math.atan(x / math.sqrt(dof))
    cos, sin = math.cos(theta), math.sin(theta)
    odd = dof % 2
    term = cos if odd else 1.0
    total = term if dof > 1 else 0.0
    for k in range(3 if odd else 2, dof - 1, 2):
        term *= (k - 1) / k * cos * cos
        total += term
    return 2 / math.pi * (theta + sin * total) if odd else sin * total


def normal_quantile(level: float) -> float:
    """The x with P(|z| <= x) = level of a standard normal z, for 0 < level < 1."""
    from statistics import NormalDist  # fractions and decimals, which most plans do without

    return NormalDist().inv_cdf((1 + level) / 2)


@lru_cache(maxsize=256)
def two_sided_quantile(level: float, dof: int) -> float:
    """The x with P(|t| <= x) = level, for 0 < level < 1: the square root of the quantile of F(1, dof)."""
    low, high = 0.0, 1.0
    while within(high, dof) < level:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if within(middle, dof) < level else (low, middle)
    return (low + high) / 2
