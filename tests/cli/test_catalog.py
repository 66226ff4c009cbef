"""vlm-planner catalog."""

from __future__ import annotations

from support import Run

import planner
from planner.parts.released import find_checkpoint, released_ids, variant_ids


def test_catalog_prints_everything_that_can_be_named_as_json(run: Run) -> None:
    catalog = run("catalog", "--json").json
    assert set(catalog) == {"llms", "vision", "compressors", "laws"}
    assert [llm["name"] for llm in catalog["llms"]] == list(planner.llm_catalog())
    assert all(llm["params"] > 0 and llm["nominal_params"] > 0 for llm in catalog["llms"])
    assert [tower["name"] for tower in catalog["vision"]] == list(planner.vision_catalog())
    assert [kind["name"] for kind in catalog["compressors"]] == ["quecc", "tokenpacker", "average-pool", "none"]
    assert [(law["name"], law["form"]) for law in catalog["laws"]] == list(planner.shipped_names())


def test_catalog_lists_only_the_models_asked_for(run: Run) -> None:
    names = [llm["name"] for llm in run("catalog", "--llms", "vicuna", "--json").json["llms"]]
    assert names == ["Vicuna-7B-v1.5", "Vicuna-13B-v1.5"]
    human = run("catalog", "--llms", "vicuna").out
    assert "Vicuna-13B-v1.5" in human
    assert "Phi-2" not in human


def test_released_models_are_listed_with_their_knobs(run: Run) -> None:
    found = run("catalog", "--released", "--json").json
    models = {one["hub_id"]: one for one in found["released"]}
    assert set(models).isdisjoint(found["refused"])
    assert set(models) | set(found["refused"]) == {*released_ids(), *variant_ids()}
    assert models["Qwen/Qwen3-VL-8B-Thinking"]["variant_of"] == "Qwen/Qwen3-VL-8B-Instruct"
    assert models["Qwen/Qwen3-VL-8B-Instruct"]["variant_of"] is None
    own = models["Qwen/Qwen3-VL-8B-Instruct"]
    assert (own["family"], own["context_tokens"], own["dtype"]) == ("qwen3-vl", 262_144, "bf16")
    assert own["params"] == find_checkpoint(own["hub_id"]).params_by_part()
    assert next(iter(own["knobs"])) == "max_pixels"
    assert own["licence"] == "apache-2.0" and "Qwen3-VL-8B-Instruct" in own["licence_source"]
    assert models["llava-hf/llava-1.5-7b-hf"]["converted_from"] == "liuhaotian/llava-v1.5-7b"
    assert models["google/paligemma2-3b-pt-224"]["pretrained"] == "arXiv 2412.03555" and own["pretrained"] == ""
    told = run("catalog", "--released").out
    assert "max_pixels: " in told
    refused = run("catalog", "--released", "--llms", "qwen2.5")
    assert "leave out --llms or --released" in refused.complaint


def test_ids_are_whole_off_a_terminal(run: Run) -> None:
    told = run("catalog", "--released").out
    assert all(f"{hub_id} " in told for hub_id in (*released_ids(), *variant_ids()))
