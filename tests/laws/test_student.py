"""Student's t against scipy."""

from __future__ import annotations

from itertools import product

import pytest
from scipy import stats

from planner.laws.student import two_sided_quantile, within


def test_probability() -> None:
    cases = list(product([0.01, 0.5, 1.0, 2.0, 5.0, 30.0], [1, 2, 3, 4, 5, 10, 23, 24, 25, 100, 1001]))
    expected = {(x, dof): 1 - 2 * stats.t.sf(x, dof) for x, dof in cases}
    assert {case: within(*case) for case in cases} == pytest.approx(expected, abs=1e-13)


def test_quantile() -> None:
    cases = list(product([0.05, 0.5, 0.68, 0.95, 0.999], [1, 2, 3, 24, 25, 333]))
    expected = {(level, dof): stats.f.ppf(level, 1, dof) for level, dof in cases}
    assert {case: two_sided_quantile(*case) ** 2 for case in cases} == pytest.approx(expected, rel=1e-9)
