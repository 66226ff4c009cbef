"""Student's t against scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from planner.laws.student import two_sided_quantile, within


@pytest.mark.parametrize("dof", [1, 2, 3, 4, 5, 10, 23, 24, 25, 100, 1001])
@pytest.mark.parametrize("x", [0.01, 0.5, 1.0, 2.0, 5.0, 30.0])
def test_probability(x: float, dof: int) -> None:
    assert within(x, dof) == pytest.approx(1 - 2 * stats.t.sf(x, dof), abs=1e-13)


@pytest.mark.parametrize("dof", [1, 2, 3, 24, 25, 333])
@pytest.mark.parametrize("level", [0.05, 0.5, 0.68, 0.95, 0.999])
def test_quantile(level: float, dof: int) -> None:
    assert two_sided_quantile(level, dof) ** 2 == pytest.approx(stats.f.ppf(level, 1, dof), rel=1e-9)
