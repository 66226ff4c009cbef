"""What the benchmark of the hierarchy recorded, its page, and a part of it measured again."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
RESULT: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "hierarchy.json").read_text(encoding="utf-8"))
ROWS = RESULT["table"]
NAMED_BETTER = {"PaliGemma 2: 9B", "PaliGemma 2: 27B", "Qwen1.5 reasoning: an LLM", "Qwen1.5 reasoning: a T"}
"""Where a simple prediction is better: the largest model of a ladder saturates, a complete grid has its own law."""


def module(name: str) -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_the_page_has_the_recorded_numbers() -> None:
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert module("hierarchy_table").page(RESULT, text) == text, "run python benchmarks/hierarchy_table.py"


@pytest.mark.parametrize("name", [name for name in ROWS if name not in NAMED_BETTER and ROWS[name]["best_baseline"]])
def test_it_is_no_worse_than_the_best_simple_prediction(name: str) -> None:
    assert ROWS[name]["ratio_to_best"] <= 1.05


@pytest.mark.parametrize("name", ROWS)
def test_intervals_cover(name: str) -> None:
    assert ROWS[name]["coverage"] >= 0.90


def test_odds_are_right_and_transfer_covers() -> None:
    for one in RESULT["odds"]:
        assert abs(one["stated"] - one["right"]) <= 0.05
    assert RESULT["odds"][-1]["stated"] >= 0.98 <= RESULT["odds"][-1]["right"]
    assert 0.90 <= RESULT["transfer"]["pooled"]["coverage"] <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a cell", "PaliGemma 2: 2B", "a pruned cell"])
def test_a_split_is_measured_again(name: str) -> None:
    hierarchy = module("hierarchy")
    again, _ = hierarchy.summary(hierarchy.splits(hierarchy.shipped_rows())[name](), hierarchy.shipped_variances().tail)
    for key, value in ROWS[name].items():
        if isinstance(value, float):
            assert again[key] == pytest.approx(value, rel=0.02), key


def test_baselines_by_known_answers() -> None:
    baselines, rows = module("hierarchy_baselines"), module("hierarchy").shipped_rows()
    own = np.flatnonzero((rows.study == "PaliGemma 2") & (rows.task == "GQA"))
    known, asked = own[1:], own[:1]
    x, t, y = np.log2(rows.llm_params[known] / 7e9), np.log2(rows.visual_tokens[known] / 144), rows.error[known]
    weights = np.linalg.lstsq(np.column_stack([np.ones(5), x, t]), y, rcond=None)[0]
    at = np.array([1, np.log2(rows.llm_params[own[0]] / 7e9), np.log2(rows.visual_tokens[own[0]] / 144)])
    assert baselines.least_squares(rows, known, asked) == pytest.approx([at @ weights])
    same = known[rows.visual_tokens[known] == rows.visual_tokens[own[0]]]
    slope = np.diff(rows.error[same]) / np.diff(np.log(rows.llm_params[same]))
    line = rows.error[same[0]] + slope * np.log(rows.llm_params[own[0]] / rows.llm_params[same[0]])
    assert baselines.line_in_size(rows, known, asked) == pytest.approx(line)
    assert baselines.own_mean(rows, known, asked) == pytest.approx([y.mean()])
    near = known[np.argmin(abs(x - at[1]) + abs(t - at[2]))]
    assert baselines.copy(rows, known, asked) == pytest.approx([rows.error[near]])
