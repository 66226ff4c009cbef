"""vLLM on a CPU under load: what was recorded of it, and that the traffic model still predicts it."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


def module(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


@cache
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = module("engine_record").read_record()
    return found


def test_half_of_the_points_of_each_model_calibrates() -> None:
    points = recorded()["points"]
    assert len(points) >= 12
    assert [one["name"] for one in points] == [one.name for one in module("engine_serving").POINTS]
    for served in ("text", "v4", "v49"):
        halves = [one["calibrates"] for one in points if one["served"] == served]
        assert abs(2 * sum(halves) - len(halves)) <= 1


def test_the_machine_was_given_to_the_engine_and_its_load_alone() -> None:
    for one in recorded()["points"]:
        assert max(one["machine"]["steal"]) < 0.001
        assert one["machine"]["idle"][1] > 0.8  # of the load generator's core


def test_files_made_of_the_record_say_what_vllm_said_in_its_own() -> None:
    points = recorded()["points"]
    tests = module("engine_traffic").tests_of(points, detailed=True)
    assert len(tests) == len(points)
    for point, test in zip(points, tests, strict=True):
        result = point["result"]
        assert test.engine_named == "vLLM 0.32.0"
        assert test.completed == len(test.rows) == result["completed"]
        assert test.failed == result["failed"]
        assert test.settings["max_num_seqs"] == 64
        assert (test.images, test.visual_tokens) == (
            (1, point["visual_tokens"]) if point["visual_tokens"] else (0, None)
        )
        for percent in (50, 95, 99):  # by NumPy from single requests, rounded to .1 ms; by vLLM
            assert test.ttft_s.percentiles[percent] * 1e3 == pytest.approx(result[f"p{percent}_ttft_ms"], abs=0.11)
            assert test.latency_s.percentiles[percent] * 1e3 == pytest.approx(result[f"p{percent}_e2el_ms"], abs=0.11)
            assert test.tpot_s.percentiles[percent] * 1e3 == pytest.approx(result[f"p{percent}_tpot_ms"], abs=0.11)


def test_the_engine_counted_the_tokens_that_the_points_asked_for() -> None:
    for one in recorded()["points"]:
        warm_up = one["engine_counted"]["iteration_tokens_total_sum"]
        asked = (one["result"]["completed"] + one["result"]["failed"]) * (
            one["prompt_tokens"] + one["generated_tokens"]
        )
        assert asked <= warm_up + 1e-6 <= asked * 1.1  # two requests warm up, and one tries the server


@pytest.mark.parametrize("kind", ["rate", "replayed"])
def test_recorded_medians_are_those_of_the_recorded_points_and_keep_the_bars(kind: str) -> None:
    traffic = module("engine_traffic")
    said = recorded()["prediction"]
    found = traffic.medians(said["points"], kind)
    assert found == said["median_errors"][kind]
    assert found["points"] >= 6
    assert all(found[name] <= bar for name, bar in traffic.BARS.items())


def test_engines_were_overloaded_and_answered_about_as_predicted() -> None:
    said = recorded()["prediction"]["points"]
    over = [one for one in said if one["load"] > 1]
    assert len(over) >= 2
    for one in over:
        assert one["measured"]["throughput"] == pytest.approx(one["saturation_per_second"], rel=0.15)


def test_the_page_holds_all_points() -> None:
    page = (ROOT / "docs" / "traffic.md").read_text(encoding="utf-8")
    assert module("engine_traffic").table(recorded()) in page


@pytest.mark.slow
def test_predictions_can_be_made_again() -> None:
    traffic = module("engine_traffic")
    found = traffic.judge(recorded())
    for kind, errors in found["median_errors"].items():
        known = recorded()["prediction"]["median_errors"][kind]
        assert errors == pytest.approx(known, abs=0.03)  # other libraries round otherwise
        assert all(errors[name] <= bar for name, bar in traffic.BARS.items())
    loads = [one["load"] for one in found["points"]]
    assert np.allclose(loads, [one["load"] for one in recorded()["prediction"]["points"]], rtol=0.05)
