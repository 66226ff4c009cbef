"""vlm-planner plan and optimum."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.commands import LLAMA, OPTIMUM, PLAN, REQUEST
from support import Run

import planner

STAGES = ("encoder", "compressor", "query_pass", "prefill", "decode")


def test_plan_prints_the_pick_as_json(run: Run) -> None:
    done = run(*PLAN, "--json")
    plan = done.json
    assert {"best", "frontier", "extrapolates", "assumptions", "convention"} <= set(plan)
    for candidate in (plan["best"], *plan["runners_up"], *plan["frontier"], plan["next_up"]):
        assert {"llm", "llm_params", "visual_tokens", "predicted_error", "flops"} <= set(candidate)
        assert set(candidate["flops"]) == {"total", *STAGES}
        assert candidate["flops"]["total"] == pytest.approx(sum(candidate["flops"][stage] for stage in STAGES))
        assert all(candidate["flops"][stage] > 0 for stage in STAGES)
    best = plan["best"]
    assert (best["llm"], best["llm_params"], best["visual_tokens"]) == ("Qwen1.5-4B", 4e9, 64)
    assert best["predicted_error"] == pytest.approx(0.5028, abs=5e-5)
    assert best["flops"]["total"] <= 2e12 < plan["next_up"]["flops"]["total"]
    assert plan["convention"] == "full"
    assert plan["extrapolates"] == []
    assert all(isinstance(sentence, str) and sentence for sentence in plan["assumptions"])
    assert done.err == ""


def test_the_frontier_ends_with_the_pick_and_gets_better_with_cost(run: Run) -> None:
    plan = run(*PLAN, "--json").json
    frontier = [(candidate["flops"]["total"], -candidate["predicted_error"]) for candidate in plan["frontier"]]
    assert frontier == sorted(frontier)
    assert [error for _, error in frontier] == sorted(error for _, error in frontier)
    assert plan["frontier"][-1] == plan["best"]


def test_plan_in_the_papers_count_charges_the_language_model_only(run: Run) -> None:
    plan = run(*PLAN, "--convention", "paper", "--json").json
    best, flops = plan["best"], plan["best"]["flops"]
    assert plan["convention"] == "paper"
    assert flops["encoder"] == flops["compressor"] == flops["query_pass"] == 0
    assert flops["total"] == 2 * best["llm_params"] * (50 + best["visual_tokens"] + 32)


def test_plan_passes_on_what_it_is_told(run: Run) -> None:
    plan = run(
        "plan", "--budget", "9e12", "--query-tokens", 5, "--generated-tokens", 6, "--cached-tokens", 7,
        "--system-tokens", 8, "--images", 2, "--law", "ocr", "--form", "log-linear", "--llms", "qwen2.5",
        "--llms", "Vicuna-7B-v1.5", "--visual-tokens", "16, 4", "--vision", "CLIP-ViT-L/14-224",
        "--compressor", "average-pool", "--prompt-order", "text-first", "--json",
    ).json  # fmt: skip
    assert plan["workload"] == {
        "query_tokens": 5, "generated_tokens": 6, "cached_tokens": 7, "system_tokens": 8, "images": 2,
    }  # fmt: skip
    assert plan["budget"] == {"flops": 9e12}
    assert (plan["law"]["name"], plan["law"]["form"]) == ("ocr", "log-linear")
    assert (plan["vision"], plan["compressor"]) == ("CLIP-ViT-L/14-224", "average-pool")
    assert plan["prompt_order"] == "text-first"
    assert plan["candidates"]["compared"] == (7 + 1) * 2
    assert {candidate["visual_tokens"] for candidate in plan["runners_up"]} <= {4, 16}


def test_plan_takes_a_config_json(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "own-7B.json"
    config.write_text(json.dumps(LLAMA))
    best = run("plan", "--budget", "20T", *REQUEST, "--llms", config, "--json").json["best"]
    assert (best["llm"], best["llm_params"]) == ("own-7B", 7e9)


def test_optimum_prints_the_optimum_as_json(run: Run) -> None:
    found = run(*OPTIMUM, "--json").json
    assert {"llm_params", "visual_tokens"} <= set(found)
    assert 2 * found["llm_params"] * (50 + found["visual_tokens"] + 32) == pytest.approx(2e12)
    assert 1 < found["visual_tokens"] < 576


def test_optimum_takes_a_form(run: Run) -> None:
    law = planner.load_law("reasoning", "multiplicative").params
    found = run(*OPTIMUM, "--form", "multiplicative", "--json").json
    assert found["visual_tokens"] == pytest.approx(law["beta"] * 82 / (law["alpha"] - law["beta"]))
