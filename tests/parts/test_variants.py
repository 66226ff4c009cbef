"""Models that have the sizes of another one: those that think, and those that are quantised."""

from __future__ import annotations

from typing import Any

import pytest

import planner
from planner.parts.released import find_checkpoint, find_checkpoints, published_files, released_ids, variant_ids

PUBLISHED_PARAMS = {
    "Qwen/Qwen3-VL-2B-Thinking": "2.13B",
    "Qwen/Qwen3-VL-4B-Thinking": "4.44B",
    "Qwen/Qwen3-VL-8B-Thinking": "8.77B",
    "Qwen/Qwen3-VL-32B-Thinking": "33.4B",
    "Qwen/Qwen3-VL-30B-A3B-Thinking": "31.1B",
    "Qwen/Qwen3-VL-235B-A22B-Thinking": "236B",
}


@pytest.mark.parametrize("hub_id", variant_ids())
def test_a_variant_has_the_sizes_of_the_model_that_it_names(hub_id: str) -> None:
    found = find_checkpoint(hub_id)
    base = find_checkpoint(found.provenance["variant_of"])
    assert found.hub_id == hub_id not in released_ids()
    assert found.params_by_part() == base.params_by_part()
    assert (found.rule, found.context_tokens) == (base.rule, base.context_tokens)
    assert found.provenance["variant"] and published_files(found)["config.json"]["model_type"]
    if hub_id in PUBLISHED_PARAMS:
        assert f"{found.params / 1e9:.3g}B" == PUBLISHED_PARAMS[hub_id]
    assert ("Thinking" in hub_id) == any(one.startswith("it thinks before it answers") for one in found.notes)


def test_quantised_repositories_store_what_is_published() -> None:
    fp8 = find_checkpoint("Qwen/Qwen3-VL-8B-Instruct-FP8")
    assert fp8.dtype == "fp8" and fp8.quantisation is not None
    stored = fp8.quantisation.weights_bytes(fp8.llm) + 2 * (fp8.params - fp8.llm.params)
    assert stored == pytest.approx(10.7e9, rel=0.015)  # the download, tokenizer and all, as people print it: about
    awq = find_checkpoint("Qwen/Qwen2-VL-7B-Instruct-AWQ")
    assert awq.quantisation is not None
    assert (awq.dtype, awq.quantisation.method, awq.quantisation.group) == ("int4", "awq", (128, 1))
    wide = find_checkpoint("Qwen/Qwen2-VL-7B-Instruct")
    assert awq.quantisation.weights_bytes(awq.llm) < 0.4 * 2 * wide.llm.params


def test_variants_are_taken_by_their_ids_alone() -> None:
    asked: dict[str, Any] = {"image": "1024x768", "query_tokens": 20, "generated_tokens": 50, "hardware": "h100-sxm"}
    for family in ("qwen3-vl", "qwen2-vl", "released"):
        chosen = {one.hub_id for one in find_checkpoints(family).checkpoints}
        assert chosen.isdisjoint(variant_ids())
    both = "Qwen/Qwen3-VL-8B-Instruct,Qwen/Qwen3-VL-8B-Instruct-FP8,Qwen/Qwen3-VL-8B-Thinking"
    plan = planner.plan(budget=planner.Budget(ttft="60 ms"), models=both, **asked)
    assert {one.hub_id for one in plan.tried.released.selection.checkpoints} == set(both.split(","))  # type: ignore[union-attr]
    assert plan.best.released is not None
    assert planner.Plan.from_dict(plan.to_dict()) == plan
