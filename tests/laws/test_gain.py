"""The gain of a run where a belief reaches outside of what an error can be: against simulation, outcome by outcome."""

from __future__ import annotations

import numpy as np
import pytest

import planner
from planner.laws import gain as gains
from planner.laws.design import next_batch, next_runs
from planner.laws.gain import expected_gain, expected_least, expected_regret, knowledge_gradient, possible_error
from planner.runs import Runs

MEAN = np.array([0.5, 0.45, 0.1, 0.9])
LOADINGS = np.array([[0.3, -0.2, 0.1, 0.0], [0.0, 0.4, 0.05, -0.6], [0.9, 0.2, 0.7, 1.0]]).T


def test_what_is_expected_of_a_cut_error_is_its_simulated_mean() -> None:
    random = np.random.default_rng(0)
    z = random.standard_normal(200_000)
    for mean, sd in ((0.5, 0.01), (0.5, 0.4), (-0.3, 0.2), (1.7, 3.0), (0.02, 0.05), (0.3, 0.0), (-0.3, 0.0)):
        drawn = np.clip(mean + sd * z, 0, 1)
        error = 5 * drawn.std() / np.sqrt(len(z)) + 1e-12
        assert possible_error(np.array(mean), np.array(sd)) == pytest.approx(drawn.mean(), abs=error)


def test_the_gain_is_that_of_picking_again_after_each_outcome() -> None:
    """Errors and a run's outcome are drawn together; then every candidate is expected anew, and the least is picked."""
    random = np.random.default_rng(1)
    mean, loadings = MEAN, LOADINGS
    noise_sd, cells = 0.2, np.array([[0.5, 0.2, 0.1], [0.0, 0.3, 0.9]])
    covariance = loadings @ loadings.T
    sd = np.sqrt(np.diag(covariance))
    spread = np.sqrt((cells**2).sum(axis=1) + noise_sd**2)
    gain, changes = expected_gain(mean, cells @ loadings.T / spread[:, None], sd)
    now = possible_error(mean, sd)
    for c, cell in enumerate(cells):
        u = random.standard_normal((40_000, 3))
        truth = np.clip(mean + u @ loadings.T, 0, 1)
        outcome = u @ cell + noise_sd * random.standard_normal(len(u))
        shared = loadings @ cell
        variance = cell @ cell + noise_sd**2
        after = mean + np.outer(outcome, shared / variance)
        left = np.sqrt(np.diag(covariance - np.outer(shared, shared) / variance))
        picked = possible_error(after, np.broadcast_to(left, after.shape)).argmin(axis=1)
        simulated = truth[:, now.argmin()] - truth[np.arange(len(u)), picked]
        assert gain[c] == pytest.approx(simulated.mean(), abs=4 * simulated.std() / np.sqrt(len(u)))
        assert changes[c] == pytest.approx((picked != now.argmin()).mean(), abs=0.012)


def test_both_ways_agree_where_nothing_reaches_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    errors, steps = 0.5 + 0.01 * random.standard_normal(6), 0.01 * random.standard_normal((4, 6))
    sd = np.sqrt((steps**2).max(axis=0) + 1e-5)
    exact = knowledge_gradient(errors, steps)
    assert np.array_equal(expected_gain(errors, steps, sd), exact)
    monkeypatch.setattr(gains, "inside", lambda *_: False)
    assert expected_gain(errors, steps, sd)[0] == pytest.approx(exact[0], rel=2e-3)
    assert expected_gain(errors, steps, sd)[1] == pytest.approx(exact[1], abs=0.01)


def test_no_gain_and_no_regret_is_more_than_an_error_can_be() -> None:
    random = np.random.default_rng(3)
    for size in (0.5, 3.0, 1000.0):
        errors, loadings = random.normal(0.5, size, 8), size * random.standard_normal((8, 4))
        sd = np.sqrt((loadings**2).sum(axis=1))
        gain, changes = expected_gain(errors, loadings[:5] @ loadings.T / sd[:5, None], sd)
        assert ((gain >= 0) & (gain <= 1)).all()
        assert ((changes >= 0) & (changes <= 1)).all()
        assert 0 <= float(expected_least(errors, sd)) <= 1
        assert gain.max() <= expected_regret(errors, loadings) + 0.02 <= 1.02  # the regret is sampled


def test_a_law_of_few_runs_with_one_size_too_many_stays_in_range() -> None:
    """Eight runs, as a published grid has them: the parameters are open, and so are errors far outside of them."""
    sizes, tokens = np.repeat([0.5e9, 1.5e9, 7e9], [3, 3, 2]), np.array([16, 144, 256, 16, 144, 256, 16, 256.0])
    score = np.array([0.537, 0.601, 0.626, 0.629, 0.677, 0.691, 0.715, 0.764])
    law = planner.fit(Runs(llm=tuple("abc"[i] for i in [0, 0, 0, 1, 1, 1, 2, 2]), llm_params=sizes,
                           visual_tokens=tokens, error=1 - score), "additive")  # fmt: skip
    choice = (np.array([0.5e9, 7e9, 72e9, 72e9]), np.array([1.0, 144.0, 1.0, 4.0]))
    found = next_runs(law, choice, choice)
    assert 0 < found.expected_regret_now <= 1
    assert all(0 <= run.expected_gain <= found.expected_regret_now + 0.02 for run in found.runs)
    both = next_batch(law, choice, choice, 2)
    assert 0 <= both.expected_gains[0] <= both.expected_gains[1] + 0.01 <= 1
