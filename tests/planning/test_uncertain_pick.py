"""How sure a plan is of its pick."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import planner
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.uncertainty import DRAWS
from planner.planning.doubt import Doubt
from planner.planning.transfer.effects import Effects

REQUEST = {"query_tokens": 50, "generated_tokens": 32}


def test_the_pick_carries_its_interval_and_its_odds() -> None:
    plan = planner.plan(budget="2 TFLOPs", **REQUEST)
    best = plan.best
    assert best.interval is not None
    assert best.interval[0] < best.predicted_error < best.interval[1]
    assert best.probability_best is not None
    assert 0 <= best.probability_best <= 1
    assert best.expected_regret is not None
    assert best.expected_regret >= 0
    assert best in plan.tied


def test_odds_sum_to_one_over_what_fits() -> None:
    plan = planner.plan(budget="0.6 TFLOPs", llms="Qwen1.5-0.5B", compressor="tokenpacker", **REQUEST)
    everything = (plan.best, *plan.runners_up)
    assert len(everything) <= plan.fitting_count
    total = sum(candidate.probability_best or 0.0 for candidate in everything)
    assert total == pytest.approx(1.0, abs=0.5 / DRAWS * (plan.fitting_count - len(everything)) + 1 / DRAWS + 1e-9)


def test_tied_candidates_stand_by_cost_and_their_intervals_reach_the_best() -> None:
    plan = planner.plan(budget="8 TFLOPs", llms="all", **REQUEST)
    costs = [candidate.total_flops for candidate in plan.tied]
    assert costs == sorted(costs)
    assert len(plan.tied) > 1
    assert plan.best.interval is not None
    for candidate in plan.tied:
        assert candidate.interval is not None
        assert candidate.interval[0] <= plan.best.interval[1]


def test_a_budget_with_a_clear_winner_has_no_ties() -> None:
    plan = planner.plan(budget="2 TFLOPs", compressor="tokenpacker", **REQUEST)
    assert plan.tied == (plan.best,)
    assert plan.best.probability_best is not None
    assert 0.99 < plan.best.probability_best <= 1 - 1 / DRAWS  # what so many draws can tell, not certainty


@pytest.mark.parametrize(("regret", "pick", "next_best"), [(0.05, 1, [0, 2]), (0.004, 0, [2])])
def test_a_split_belief_names_the_more_probable_where_that_costs_little(
    regret: float, pick: int, next_best: list[int]
) -> None:
    """The second is .01 worse in expectation and twice as often the best: half of a regret of .05 outweighs that."""
    odds, errors, all_three = np.array([0.3, 0.6, 0.1]), np.array([0.40, 0.41, 0.42]), np.arange(3)
    tied, half = np.ones(3, bool), np.full(3, 0.1)
    doubt = Doubt(all_three, errors - half, errors + half, odds, np.full(3, regret), tied, half, Effects.none(3))
    best, ranking = doubt.led_by_the_pick(all_three, errors)
    assert best == ranking[0] == pick
    assert doubt.next_best(ranking).tolist() == next_best


def test_a_law_without_runs_says_nothing_of_its_certainty() -> None:
    law = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.008})
    plan = planner.plan(law, budget="2 TFLOPs", llms="qwen2.5", **REQUEST)
    assert plan.tied == ()
    assert plan.best.interval is None
    assert plan.to_dict()["best"]["interval"] is None
    assert "interval" not in str(plan)


def test_noise_widens_the_tied_set() -> None:
    """The same planted law measured with ten times the noise leaves more candidates in the race."""
    n, t = (grid.ravel() for grid in np.meshgrid([0.5, 1.8, 4.0, 7.0], [1.0, 4, 16, 36, 64, 144, 576], indexing="ij"))
    truth = get_form("log-linear").value({"c0": 0.6, "c1": 0.04, "c2": 0.008}, n, t)
    sizes = []
    for noise in (0.001, 0.05):
        error = truth + noise * np.random.default_rng(1).standard_normal(28)
        columns = {
            "llm": [f"Qwen1.5-{size:g}B" for size in n],
            "llm_params": n * 1e9,
            "visual_tokens": t,
            "error": error,
        }
        law = planner.fit(pd.DataFrame(columns), "log-linear")
        sizes.append(len(planner.plan(law, budget="8 TFLOPs", llms="all", as_measured="family", **REQUEST).tied))
    assert sizes[0] < sizes[1]


def test_auto_and_mixes_plan_too() -> None:
    auto = planner.plan("reasoning", form="auto", budget="2 TFLOPs", **REQUEST)
    assert auto.law.form == "auto"
    assert auto.best.interval is not None
    mixed = planner.plan(planner.load_mix("reasoning=0.5,ocr=0.5"), budget="2 TFLOPs", **REQUEST)
    assert mixed.law.form == "mix"
    assert mixed.best.interval is not None


@pytest.mark.parametrize("form", ["multiplicative", "log-linear"])
def test_the_best_number_of_tokens_is_known_though_the_offset_is_not(form: str) -> None:
    """alpha and beta move by a factor two with D, the best number of visual tokens by a fifth."""
    found = planner.optimum("reasoning", form=form, budget="1 TFLOPs", query_tokens=50, generated_tokens=0)
    assert found.visual_tokens_interval is not None
    low, high = found.visual_tokens_interval
    assert low == pytest.approx(11.9, abs=0.2)
    assert high == pytest.approx(15.2, abs=0.25)
    assert low < found.visual_tokens < high


def test_the_additive_optimum_has_an_interval_too() -> None:
    found = planner.optimum("reasoning", budget="5e11", query_tokens=50, generated_tokens=0)
    assert found.visual_tokens_interval is not None
    low, high = found.visual_tokens_interval
    assert low < found.visual_tokens < high
    assert (low, high) == pytest.approx((13.4, 17.6), abs=0.6)
    assert planner.optimum("paper", budget="5e11", query_tokens=50, generated_tokens=0).visual_tokens_interval is None
