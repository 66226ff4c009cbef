"""Gains where beliefs are Gaussian given the size of a tail: the closed form, Bayes' rule by weighted draws, bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.laws.gain import expected_regret, knowledge_gradient
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.tailed import TailedBeliefs

CANDIDATES, RUNS = 4, 3
TAIL = Tail(4, 0.92)


def belief(tail: Tail | None, law_sd: float = 0.01, effects_sd: float = 0.02, seed: int = 0) -> TailedBeliefs:
    random = np.random.default_rng(seed)
    rows = CANDIDATES + RUNS
    law, effects = (sd * random.standard_normal((rows, 3)) for sd in (law_sd, effects_sd))
    noise = np.where(np.arange(rows) < CANDIDATES, 0.0, 0.004**2)
    errors = 0.5 + 0.01 * random.standard_normal(rows)
    return TailedBeliefs(errors, law @ law.T, effects @ effects.T, tail, noise)


def drawn(one: TailedBeliefs, count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Truths (count, rows), and what runs of each row show of them."""
    random = np.random.default_rng(seed)
    roots = [np.linalg.svd(part) for part in (one.law, one.effects)]
    g, e = (random.standard_normal((count, len(part.S))) * np.sqrt(part.S) @ part.U.T for part in roots)
    if one.tail is not None:
        e *= one.tail.scale * np.sqrt(one.tail.dof / random.chisquare(one.tail.dof, (count, 1)))
    truth = one.errors + g + e
    return truth, truth + np.sqrt(one.noise) * random.standard_normal(truth.shape)


def test_without_a_tail_the_gains_are_the_knowledge_gradient() -> None:
    one = belief(None)
    cells = np.arange(CANDIDATES, CANDIDATES + RUNS)
    covariance = one.law + one.effects
    steps = covariance[cells, :CANDIDATES] / np.sqrt(covariance[cells, cells] + one.noise[cells])[:, None]
    gain, changes = one.gains(CANDIDATES, cells)
    exact, often = knowledge_gradient(one.errors[:CANDIDATES], steps)
    assert gain == pytest.approx(exact, rel=1e-3)  # the corners lie between the grid's values
    assert changes == pytest.approx(often, abs=0.01)
    root = np.linalg.cholesky(covariance[:CANDIDATES, :CANDIDATES] + 1e-12 * np.eye(CANDIDATES))
    assert one.expected_regret(CANDIDATES) == pytest.approx(expected_regret(one.errors[:CANDIDATES], root), rel=0.05)


@pytest.mark.parametrize("tail", [None, TAIL])
@pytest.mark.parametrize("seen", [(0,), (1,), (0, 2)])
def test_gains_are_those_of_picking_again_by_what_like_outcomes_were_of(
    tail: Tail | None, seen: tuple[int, ...]
) -> None:
    """Truths and outcomes are drawn; what is expected after an outcome is the mean truth of 200,000 other draws,
    weighted by how likely each would have shown it."""
    one = belief(tail)
    rows = [CANDIDATES + run for run in seen]
    truth, _ = drawn(one, 200_000, seed=2)
    own, outcome = drawn(one, 400, seed=3)
    now = int(one.errors[:CANDIDATES].argmin())
    gained, changed = [], []
    for mine, y in zip(own, outcome, strict=True):
        like = np.exp(-0.5 * ((y[rows] - truth[:, rows]) ** 2 / one.noise[rows]).sum(axis=1))
        if like.sum() < 30:  # an outcome so far out that no draw is near it
            continue
        after = like @ truth[:, :CANDIDATES] / like.sum()
        gained.append(after[now] - after.min())
        changed.append(int(after.argmin()) != now)
        assert np.isfinite(mine).all()
    gain, changes = (
        one.gain_of(CANDIDATES, rows) if len(rows) > 1 else (x[0] for x in one.gains(CANDIDATES, np.array(rows)))
    )
    assert len(gained) > 350
    assert gain == pytest.approx(np.mean(gained), abs=4 * np.std(gained) / np.sqrt(len(gained)))
    assert changes == pytest.approx(np.mean(changed), abs=0.1)


@pytest.mark.parametrize("tail", [None, TAIL])
@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
def test_gains_lie_between_nothing_and_the_regret(tail: Tail | None, scale: float) -> None:
    one = belief(tail, 0.02 * scale, 0.02 * scale)
    regret = one.expected_regret(CANDIDATES)
    cells = np.arange(CANDIDATES, CANDIDATES + RUNS)
    gain, changes = one.gains(CANDIDATES, cells)
    both, _ = one.gain_of(CANDIDATES, cells.tolist())
    assert 0 <= regret < 1
    assert (gain >= 0).all()
    assert max(gain.max(), both) <= 1.1 * regret + 1e-8  # the regret is sampled
    assert both >= 0.95 * gain.max() - 1e-8
    assert ((changes >= 0) & (changes <= 1)).all()


def test_what_moves_all_alike_gains_nothing() -> None:
    one = replace(belief(TAIL), law=np.zeros((7, 7)), effects=np.full((7, 7), 0.02**2))
    gain, changes = one.gains(CANDIDATES, np.array([5]))
    assert gain[0] == pytest.approx(0, abs=1e-15)
    assert changes[0] == pytest.approx(0, abs=1e-12)


def test_several_outcomes_of_which_all_but_one_tell_nothing_are_that_one() -> None:
    one = belief(TAIL)
    deaf = one.noise.copy()
    deaf[CANDIDATES + 1] = 1e4
    alone = replace(one, noise=deaf)
    gain, _ = alone.gains(CANDIDATES, np.array([CANDIDATES]))
    assert alone.gain_of(CANDIDATES, [CANDIDATES, CANDIDATES + 1])[0] == pytest.approx(gain[0], rel=0.06)


def test_of_many_candidates_the_same_comes_out_as_of_those_that_matter() -> None:
    """A hundred candidates that are worse by far are left out on the way."""
    one = belief(TAIL)
    order = np.concatenate([np.arange(CANDIDATES), np.full(100, 0), np.arange(CANDIDATES, CANDIDATES + RUNS)])
    errors = one.errors[order]
    errors[CANDIDATES : CANDIDATES + 100] += 0.2
    many = TailedBeliefs(
        errors, one.law[np.ix_(order, order)], one.effects[np.ix_(order, order)], TAIL, one.noise[order]
    )
    few, _ = one.gains(CANDIDATES, np.array([CANDIDATES, CANDIDATES + 2]))
    gain, _ = many.gains(CANDIDATES + 100, np.array([CANDIDATES + 100, CANDIDATES + 102]))
    assert gain == pytest.approx(few, rel=1e-9)
