"""Configs with all the keys that files on the hub carry, most of which say nothing of sizes: parameters, and those that
a token passes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from planner.base.errors import SpecError
from planner.parts.configs import read_llm

FILES: dict[str, Any] = json.loads((Path(__file__).parent / "published_keys.json").read_text("utf-8"))
COUNTS = {
    "DeepSeek-V3.2": (671_877_929_216, 38_403_807_488),
    "Falcon-H1-34B": (33_642_516_224, 33_642_516_224),
    "Hunyuan-A13B-Instruct": (80_393_183_232, 12_747_448_320),
    "Kimi-Linear-48B-A3B": (49_122_675_072, 3_484_453_248),
    "Nemotron-H-8B": (8_100_852_736, 8_100_852_736),
    "dbrx-instruct": (131_596_523_520, 36_469_708_800),
    "gpt-oss-20b": (20_914_757_184, 4_187_440_704),
    "granite-4.0-h-tiny": (6_939_037_248, 1_465_470_528),
    "mamba-codestral-7B": (7_285_403_648, 7_285_403_648),
}
"""Parameters, stored and active; the first is asked of transformers below."""


@pytest.mark.parametrize("name", FILES)
def test_counts(name: str) -> None:
    llm = read_llm(name, FILES[name])
    assert (llm.params, llm.active_params) == COUNTS[name]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", FILES)
def test_counts_are_those_of_transformers(name: str) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    file = copy.deepcopy(FILES[name])
    for key in ("quantization_config", "auto_map"):
        file.pop(key, None)
    config = transformers.CONFIG_MAPPING[file["model_type"]].from_dict(file)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    assert sum({id(weight): weight.numel() for weight in model.parameters()}.values()) == COUNTS[name][0]


@pytest.mark.parametrize(
    ("name", "key", "value", "text"),
    [
        ("Falcon-H1-34B", "mamba_use_mlp", False, "expected 'mamba_use_mlp' to be None or True, got False"),
        ("Hunyuan-A13B-Instruct", "use_cla", True, "expected 'use_cla' to be None or False, got True"),
        (
            "Hunyuan-A13B-Instruct",
            "moe_topk",
            [8] * 31 + [4],
            "expected 'moe_topk' to be one number, or the",
        ),
        (
            "Nemotron-H-8B",
            "hybrid_override_pattern",
            "M-X",
            "expected 'hybrid_override_pattern' to be a text",
        ),
        ("dbrx-instruct", "ffn_config", [1], "expected 'ffn_config' to be an object, got [1]"),
        ("mamba-codestral-7B", "num_heads", 64, "expected 'num_heads' to be as many heads of 64 as make 8192"),
    ],
)
def test_what_says_another_thing_is_refused(name: str, key: str, value: Any, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_llm("m", {**FILES[name], key: value})
    assert str(caught.value).startswith(f"m: {text}")
