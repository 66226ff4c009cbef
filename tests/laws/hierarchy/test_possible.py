"""Errors given that none is below 0, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from planner.laws.hierarchy.possible import expected_possible, possible_draws
from planner.laws.hierarchy.student_tail import Tail


@pytest.mark.parametrize("mean", [-0.05, 0.0, 0.03, 0.4])
def test_the_mean_is_that_of_what_is_above_0(mean: float) -> None:
    tail, sd = Tail(5, 0.9), 0.06
    drawn = mean + tail.scale * sd * np.random.default_rng(1).standard_t(tail.dof, 400_000)
    assert expected_possible(np.array([mean]), np.array([sd]), tail)[0] == pytest.approx(
        drawn[drawn > 0].mean(), abs=6e-4
    )


def test_what_is_sure_stays() -> None:
    tail = Tail(5, 0.9)
    assert expected_possible(np.array([0.3]), np.array([0.0]), tail)[0] == 0.3
    assert expected_possible(np.array([0.3]), np.array([0.004]), tail)[0] == pytest.approx(0.3, abs=1e-8)


def test_draws_keep_their_ranks_and_take_values_above_0() -> None:
    random = np.random.default_rng(2)
    both = random.standard_normal((20_000, 1)) * 0.05 + 0.02
    draws = np.hstack([both, both + 0.01 * random.standard_normal((20_000, 1)), np.full((20_000, 1), 0.3)])
    before = draws.copy()
    found = possible_draws(draws)
    assert found.min() > 0
    for column in (0, 1):
        assert (np.argsort(found[:, column]) == np.argsort(before[:, column])).mean() > 0.999
        above = before[before[:, column] > 0, column]
        for share in (0.1, 0.5, 0.9):
            assert np.quantile(found[:, column], share) == pytest.approx(np.quantile(above, share), abs=5e-4)
    assert (found[:, 2] == 0.3).all()
