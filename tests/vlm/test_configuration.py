"""The configuration: what it fills in, what it refuses, and that it survives a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, CLIPVisionConfig, SiglipVisionConfig
from vlm.tiny import VOCABULARY, config, llm_config, tower_config

from planner.parts.catalog import vision_catalog
from planner.vlm import PlannerVlmConfig


def test_the_paper_is_the_default() -> None:
    paper = PlannerVlmConfig(visual_tokens=16)
    assert paper.compressor == "quecc" and paper.query_features == "llm" and paper.query_gradient
    assert paper.vision_feature_layers == [12, 16, 22, 23]
    assert paper.layers_read == [23, 12, 16, 22, 23]
    assert paper.vision_config.num_hidden_layers == 23  # of 24: the last one is never read
    assert paper.grid_side == 24 and paper.text_feature_size == paper.text_config.hidden_size
    assert paper.image_token_id == paper.text_config.vocab_size


@pytest.mark.parametrize("name", sorted(vision_catalog()))
def test_the_tower_ends_where_the_catalogue_says(name: str) -> None:
    spec = vision_catalog()[name]
    kind = CLIPVisionConfig if spec.class_token else SiglipVisionConfig
    tower = kind(
        hidden_size=spec.hidden_size,
        intermediate_size=spec.intermediate_size,
        num_hidden_layers=spec.num_layers,
        num_attention_heads=spec.num_heads,
        image_size=spec.image_size,
        patch_size=spec.patch_size,
    )
    for compressor in ("quecc", "average-pool", "none"):
        made = PlannerVlmConfig(vision_config=tower, compressor=compressor)
        assert made.vision_config.num_hidden_layers == spec.layers_run
        assert made.grid_side == spec.grid_side
        assert made.visual_tokens == (spec.patches if compressor == "none" else 1)
    assert tower.num_hidden_layers == spec.num_layers  # the one that was given is left as it was


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prompt_order": "text-first", "query_gradient": False},
        {"query_features": "llm-layers", "query_layers": 2},
        {"query_features": "encoder", "query_config": llm_config(num_hidden_layers=1)},
        {"compressor": "matryoshka", "tower": "siglip"},
        {"vision_feature_layers": [1, 3], "vision_query_layer": 2},
    ],
)
def test_round_trip(options: dict[str, Any], tmp_path: Path) -> None:
    made = config(**options)
    made.save_pretrained(tmp_path)
    read = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(read, PlannerVlmConfig)
    unlike = {"auto_map": None, "_name_or_path": None}  # where it was read from, and with which code
    assert read.to_dict() | unlike == made.to_dict() | unlike
    assert read.layers_read == made.layers_read and read.text_feature_size == made.text_feature_size


@pytest.mark.parametrize(
    ("options", "beside"),
    [
        ({}, True),
        ({"prompt_order": "text-first"}, False),
        ({"query_features": "llm-layers", "query_layers": 1}, True),
        ({"query_features": "encoder", "query_config": llm_config(), "prompt_order": "text-first"}, True),
        ({"query_features": "none"}, False),
        ({"compressor": "tokenpacker"}, False),
    ],
)
def test_which_models_read_the_query_beside_the_prompt(options: dict[str, Any], beside: bool) -> None:
    assert config(**options).asks_beside_the_prompt is beside


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compressor": "resampler"}, "compressor: expected one of quecc, .*, got 'resampler'"),
        ({"query_features": "clip"}, "^query_features: expected one of llm, llm-layers, encoder, none, got 'clip'$"),
        (
            {"prompt_order": "image"},
            r"^prompt_order: expected one of image-first, text-first, got 'image'; did you mean 'image-first'\?$",
        ),
        ({"visual_tokens": 5}, "a grid of 6 x 6 patches gives 1, 4, 9, 36 visual tokens, not 5"),
        ({"compressor": "none"}, "all 36 patches are visual tokens, got 4"),
        ({"query_features": "llm-layers"}, "query_layers: expected 1 to 3 layers of the LLM, got None"),
        ({"query_features": "llm-layers", "query_layers": 4}, "expected 1 to 3 layers of the LLM, got 4"),
        (
            {"query_features": "llm-layers", "query_layers": 1, "prompt_order": "text-first"},
            "saves nothing in a text-first prompt",
        ),
        ({"query_features": "encoder"}, 'query_config: expected for query_features "encoder", and only for it'),
        ({"query_config": llm_config()}, 'query_config: expected for query_features "encoder", and only for it'),
        (
            {"query_features": "encoder", "query_config": llm_config(vocab_size=200)},
            f"expected the language model's {VOCABULARY} token ids, got 200",
        ),
        (
            {"vision_config": llm_config()},
            "^vision_config: expected one of clip_vision_model, siglip_vision_model, got 'qwen2'$",
        ),
        ({"vision_query_layer": 6}, r"vision layers between 0 and 5, got \[6, 2, 3, 3, 4\]"),
        ({"vision_feature_layers": []}, r"vision layers between 0 and 5, got \[4\]"),
    ],
)
def test_refusals_say_what_was_expected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**options)


def test_baselines_have_no_query() -> None:
    for name in ("tokenpacker", "average-pool", "matryoshka"):
        assert config(compressor=name).query_features == "none"
    assert config(compressor="none", visual_tokens=None, vision_config=tower_config()).visual_tokens == 36
