"""Phi and phi against scipy, in both tails, in small and in large arrays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from planner.laws.normal import below, phi


@pytest.mark.parametrize("count", [101, 200_001])
def test_both_are_those_of_scipy(count: int) -> None:
    z = np.concatenate([np.linspace(-37, 37, count), [-np.inf, np.inf]])
    np.testing.assert_allclose(below(z), norm.cdf(z), rtol=1e-12)
    np.testing.assert_allclose(phi(z), norm.pdf(z), rtol=1e-12)
    assert below(0.0) == 0.5
