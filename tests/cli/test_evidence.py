"""vlm-planner evidence."""

from __future__ import annotations

from support import Run

import planner


def test_evidence_lists_what_rests_on_what(run: Run) -> None:
    told = run("evidence").out
    found = planner.evidence()
    assert told.startswith(f"{found.rows_count:,} published results from 8 studies, {found.checked_count:,} of them")
    for name in ("PaliGemma 2", "DocVQA", "tokenpacker", "arXiv 2412.13303v2 (FastVLM), Table 6"):
        assert name in told


def test_evidence_of_a_task_as_json(run: Run) -> None:
    found = run("evidence", "--task", "docvqa", "--json").json
    assert found["task"] == "DocVQA"
    assert found["rows"] == sum(group["rows"] for group in found["groups"]) == found["checked"]
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
