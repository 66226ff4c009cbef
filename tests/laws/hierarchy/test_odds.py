"""Draws and odds by known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from planner.laws.hierarchy.conditioning import Gaussian
from planner.laws.hierarchy.odds import draws, probability_best, probability_better
from planner.laws.hierarchy.own_runs import Mixture
from planner.laws.hierarchy.student_tail import Tail

COVARIANCE = np.array([[4e-4, 3e-4, 0.0], [3e-4, 5e-4, 1e-4], [0.0, 1e-4, 9e-4]])
ONE = Mixture(np.array([1.0]), (Gaussian(np.array([0.30, 0.31, 0.32]), COVARIANCE),))
TWO = Mixture(
    np.array([0.25, 0.75]),
    (Gaussian(np.array([0.30, 0.31, 0.32]), COVARIANCE), Gaussian(np.array([0.34, 0.31, 0.30]), 2 * COVARIANCE)),
)
NORMAL = Tail(dof=1_000, scale=1.0)


def test_odds_of_two_are_student_s() -> None:
    sd = np.sqrt(4e-4 + 5e-4 - 2 * 3e-4)
    assert probability_better(ONE, 0, 1, NORMAL) == pytest.approx(norm.cdf(0.01 / sd), abs=2e-4)
    assert probability_better(ONE, 0, 1, Tail(3, 0.8)) == pytest.approx(t.cdf(0.01 / (0.8 * sd), 3), abs=1e-9)
    assert probability_better(ONE, 1, 0, Tail(3, 0.8)) == pytest.approx(t.sf(0.01 / (0.8 * sd), 3), abs=1e-9)


def test_odds_of_a_mixture_are_the_mean_of_its_parts() -> None:
    first, second = (Mixture(np.array([1.0]), (part,)) for part in TWO.parts)
    tail = Tail(4, 1.1)
    expected = 0.25 * probability_better(first, 0, 2, tail) + 0.75 * probability_better(second, 0, 2, tail)
    assert probability_better(TWO, 0, 2, tail) == pytest.approx(expected)


def test_the_same_cell_twice_is_no_better() -> None:
    same = Mixture(np.array([1.0]), (Gaussian(np.array([0.3, 0.3]), np.full((2, 2), 1e-4)),))
    assert probability_better(same, 0, 1, Tail(4, 1.0)) == 0.0


def test_moments_of_a_mixture_are_those_of_its_draws() -> None:
    sample = draws(TWO, NORMAL, count=200_000, seed=3)
    np.testing.assert_allclose(sample.mean(axis=0), TWO.mean, atol=3e-4)
    np.testing.assert_allclose(np.cov(sample.T), TWO.covariance, atol=2e-5)


def test_probability_of_two_cells_being_best_is_the_exact_one() -> None:
    pair = Mixture(np.array([1.0]), (Gaussian(np.array([0.30, 0.31]), COVARIANCE[:2, :2]),))
    tail = Tail(4, 1.2)
    assert probability_best(pair, tail, count=100_000)[0] == pytest.approx(
        probability_better(pair, 0, 1, tail), abs=6e-3
    )


def test_heavier_tails_say_less_at_the_top() -> None:
    far = Mixture(np.array([1.0]), (Gaussian(np.array([0.30, 0.35]), COVARIANCE[:2, :2]),))
    assert probability_better(far, 0, 1, Tail(4, 1.0)) < probability_better(far, 0, 1, NORMAL)
