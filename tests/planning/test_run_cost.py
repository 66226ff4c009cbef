"""What a run costs: of a compressor that prunes trained models it is an evaluation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import planner
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.naming import trains
from planner.planning.run_cost import EVALUATION, TRAINING, run_cost
from planner.tell.next_run import next_run_story
from planner.tell.render import as_text


def law(*compressors: str) -> FittedLaw:
    return FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.008}, compressors=compressors)


@pytest.mark.parametrize("name", ["FastV", "VisionZip", "MMTok", "prumerge+", " sparsevlm "])
def test_methods_that_prune_train_nothing(name: str) -> None:
    assert not trains(name)
    assert run_cost(law(name)) is EVALUATION
    assert run_cost(law(name, "none")) is EVALUATION  # the model with all its tokens is there anyhow


@pytest.mark.parametrize("names", [("quecc",), ("tokenpacker", "none"), ("none",), (), ("my-own",), ("quecc", "fastv")])
def test_all_else_is_trained(names: tuple[str, ...]) -> None:
    assert run_cost(law(*names)) is TRAINING


def test_flops_of_a_sample() -> None:
    n, t = np.array([7e9, 1e9]), np.array([64.0, 1.0])
    assert TRAINING.flops(n, t, 50).tolist() == (6 * n * (t + 50)).tolist()
    assert EVALUATION.flops(n, t, 50).tolist() == [2 * 7e9 * 114, 2 * 1e9 * 51]


def test_next_runs_of_pruning_charge_no_training() -> None:
    random = np.random.default_rng(0)
    rows = [
        {"llm": f"Qwen1.5-{size:g}B", "llm_params": size * 1e9, "visual_tokens": t, "compressor": "visionzip",
         "error": 0.6 - 0.04 * np.log(size) - 0.01 * np.log(t) + 0.002 * random.standard_normal()}
        for size in (0.5, 1.8, 4.0, 7.0) for t in (16, 64, 144)
    ]  # fmt: skip
    found = {}
    for name in ("visionzip", "tokenpacker"):
        fitted = planner.fit(pd.DataFrame(rows).assign(compressor=name), "log-linear")
        found[name] = planner.next_run(fitted, budget="2TFLOPs", query_tokens=50, generated_tokens=32)
    cost = {
        name: {(run.llm_params, run.visual_tokens): run.cost for run in one.ranked.runs} for name, one in found.items()
    }
    for cell, flops in cost["visionzip"].items():
        assert flops == pytest.approx(cost["tokenpacker"][cell] / 3)
    assert found["visionzip"].to_dict()["cost"]["unit"] == "inference FLOPs per question, 2 N (V + text)"
    assert found["tokenpacker"].to_dict()["cost"]["unit"] == "training FLOPs per sample, 6 N (V + text)"
    told = as_text(next_run_story(found["visionzip"]), ".md")
    assert "no token count is charged its training" in told
    assert "evaluation: FLOPs per question, 2 N (V + " in told
    assert "training: FLOPs per sample, 6 N (V + " in as_text(next_run_story(found["tokenpacker"]), ".md")
