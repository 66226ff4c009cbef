"""The search for the face of many groups, against scipy's bounded least squares on the whole table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from planner.laws.joint.arrow import Arrow


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("own_bounded", "shared_bounded"),
    [((False, True), (True,)), ((True, True), (True, True)), ((False,), (True, False)), ((True, True), ())],
)
def test_the_optimum_is_that_of_bounded_least_squares(
    seed: int, own_bounded: tuple[bool, ...], shared_bounded: tuple[bool, ...]
) -> None:
    """Groups of unlike length in any order of rows, columns of unlike size, bounds active at about half of all."""
    random = np.random.default_rng(seed)
    groups = 7
    group = random.permutation(np.repeat(np.arange(groups), random.integers(4, 9, groups)))
    n, k, s = len(group), len(own_bounded), len(shared_bounded)
    own = random.standard_normal((n, k)) * 10.0 ** random.integers(-2, 3, k)
    shared = random.standard_normal((n, s)) + 0.5
    y = random.standard_normal(n)
    bounded = np.array(own_bounded, bool), np.array(shared_bounded, bool)
    arrow, own_length, shared_length = Arrow.of(own, shared, y, group, groups, *bounded)
    found = arrow.solve()
    assert found is not None
    c = np.concatenate([(found[0] / own_length).ravel(), found[1] / shared_length])
    x = np.zeros((n, groups * k + s))
    x[np.arange(n)[:, None], group[:, None] * k + np.arange(k)] = own
    x[:, groups * k :] = shared
    low = np.where(np.concatenate([np.tile(bounded[0], groups), bounded[1]]), 0.0, -np.inf)
    want = lsq_linear(x, y, (low, np.inf), method="bvls", tol=1e-15)
    if np.isfinite(low).sum() > groups:
        assert want.x[np.isfinite(low)].min() == 0.0  # a bound is active
    assert c == pytest.approx(want.x, rel=1e-10, abs=1e-10 * np.abs(want.x).max())
    assert ((c == 0) == (np.abs(want.x) < 1e-12)).all()


def test_columns_that_depend_on_each_other_are_left_to_another_solver() -> None:
    own = np.column_stack([np.ones(6), 2 * np.ones(6)])
    free = np.zeros(2, bool)
    arrow, *_ = Arrow.of(own, np.zeros((6, 0)), np.arange(6.0), np.repeat([0, 1], 3), 2, free, free[:0])
    assert arrow.solve() is None
    shared = np.array([[1.0], [1.0], [1.0], [3.0], [3.0], [3.0]])  # what the two offsets together say too
    arrow, *_ = Arrow.of(own[:, :1], shared, np.arange(6.0), np.repeat([0, 1], 3), 2, free[:1], free[:1])
    assert arrow.solve() is None
