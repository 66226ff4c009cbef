"""Gains by joint draws: the closed form where beliefs are Gaussian, Bayes' rule where they are not, bounds anywhere."""

from __future__ import annotations

import numpy as np
import pytest

import planner
from planner.laws import beliefs
from planner.laws.averaging import averaged
from planner.laws.drawn import DRAWS, DrawnBeliefs
from planner.laws.gain import knowledge_gradient
from planner.runs import Runs


def drawn(draws: np.ndarray, noise_sd: float) -> DrawnBeliefs:
    errors = draws.mean(axis=0)
    return DrawnBeliefs(errors, draws, np.full(len(draws), noise_sd), np.zeros(len(errors)), np.zeros(len(errors)))


def test_of_a_gaussian_belief_the_gains_are_the_knowledge_gradient() -> None:
    random = np.random.default_rng(0)
    loadings, noise = 0.02 * random.standard_normal((7, 4)), 0.01
    errors = 0.5 + 0.01 * random.standard_normal(7)
    belief = drawn(errors + random.standard_normal((60_000, 4)) @ loadings.T, noise)
    cells = loadings[4:]
    steps = cells @ loadings[:4].T / np.sqrt((cells**2).sum(axis=1) + noise**2)[:, None]
    gain, changes = belief.gains(4)
    exact, often = knowledge_gradient(belief.errors[:4], steps)
    assert gain == pytest.approx(exact, rel=0.08)
    assert changes == pytest.approx(often, abs=0.02)


def test_of_two_camps_the_gain_is_that_of_asking_which_is_right() -> None:
    """Either the first candidate is better by far, or the second; a run tells which. Bayes' rule, written out."""
    random = np.random.default_rng(1)
    first = random.random(20_000) < 0.7
    draws = np.column_stack([np.where(first, 0.40, 0.46), np.full(len(first), 0.43), np.where(first, 0.5, 0.6)])
    noise = 0.06
    gain, _ = drawn(draws, noise).gains(2)
    y = draws[:, 2] + noise * random.standard_normal(len(first))
    like = [share * np.exp(-((y - at) ** 2) / (2 * noise**2)) for share, at in ((0.7, 0.5), (0.3, 0.6))]
    share = like[0] / (like[0] + like[1])
    pick = np.where(0.40 * share + 0.46 * (1 - share) < 0.43, draws[:, 0], draws[:, 1])
    assert gain[0] == pytest.approx(draws[:, :2].mean(axis=0).min() - pick.mean(), rel=0.08)


@pytest.mark.parametrize("size", [0.01, 0.5, 40.0])
def test_gains_lie_between_nothing_and_the_regret(size: float) -> None:
    random = np.random.default_rng(2)
    belief = drawn(0.5 + size * random.standard_t(2, (DRAWS, 9)), 0.1 * size)
    regret = belief.expected_regret(6)
    gain, changes = belief.gains(6)
    assert 0 < regret < 1
    assert ((gain >= 0) & (gain <= regret)).all()
    assert ((changes >= 0) & (changes <= 1)).all()
    cells, total = belief.batch(6, 3, once=False)
    assert len(cells) == 3
    assert list(total) == sorted(total)
    assert gain.max() == pytest.approx(total[0])
    assert total[-1] <= regret
    assert len(set(belief.batch(6, 3, once=True)[0])) == 3


def test_a_run_that_tells_nothing_gains_next_to_nothing() -> None:
    random = np.random.default_rng(3)
    apart = 0.02 * random.standard_normal((DRAWS, 3))
    belief = drawn(0.5 + np.column_stack([apart[:, :2], 0.3 + apart[:, 2]]), 0.01)
    assert belief.gains(2)[0][0] < 0.03 * belief.expected_regret(2)


FEW = Runs(
    llm=tuple(["Qwen2-0.5B", "Qwen2-1.5B", "Qwen2-7B"][i] for i in [0, 0, 0, 1, 1, 1, 2, 2]),
    llm_params=np.repeat([0.5e9, 1.5e9, 7e9], [3, 3, 2]),
    visual_tokens=np.array([16, 144, 256, 16, 144, 256, 16, 256.0]),
    error=1 - np.array([0.537, 0.601, 0.626, 0.629, 0.677, 0.691, 0.715, 0.764]),
)
"""A published grid: eight runs, which leave parameters open and errors far outside of them."""


@pytest.mark.parametrize("budget", [planner.Budget(ttft="60 ms"), planner.Budget(memory="40 GiB"), "8 TFLOPs"])
def test_eight_runs_with_any_limit_stay_in_what_an_error_can_be(budget: planner.Budget | str) -> None:
    asked = {"query_tokens": 50, "generated_tokens": 32, "llms": "qwen2.5", "hardware": "h100-sxm"}
    asked |= {"as_measured": "family"}  # what another family changes, no run of the law tells
    found = planner.next_run(planner.fit(FEW, "additive"), budget=budget, together=2, **asked)
    regret = found.ranked.expected_regret_now
    assert 0 < regret < 1
    doubt = found.plan.table.doubt
    assert doubt.draws is not None
    lost = doubt.draws[:, np.argmin(doubt.expected_regret)] - doubt.draws.min(axis=1)
    of_draws = float(np.std(lost) / np.sqrt(len(lost)))  # the regrets are means of as many draws, of other seeds
    assert of_draws < 0.2 * regret
    assert found.plan.best.expected_regret == pytest.approx(regret, abs=3 * np.sqrt(2) * of_draws)
    assert all(0 <= run.expected_gain <= regret for run in found.ranked.runs)
    assert found.together is not None
    assert found.ranked.runs[0].expected_gain <= found.together.expected_gains[-1] <= regret


def test_of_a_belief_gains_are_those_of_picking_again_after_each_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of draws with nearly the same outcome, one half tells which candidate is best, the other what it costs."""
    monkeypatch.setattr(beliefs, "DRAWS", 100_000)
    law = averaged(planner.fit(FEW, "additive"))
    sizes, tokens = np.array([1.5e9, 7e9, 32e9, 72e9, 14e9, 7e9, 72e9]), np.array([256.0, 64, 64, 16, 1, 16, 16])
    found = beliefs.believe(law, (sizes, tokens))
    assert isinstance(found, DrawnBeliefs)
    gain, changes = found.gains(5)
    truth = np.clip(found.draws[:, :5], 0, 1)
    now = int(truth.mean(axis=0).argmin())
    random = np.random.default_rng(4)
    regret = found.expected_regret(5)
    for cell in (0, 1):
        order = np.argsort(found.draws[:, 5 + cell] + found.noise_sd * random.standard_normal(100_000))
        groups = truth[order].reshape(50, 1000, 2, 5).mean(axis=1)
        pick = groups[:, 0].argmin(axis=1)
        gained = float((groups[:, 1, now] - groups[np.arange(50), 1, pick]).mean())
        assert gain[cell] == pytest.approx(gained, rel=0.05, abs=0.06 * regret)
        assert changes[cell] == pytest.approx((pick != now).mean(), abs=0.1)


def test_what_next_run_expects_to_lose_is_what_the_plan_says() -> None:
    for llms in ("qwen1.5", "qwen2.5"):
        asked = {"query_tokens": 50, "generated_tokens": 32, "llms": llms, "as_measured": "family,compressor"}
        found = planner.next_run(budget="20 TFLOPs", **asked)
        assert found.plan.best.expected_regret == pytest.approx(found.ranked.expected_regret_now, rel=0.4)
