"""vlm-planner evidence."""

from __future__ import annotations

import shlex

import pytest
from support import Run

import planner


def test_evidence_lists_what_rests_on_what(run: Run) -> None:
    told = run("evidence").out
    found = planner.evidence()
    assert told.startswith(f"{found.rows_count:,} published results from 21 studies, {found.checked_count:,} of them")
    for name in ("PaliGemma 2", "Qwen2.5-VL", "DocVQA", "tokenpacker", "arXiv 2412.13303v2 (FastVLM), Table 6"):
        assert name in told


def test_evidence_of_a_task_as_json(run: Run) -> None:
    found = run("evidence", "--task", "docvqa", "--json").json
    assert found["task"] == "DocVQA"
    assert found["rows"] == sum(group["rows"] for group in found["groups"]) >= found["checked"]
    assert {group["task"] for group in found["groups"]} == {"DocVQA"}
    (gemma,) = [group for group in found["groups"] if group["study"] == "PaliGemma 2"]
    assert (gemma["llms"], gemma["visual_tokens"]) == (["Gemma2-2B", "Gemma2-9B", "Gemma2-27B"], [256.0, 1024.0])
    assert {"arXiv 2412.03555v1 (PaliGemma 2), Table 13"} <= {table["source"] for table in found["tables"]}


def test_a_task_that_is_not_held_is_refused_with_a_suggestion(run: Run) -> None:
    assert run("evidence", "--task", "docvq").err == (
        "error: no task of the evidence is called 'docvq'; did you mean 'DocVQA'?\n"
    )
    far = run("evidence", "--task", "zzz")
    assert far.code == 2
    assert "asked for by its class: text, general, knowledge, localisation" in far.err


@pytest.mark.parametrize("tasks", [["docvqa"], ["ChartQA (human)"], ["docvqa", "text"]])
def test_the_command_that_a_plan_names_lists_what_it_rests_on(run: Run, tasks: list[str]) -> None:
    asked = ["--task", tasks[0]] if len(tasks) == 1 else ["--mix", ",".join(f"{one}=0.5" for one in tasks)]
    words = run("plan", *asked, "--budget", "8TFLOPs", "--query-tokens", 50, "--generated-tokens", 32, "--llms",
                "qwen2.5").words  # fmt: skip
    told = words.partition(": vlm-planner evidence")[2].partition(" list")[0]
    typed = [shlex.split(f"evidence{one}") for one in told.split(" and vlm-planner evidence")]
    assert len(typed) == len(tasks)
    rows = [run(*one, "--json").json["rows"] for one in typed]
    number = int(words.partition(": vlm-planner evidence")[0].rpartition(" published results of ")[0].split()[-1])
    assert number == rows[0] if len(rows) == 1 else max(rows) <= number <= sum(rows)
