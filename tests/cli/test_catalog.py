"""vlm-planner catalog."""

from __future__ import annotations

from support import Run

import planner


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
