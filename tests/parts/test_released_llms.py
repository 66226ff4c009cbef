"""The language models of released checkpoints: parameters and cache as transformers counts them (golden.json), and
configs that were once counted wrongly."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from planner.base.errors import SpecError
from planner.parts.configs import read_llm
from planner.parts.llms import Llm
from planner.parts.walk import UNLIMITED

HERE = Path(__file__).parent
GOLDEN: dict[str, Any] = json.loads((HERE / "golden.json").read_text("utf-8"))["models"]
CASES = HERE / "cases"
SHIPPED = resources.files("planner.parts") / "released" / "configs"
BF16 = 2


def shipped(hub_id: str) -> Llm:
    config = json.loads((SHIPPED / hub_id.replace("/", "--") / "config.json").read_text("utf-8"))
    return read_llm(hub_id.rpartition("/")[2], config)


def case(name: str) -> Llm:
    return read_llm(name, json.loads((CASES / name / "config.json").read_text("utf-8")))


def cache_bytes(llm: Llm) -> tuple[float, float]:
    """Of one token in bf16, in layers that keep all tokens and in those that keep a window."""
    caches = llm.caches()
    full = sum(BF16 * one.values_per_token for one in caches if one.window == UNLIMITED)
    return full, sum(BF16 * one.values_per_token for one in caches if one.window != UNLIMITED)


def test_every_released_checkpoint_has_its_config() -> None:
    assert {one.name.replace("--", "/") for one in SHIPPED.iterdir()} == set(GOLDEN)


@pytest.mark.parametrize("hub_id", GOLDEN)
def test_language_model_of_a_released_checkpoint(hub_id: str) -> None:
    golden, llm = GOLDEN[hub_id], shipped(hub_id)
    assert llm.params == golden["language_model"]
    assert cache_bytes(llm) == (golden["kv_bytes_per_token_bf16_full"], golden["kv_bytes_per_token_bf16_sliding"])
    assert llm.num_layers == golden["num_hidden_layers"]
    assert llm.expert_params == golden.get("expert_params", 0)
    if "active" in golden:
        beside = golden["total"] - golden["language_model"]
        assert llm.active_params + beside == golden["active"]


RIGHT: dict[str, tuple[int, int]] = {
    "llava-1.5-7b-hf": (6_738_939_904, 524_288),
    "resaved/llava-1.5-7b-hf": (6_738_939_904, 524_288),
    "gemma-3-4b-it": (3_880_263_168, 139_264),
    "resaved/gemma-3-4b-it": (3_880_263_168, 139_264),
    "g34": (3_880_263_168, 139_264),
    "gemma-3-27b-it": (27_009_346_304, 507_904),
    "gemma-3-27b-it-full": (27_009_346_304, 507_904),
    "paligemma-3b-pt-224": (2_508_662_784, 18_432),
    "paligemma2-3b-pt-224": (2_617_143_552, 106_496),
    "resaved/paligemma2-3b-pt-224": (2_617_143_552, 106_496),
    "pixtral-12b": (12_247_782_400, 163_840),
    "SmolVLM-Instruct": (1_812_051_968, 196_608),
    "resaved/SmolVLM-Instruct": (1_812_051_968, 196_608),
    "Mistral-7B-v0.1": (7_241_732_096, 131_072),
    "Qwen2.5-VL-3B-Instruct": (3_085_938_688, 36_864),
    "resaved/Qwen2.5-VL-3B-Instruct": (3_085_938_688, 36_864),
    "Qwen3-VL-4B-Instruct": (4_022_468_096, 147_456),
    "resaved/Qwen3-VL-4B-Instruct": (4_022_468_096, 147_456),
    "Qwen2.5-Omni-7B": (7_615_616_512, 57_344),
    "llava-v1.6-vicuna-13b-hf": (13_016_519_680, 819_200),
    "Qwen2.5-7B-Instruct-AWQ": (7_615_616_512, 57_344),
    "fp32-llama-1.1B": (1_100_048_384, 22_528),
    "stringint": (1_100_048_384, 22_528),
    "float-int": (1_100_048_384, 22_528),
    "ERNIE-4.5-21B-A3B-PT": (21_825_437_888, 57_344),
    "LFM2-1.2B": (1_170_340_608, 12_288),
    "Llama-3.2-11B-Vision-Instruct": (9_775_192_080, 131_072),
    "gemma-4-12b": (11_907_350_272, 344_064),
    "mamba-hybrid-jamba": (7_132_955_616, 3_072),
    "phimoe": (12_519_854_080, 22_528),
    "qwen-moe-legacy": (12_521_845_760, 22_528),
    "pythia-1.4b": (1_414_647_808, 196_608),
    "opt-6.7b": (6_658_473_984, 524_288),
    "gpt2": (124_439_808, 36_864),
    "falcon-7b": (6_921_720_704, 8_192),
    "Yi-34B": (34_388_917_248, 245_760),
}
"""Parameters of the language model, and bytes of one token in a bf16 cache; each is asked of transformers below."""

REFUSED: dict[str, str] = {
    name: f"{name}: nothing is known of language models of the type {kind!r}"
    for name, kind in {
        "bailing": "bailing_moe",
        "grok-1": "grok-1",
        "hunyuan-moe": "hunyuan",
        "minimax-text-01": "minimax_text_01",
        "arctic": "arctic",
        "minicpm-sala": "minicpm_sala",
        "rwkv7-hf": "rwkv7",
        "nemotron-nas": "nemotron-nas",
        "MiniCPM-V-2_6": "minicpmv",
        "phi-3.5-vision-instruct": "phi3_v",
        "bert-base": "bert",
        "deepseek-vl2-tiny": "deepseek_vl_v2",
        "glm-4-9b": "chatglm",
    }.items()
} | {
    "openmoe": "openmoe: nothing is known of 'num_experts' (32) in a config of the type llama",
    "kimi-linear": "kimi-linear: the full_attn_layers and kda_layers of 'linear_attn_config' do not name each of 22",
}


@pytest.mark.parametrize("name", RIGHT)
def test_configs_that_were_counted_wrongly(name: str) -> None:
    llm = case(name)
    assert (llm.params, sum(cache_bytes(llm))) == RIGHT[name]


READ_BY_US_ALONE = ("stringint", "float-int")
"""transformers refuses numbers that are written so."""


@pytest.mark.parametrize("name", [one for one in RIGHT if one not in READ_BY_US_ALONE])
def test_right_values_are_those_of_transformers(name: str) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = transformers.AutoConfig.from_pretrained(CASES / name)
    config = getattr(config, "thinker_config", config)
    config.quantization_config = None
    text = config.get_text_config(decoder=True)
    auto = transformers.AutoModelForCausalLM if text is config else transformers.AutoModelForImageTextToText
    with torch.device("meta"):
        model = auto.from_config(config, dtype=torch.bfloat16)
    decoder = model.get_decoder()
    modules = [decoder, model.get_output_embeddings()]
    weights = {id(weight): weight.numel() for module in modules for weight in module.parameters()}
    assert sum(weights.values()) == RIGHT[name][0]
    cache = transformers.DynamicCache(config=text)
    with torch.no_grad():
        decoder(input_ids=torch.zeros((1, 3), dtype=torch.long, device="meta"), past_key_values=cache)
    kept = [
        tensor for layer in cache.layers for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None))
    ]
    values = sum(tensor.numel() for tensor in kept if tensor is not None)
    assert BF16 * values == 3 * RIGHT[name][1]


@pytest.mark.parametrize("name", REFUSED)
def test_configs_that_are_refused(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        case(name)
    assert str(caught.value).startswith(REFUSED[name])
    assert str(caught.value).endswith("so its cost cannot be counted")
    assert str(caught.value).count(". ") == 0
