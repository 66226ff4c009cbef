"""Tail probabilities against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from planner.laws.tails import chi_square_tail, f_tail


def test_tails_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    for upper, lower, x, y in zip(
        random.uniform(0.5, 60, 500),
        random.uniform(0.5, 60, 500),
        10 ** random.uniform(-2, 1.5, 500),
        10 ** random.uniform(-1, 2.3, 500),
        strict=True,
    ):
        assert f_tail(x, upper, lower) == pytest.approx(stats.f.sf(x, upper, lower), rel=1e-11, abs=1e-15)
        assert chi_square_tail(y, upper) == pytest.approx(stats.chi2.sf(y, upper), rel=1e-11, abs=1e-15)
    assert f_tail(0.0, 3, 4) == chi_square_tail(0.0, 2) == 1.0
