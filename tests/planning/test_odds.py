"""The benchmark of odds: its truths are what they say, and its judgement is that of brute force."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_plans_of_known_truths_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import odds

    given = list(odds.tasks(1, 3))
    assert given == list(odds.tasks(1, 3))
    assert {task["truth"] for task in given} == set(odds.truths())
    kept = tmp_path / "now.jsonl"
    answers = odds.answers(BENCHMARKS.parent, given, kept)
    lines = kept.read_text(encoding="utf-8").splitlines(keepends=True)
    assert [json.loads(line) for line in lines] == answers and len(answers) == len(given)
    kept.write_text("".join(lines[:-1]) + lines[-1][:20], encoding="utf-8")  # stopped in the middle of a line
    assert odds.answers(BENCHMARKS.parent, given, kept) == answers
    rows = odds.judged(1, 3, answers)
    assert len(rows) > 0.9 * len(given) * odds.PLANS
    assert all(row["regret"] >= 0 and row["right"] == (row["regret"] <= 1e-9) for row in rows)
    found = odds.summary(rows)
    assert found["interval_covers"] == pytest.approx(np.mean([row["covered"] for row in rows]))
    assert sum(one["plans"] for one in found["bins"]) == len(rows)
    assert sum(one["plans"] for one in found["by_truth"].values()) == len(rows)
    assert found["out_rated_by_a_printed_rival"] == 0
