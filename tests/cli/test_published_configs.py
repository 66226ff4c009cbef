"""Published configs that were once counted wrongly or refused without a way out: right, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from support import Run

CASES = Path(__file__).parents[1] / "parts" / "cases"
NAMES = sorted(str(one.parent.relative_to(CASES)) for one in CASES.rglob("config.json"))
REQUEST = ("--query-tokens", 64, "--generated-tokens", 8)

REFUSED = {
    "MiniCPM-V-2_6": "'minicpmv'",
    "Qwen2.5-Omni-7B": "'qwen2_5_omni'",
    "arctic": "'arctic'",
    "bailing": "'bailing_moe'",
    "bert-base": "'bert'",
    "deepseek-vl2-tiny": "'deepseek_vl_v2'",
    "glm-4-9b": "'chatglm'",
    "grok-1": "'grok-1'",
    "hunyuan-moe": "'hunyuan'",
    "minicpm-sala": "'minicpm_sala'",
    "minimax-text-01": "'minimax_text_01'",
    "nemotron-nas": "'nemotron-nas'",
    "openmoe": "'num_experts' (32)",
    "phi-3.5-vision-instruct": "'phi3_v'",
    "rwkv7-hf": "'rwkv7'",
}
"""What each refusal names."""
OFFERED = ("Qwen2.5-Omni-7B", "bert-base")
"""The installed transformers has models of the type."""
CONTRADICTORY = {
    "kimi-linear": "the full_attn_layers and kda_layers of 'linear_attn_config' do not name each of 22 layers once, "
    "so its cost cannot be counted"
}
"""Of a known type, and what each says cannot be."""
RIGHT = [name for name in NAMES if name not in {*REFUSED, *CONTRADICTORY}]
READ_BY_US_ALONE = ("float-int", "stringint")
"""transformers refuses numbers that are written so."""


def params_of_transformers(name: str) -> int:
    """All parameters of the whole model, on the meta device."""
    config: Any = transformers.AutoConfig.from_pretrained(CASES / name)
    config.quantization_config = None
    kinds: tuple[Any, ...] = (transformers.AutoModelForImageTextToText, transformers.AutoModelForCausalLM)
    kind = next(one for one in kinds if type(config) in one._model_mapping)
    with torch.device("meta"):
        model = kind.from_config(config)
    return sum(one.numel() for one in model.parameters())


def test_every_case_is_right_or_refused() -> None:
    assert {*REFUSED, *CONTRADICTORY} < set(NAMES)
    assert len(NAMES) >= 50


@pytest.mark.parametrize("name", RIGHT)
def test_parameters_of_the_whole_model(run: Run, name: str) -> None:
    content = run("cost", CASES / name, "--images", 0, *REQUEST, "--json").json
    parts = content["params"]
    assert parts["total"] == sum(parts[part] for part in ("llm", "vision", "connector", "audio"))
    expected = 1_100_048_384 if name in READ_BY_US_ALONE else params_of_transformers(name)
    assert parts["total"] == expected


@pytest.mark.parametrize("name", RIGHT)
def test_an_image_is_seen_or_refused(run: Run, name: str) -> None:
    done = run("cost", CASES / name, "--image", "336x336", *REQUEST, "--json")
    config = json.loads((CASES / name / "config.json").read_text("utf-8"))
    if any("vis" in key for key in config):
        assert done.json["visual_tokens"] > 0
        assert done.json["stages"]["encoder"]["flops"] + done.json["stages"]["compressor"]["flops"] > 0
    else:
        assert done.code == 2
        assert "takes no images" in done.err


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("image", [("--images", 0), ("--image", "336x336")])
def test_what_is_not_known_is_said_in_one_sentence(run: Run, name: str, image: tuple[object, ...]) -> None:
    done = run("cost", CASES / name, *image, *REQUEST, "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {name}: nothing is known of ")
    assert REFUSED[name] in done.err
    assert done.err.count("\n") == 1
    assert done.err.rstrip().endswith("--count-with transformers") == (name in OFFERED)


@pytest.mark.parametrize("name", CONTRADICTORY)
@pytest.mark.parametrize("image", [("--images", 0), ("--image", "336x336")])
def test_what_contradicts_itself_is_said_in_one_sentence(run: Run, name: str, image: tuple[object, ...]) -> None:
    done = run("cost", CASES / name, *image, *REQUEST, "--json")
    assert (done.code, done.out, done.complaint) == (2, "", f"{name}: {CONTRADICTORY[name]}")
