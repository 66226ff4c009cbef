"""Effects that candidates share: covariance, intervals and odds by known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from planner.laws.hierarchy.student_tail import Tail
from planner.planning.transfer.effects import Effects, Gathered

RANDOM = np.random.default_rng(0)
LOADINGS = RANDOM.normal(size=(5, 7))
SOME = Effects(LOADINGS, ("family", "family", "compressor", "compressor", "compressor", "recipe", "recipe"))


def test_standard_deviations_are_those_of_the_covariance() -> None:
    covariance = LOADINGS @ LOADINGS.T
    assert SOME.sd == pytest.approx(np.sqrt(np.diag(covariance)))
    for i in range(5):
        for j in range(5):
            apart = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
            assert SOME.sd_of_difference(j)[i] == pytest.approx(np.sqrt(max(apart, 0.0)), abs=1e-12)


def test_squares_of_the_axes_add_up() -> None:
    parts = SOME.sd_by_axis
    assert list(parts) == ["family", "compressor", "recipe"]
    assert sum(sd**2 for sd in parts.values()) == pytest.approx(SOME.sd**2)


def test_draws_have_the_covariance() -> None:
    count = 200_000
    drawn = SOME.draws(count, seed=1)
    # of a sample covariance the standard error is at most sqrt(2 / count) of the product of two standard deviations
    room = 5 * np.sqrt(2 / count) * np.outer(SOME.sd, SOME.sd)
    assert (np.abs(drawn.T @ drawn / count - LOADINGS @ LOADINGS.T) < room).all()
    assert (SOME.draws(3, seed=1) == SOME.draws(3, seed=1)).all()


@pytest.mark.parametrize("tail", [None, Tail(4, 1.1), Tail(9, 0.8)])
def test_half_widths_hold_what_they_promise(tail: Tail | None) -> None:
    one = Effects(np.array([[0.02]]), ("family",), tail)
    inside = np.abs(one.draws(100_000, seed=2)[:, 0]) <= one.half_width_95 * one.sd[0]
    assert inside.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 100_000))
    expected = stats.norm.ppf(0.975) if tail is None else tail.scale * stats.t.ppf(0.975, tail.dof)
    assert one.half_width_95 == pytest.approx(expected, rel=1e-9)


def test_what_is_shared_leaves_differences_alone() -> None:
    for tail in (None, Tail(4, 1.0)):
        shared = Effects(np.full((4, 1), 0.03), ("compressor",), tail)
        assert shared.sd == pytest.approx(np.full(4, 0.03))
        assert shared.sd_of_difference(2) == pytest.approx(np.zeros(4), abs=1e-15)
        drawn = shared.draws(100, seed=0)
        assert np.ptp(drawn, axis=1) == pytest.approx(np.zeros(100), abs=1e-15)


def test_effects_of_one_name_add_up_and_those_that_cancel_are_left_out() -> None:
    gathered, both = Gathered(2), np.arange(2)
    gathered.add("family", "u", both, np.array([[1.0], [0.0]]))
    gathered.add("family", "u", both, np.array([[0.5], [-1.0]]))
    gathered.add("compressor", "v", both, np.array([[1.0], [1.0]]))
    gathered.add("compressor", "v", both, np.array([[-1.0], [-1.0]]))
    found = gathered.effects()
    assert found.axes == ("family",)
    assert found.loadings.tolist() == [[1.5], [-1.0]]
    assert not Gathered(3).effects()
    assert Gathered(3).effects().loadings.shape == (3, 0)


def test_several_effects_are_added_to_some_candidates() -> None:
    gathered = Gathered(3)
    gathered.add("family", "u", np.array([2, 0]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    gathered.add("recipe", "u", np.array([1]), np.array([[5.0]]))
    gathered.add("family", "u", np.array([1]), np.array([[0.0, 6.0]]))
    found = gathered.effects()
    assert found.axes == ("family", "family", "recipe")
    assert found.loadings.tolist() == [[3.0, 4.0, 0.0], [0.0, 6.0, 5.0], [1.0, 2.0, 0.0]]


def test_some_of_the_candidates() -> None:
    one = Effects(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), ("family", "compressor"), Tail(5, 1.0))
    some = one.at(np.array([2, 0]))
    assert some.axes == ("family",)
    assert some.loadings.tolist() == [[3.0], [1.0]]
    assert some.tail == Tail(5, 1.0)
    assert one.touched("compressor").tolist() == [False, True, False]
    assert not Effects.none(4).touched("family").any()


def test_many_effects_are_drawn_as_few_with_the_same_covariance() -> None:
    """Of 300 effects on four candidates four combinations are drawn; another seed's sample shows what chance does."""
    random = np.random.default_rng(5)
    loadings = random.standard_normal((4, 300)) * (random.random((4, 300)) < 0.3)
    loadings[3] = loadings[2]  # candidates that share all effects stay together
    drawn = Effects(loadings, ("axis",) * 300).draws(200_000, 1)
    assert np.cov(drawn.T) == pytest.approx(loadings @ loadings.T, abs=0.012 * float((loadings**2).sum(axis=1).max()))
    assert drawn[:, 3] == pytest.approx(drawn[:, 2], abs=1e-10)


def test_rounding_decides_no_draw() -> None:
    """Models of 3 sizes at 4 token counts: 12 candidates whose errors add up, of rank 6, by 400 effects."""
    random = np.random.default_rng(7)
    sizes, counts = random.standard_normal((3, 200)), random.standard_normal((4, 200))
    loadings = np.hstack([np.repeat(sizes, 4, axis=0), np.tile(counts, (3, 1))])
    many = Effects(loadings, ("axis",) * 400, Tail(4, 1.0))
    rounded = Effects(loadings * (1 + 1e-15 * random.standard_normal(loadings.shape)), many.axes, many.tail)
    drawn = many.draws(2000, 1)
    assert rounded.draws(2000, 1) == pytest.approx(drawn, abs=1e-9 * float(drawn.std()))
    grid = drawn.reshape(2000, 3, 4)
    assert grid[:, 0, 0] - grid[:, 0, 3] == pytest.approx(grid[:, 2, 0] - grid[:, 2, 3], abs=1e-6)
