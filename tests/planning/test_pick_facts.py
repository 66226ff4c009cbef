"""What a plan says of the weights of a released pick, and of what is published of it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

import planner
from planner.laws.hierarchy.law import EvidenceLaw, evidence_law
from planner.laws.hierarchy.mix import OwnCell
from planner.parts.released import find_checkpoint, released_ids, variant_ids
from planner.planning.pick_facts import weights_text

FAST, QWEN, PALI, SMOL = (
    "KamilaMila/FastVLM-7B",
    "Qwen/Qwen2-VL-7B-Instruct",
    "google/paligemma2-3b-pt-896",
    "HuggingFaceTB/SmolVLM-Instruct",
)


def plan(model: str, law: EvidenceLaw | None = None, task: str | None = "docvqa") -> planner.Plan:
    return planner.plan(
        law, task=task, models=model, image="1024x768", query_tokens=50, generated_tokens=32, hardware="h100-sxm",
        budget=planner.Budget(ttft_s=1.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "task", "said"),
    [
        (
            FAST,
            "docvqa",
            "2 published results of FastVLM-7B on DocVQA: 88.0 (arXiv 2412.13303v2 (FastVLM), Table 6, row R42); 94.5 "
            "(arXiv 2412.13303v2 (FastVLM), Table 11, row R28)",
        ),
        (
            QWEN,
            "st-vqa",
            "no published result of Qwen2-VL-7B-Instruct on ST-VQA is in the evidence: it is predicted from 38 results "
            "of it on other tasks, and from size, tokens and class",
        ),
        (
            "microsoft/Phi-4-multimodal-instruct",
            "docvqa",
            "no published result of Phi-4-multimodal-instruct on DocVQA is in the evidence: it is predicted from size, "
            "tokens and class",
        ),
    ],
)
def test_what_is_published_of_the_pick(model: str, task: str, said: str, tmp_path: Path) -> None:
    found = plan(model, task=task)
    assert found.published == (said,)
    assert f"note: {said}" in str(found)
    path = found.save(tmp_path / "plan.json")
    assert planner.load_plan(path).published == (said,)
    assert found.to_dict()["published"] == [said]


def test_of_the_next_best_too_and_of_each_task() -> None:
    found = plan(f"{FAST},{SMOL}", evidence_law({"docvqa": 0.5, "text": 0.5}), None)
    told = " ".join(found.published)
    assert "of FastVLM-7B on DocVQA" in told and "of FastVLM-7B on tasks of the class text" in told
    next_best = found.runners_up[0].released
    assert next_best is not None and next_best.checkpoint.name in told


def test_evaluations_of_ones_own() -> None:
    own = OwnCell("SmolVLM-Instruct", 2e9, 1053, "", "DocVQA", 0.3, None)
    (said,) = plan(SMOL, evidence_law("docvqa", (own,)), None).published
    assert said.startswith("1 published result of SmolVLM-Instruct on DocVQA: 79.7 (model cards of HuggingFaceTB/")
    assert said.endswith("), and 1 run of your own")


def test_the_weights() -> None:
    assert weights_text(plan(FAST)) == f"{FAST}, converted from apple/FastVLM-7B; licence apple-amlr"
    assert weights_text(plan(SMOL)) == f"{SMOL}; licence apache-2.0"
    warned = "the weights of paligemma2-3b-pt-896 are pretrained ones: fine-tune them on your task first"
    pali = plan(PALI)
    assert any(one.startswith(warned) for one in pali.warnings) and f"warning: {warned}" in str(pali)
    assert plan(SMOL).warnings == () and "warnings" not in plan(SMOL).to_dict()
    trained = planner.plan("reasoning", budget="2TFLOPs", query_tokens=50, generated_tokens=32)
    assert weights_text(trained) == "" and trained.warnings == trained.published == ()


def test_what_is_known_of_weights_has_its_source() -> None:
    origins = json.loads((resources.files("planner.parts.released") / "weights.json").read_text())["converted_from"]
    assert {hub_id for hub_id in released_ids() if hub_id.lower().endswith("-hf")} < set(origins) <= set(released_ids())
    for one in map(find_checkpoint, (*released_ids(), *variant_ids())):
        assert (one.licence is None) == (one.licence_source == "")
        if one.converted_from:
            assert origins[one.hub_id]["from"] == one.converted_from != one.hub_id and origins[one.hub_id]["source"]
        assert one.pretrained.startswith("arXiv ") == (one.pretrained != "")
