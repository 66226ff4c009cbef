"""next-run on the command line: JSON, and what people see."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import Run

import planner
from planner.laws.design import next_runs
from planner.laws.fitted import FittedLaw

REQUEST = ["--budget", "8TFLOPs", "--query-tokens", 50, "--generated-tokens", 32, "--prompt-order", "text-first"]
COMMAND = ["next-run", "reasoning", "--llms", "qwen2.5", *REQUEST]


def test_json_is_what_python_says(run: Run) -> None:
    content = run(*COMMAND, "--sizes", "7B,14B", "--visual-tokens", "1,36,576", "--top", 2, "--json").json
    plan = planner.plan(
        budget="8 TFLOPs", query_tokens=50, generated_tokens=32, llms="qwen2.5", prompt_order="text-first"
    )
    cells = ([7e9] * 3 + [14e9] * 3, [1, 36, 576] * 2)
    cost = [6 * n * (v + 82) for n, v in zip(*cells, strict=True)]
    expected = next_runs(plan.law, plan.table.fitting_points(), cells, cost)
    assert content["expected_regret_now"] == expected.expected_regret_now
    assert content["pick"] == {
        "llm": plan.best.llm.name,
        "llm_params": plan.best.llm.nominal_params,
        "visual_tokens": plan.best.visual_tokens,
    }
    for got, run_expected in zip(content["next"], expected.runs[:2], strict=True):
        assert got["llm_params"] == run_expected.llm_params
        assert got["visual_tokens"] == run_expected.visual_tokens
        assert got["cost"] == run_expected.cost
        assert got["expected_gain"] == run_expected.expected_gain
        assert got["gain_per_cost"] == pytest.approx(run_expected.expected_gain / run_expected.cost)
        assert 0 <= got["probability_pick_changes"] <= 1


def test_the_table_names_the_pick_and_the_runs(run: Run) -> None:
    words = run(*COMMAND, "--together", 2).words
    assert "picked now: Qwen2.5-" in words
    assert "expected regret of the pick: " in words
    assert "next runs by expected gain" in words
    assert "2 runs at once: " in words
    assert max(len(line) for line in run(*COMMAND).out.splitlines()) <= 80


def test_a_measured_cell_is_marked(run: Run) -> None:
    words = run(*COMMAND, "--sizes", "7B", "--visual-tokens", "1").words
    assert "measured: the law has this cell" in words


def test_ranking_by_information_shows_it(run: Run) -> None:
    words = run(*COMMAND, "--criterion", "d-optimal").words
    assert "log det" in words
    gains = [row["log_det_gain"] for row in run(*COMMAND, "--criterion", "d-optimal", "--json").json["next"]]
    assert gains == sorted(gains, reverse=True)


def test_gain_for_the_cost_ranks_by_it(run: Run) -> None:
    rates = [row["gain_per_cost"] for row in run(*COMMAND, "--per-cost", "--json", "--top", 9).json["next"]]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--sizes", ","], "--sizes: expected at least one, such as 0.5B,7B, got none"),
        (["--visual-tokens", "1,x"], "--visual-tokens: expected whole numbers such as 1,4,16, got '1,x'"),
        (["--top", 0], "--top: expected a whole number of at least 1, got 0"),
        (["--noise", 0], "noise_sd: expected a number above 0, got 0.0"),
        (["--criterion", "regrets"], "no criterion is called 'regrets'; did you mean 'regret'?"),
    ],
)
def test_wrong_options_get_one_sentence(run: Run, more: list[object], complaint: str) -> None:
    done = run(*COMMAND, *more)
    assert done.code == 2
    assert complaint in done.complaint


def test_a_given_law_cannot_say(run: Run, tmp_path: Path) -> None:
    law = tmp_path / "law.json"
    FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}).save(law)
    done = run("next-run", law, "--llms", "qwen2.5", *REQUEST)
    assert done.code == 2
    assert "this one was given" in done.complaint
