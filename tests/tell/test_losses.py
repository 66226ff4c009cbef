"""A law of losses: nothing that is told of it speaks of an error or a score."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import planner
from planner.laws.fitted import FittedLaw
from planner.planning.result import Plan
from planner.runs import Runs, read_runs
from planner.runs.table import in_words
from planner.tell import plots
from planner.tell.comparison import comparison_story
from planner.tell.holdout import holdout_story
from planner.tell.law import law_story
from planner.tell.render import as_text
from planner.tell.stories import tell

SIZES, TOKENS = (0.5, 1.5, 3.0, 7.0), (4, 16, 36, 64, 144, 576)
MISSES = ("mean error", "worst error", "mean / worst relative error")  # of predictions, in a hold-out


@pytest.fixture(scope="module")
def runs() -> Runs:
    random = np.random.default_rng(0)
    rows = [
        {
            "llm": f"Qwen2.5-{size:g}B",
            "llm_params": size * 1e9,
            "visual_tokens": tokens,
            "val_loss": 1.2 + 0.5 * size**-0.3 + 0.8 * tokens**-0.35 + 0.002 * random.standard_normal(),
        }
        for size in SIZES
        for tokens in TOKENS
    ]
    return read_runs(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def law(runs: Runs) -> FittedLaw:
    return planner.fit(runs, name="nats")


@pytest.fixture(scope="module")
def picked(law: FittedLaw) -> Plan:
    return planner.plan(
        law, budget="4TFLOPs", query_tokens=50, generated_tokens=32, llms="qwen2.5", hardware="h100-sxm"
    )


def speaks_of(text: str) -> list[str]:
    """What a text says of errors and scores, beside the misses of predictions."""
    text = re.sub(r"<(style|script).*?</\1>", "", text, flags=re.DOTALL)
    for miss in MISSES:
        text = text.replace(miss, "")
    return [text[max(0, one.start() - 40) : one.end() + 20] for one in re.finditer(r"(?i)\b(errors?|scores?)\b", text)]


@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_a_report_speaks_of_the_loss(picked: Plan, suffix: str) -> None:
    text = as_text(tell(picked), suffix)
    assert "loss" in text and not speaks_of(text)


def test_law_hold_out_and_comparison_speak_of_the_loss(runs: Runs, law: FittedLaw) -> None:
    told = [law_story(law), holdout_story(planner.holdout(runs)), comparison_story(planner.compare(runs))]
    for document in told:
        found = [one for one in speaks_of(as_text(document, ".md")) if "no score stands beside it" not in one]
        assert not found, document.kind
    assert "columns read: val_loss as loss" in law.remarks


def test_a_loss_above_one_is_no_impossible_prediction(runs: Runs) -> None:
    found = planner.holdout(runs)
    assert all(not fold.impossible.size for split in found.splits for fold in found.folds(split))
    assert "which no model has" not in as_text(holdout_story(found), ".md")


def test_axes_speak_of_the_loss(law: FittedLaw, picked: Plan) -> None:
    n, t = np.array([0.5e9, 7e9]), np.array([4.0, 64.0])
    figures = [
        plots.law_over_flops(law, 50, 0, bands=False), plots.profiles(law), plots.residuals(law),
        plots.frontier(picked), plots.holdout(n, t, [2.0, 1.6], [2.1, 1.5], [1.9, 1.4], [2.2, 1.8], predicts="loss"),
    ]  # fmt: skip
    for figure in figures:
        words = [
            text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel(), axes.get_title("left"))
        ]
        assert not [one for text in words for one in speaks_of(text.replace("relative error", ""))]


def test_sentences_of_a_fit_speak_of_the_loss(runs: Runs) -> None:
    flat = pd.DataFrame(
        {"llm": [f"m{n}" for n in (1, 2, 4) for _ in (4, 16, 64)], "llm_params": np.repeat([1e9, 2e9, 4e9], 3),
         "visual_tokens": [4, 16, 64] * 3, "val_loss": np.repeat([2.0, 1.9, 1.85], 3)}
    )  # fmt: skip
    advice = planner.fit(flat, "log-linear").advice
    assert advice.startswith("the runs show no fall of the loss with T")
    assert in_words("the error falls; two errors, one standard error", "loss") == (
        "the loss falls; two losses, one standard error"
    )
    assert in_words("the error falls", "error") == "the error falls"
