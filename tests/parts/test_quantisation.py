"""Bytes of quantised checkpoints, by hand; what is not known is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.base.errors import SpecError
from planner.configuration import ReleasedModel, Run
from planner.costs.latency import latency
from planner.costs.memory import memory
from planner.costs.rates import Rates
from planner.costs.stages import Workload
from planner.hardware import find_hardware
from planner.parts.configs import read_llm
from planner.parts.quantisation import read_quantisation
from planner.parts.released.checkpoint import read_checkpoint

AWQ = Path(__file__).parent / "cases" / "Qwen2.5-7B-Instruct-AWQ"
PUBLISHED: dict[str, Any] = json.loads((AWQ / "config.json").read_text("utf-8"))
LINEAR, ALL = 6_525_288_448, 7_615_616_512
"""Weights of the matrices in its layers, and all of its parameters."""


def stored(given: dict[str, Any]) -> float:
    found = read_quantisation("m", {"quantization_config": given})
    assert found is not None
    return found.weights_bytes(read_llm("m", PUBLISHED))


def test_four_bits_with_a_scale_and_a_zero_for_each_group_of_128() -> None:
    bits = LINEAR * 4 + LINEAR // 128 * (16 + 4)
    assert stored(PUBLISHED["quantization_config"]) == bits / 8 + 2 * (ALL - LINEAR)
    assert stored(PUBLISHED["quantization_config"]) / 2**30 == pytest.approx(5.2, abs=0.02)  # as published


@pytest.mark.parametrize(
    ("given", "bits"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, LINEAR * (4 + 20 / 32)),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, LINEAR * (8 + 24 / 128)),
        ({"load_in_8bit": True}, LINEAR * 8 + 28 * (3 * 3584 + 2 * 512 + 2 * 18944) * 32),
        (
            {
                "quant_method": "compressed-tensors",
                "ignore": ["lm_head"],
                "config_groups": {
                    "group_0": {
                        "targets": ["Linear"],
                        "weights": {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16},
                    }
                },
            },
            LINEAR * (4 + 8 / 16),
        ),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, LINEAR * (8 + 32 / 128**2)),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, LINEAR * (4 + 32 / 64)),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True},
            LINEAR * (4 + (8 + 32 / 256) / 64),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "ignore": ["lm_head", "re:visual.*"],
                "config_groups": {
                    "group_0": {
                        "targets": ["Linear"],
                        "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128},
                    }
                },
            },
            LINEAR * (4 + 16 / 128),
        ),
    ],
)
def test_bits_of_other_methods(given: dict[str, Any], bits: float) -> None:
    assert stored(given) == pytest.approx(bits / 8 + 2 * (ALL - LINEAR), rel=1e-15)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"quant_method": "novel"},
            "m: expected quantization_config to name a method of awq, gptq, bitsandbytes, fp8,",
        ),
        ({"quant_method": "awq", "bits": 3}, "m: expected quantization_config to store 4 bits a weight, got 3"),
        ({}, "m: expected quantization_config to name a method of awq"),
        ({"quant_method": "bitsandbytes"}, "m: expected quantization_config to load in 4 or 8 bits"),
        ({"quant_method": "compressed-tensors"}, "m: expected one config_groups of all Linear modules"),
        (
            {"quant_method": "awq", "bits": 4, "modules_to_not_convert": ["model.layers.0"]},
            "m: quantization_config leaves out 'model.layers.0' (modules_to_not_convert), whose size is not known",
        ),
        (
            {"quant_method": "fp8", "modules_to_not_convert": ["lm_head", "model.layers.0.mlp.gate_proj"]},
            "m: quantization_config leaves out 'model.layers.0.mlp.gate_proj' (modules_to_not_convert), whose size",
        ),
        (
            {"quant_method": "fp8", "ignored_layers": "lm_head"},
            "m: expected ignored_layers of quantization_config to be",
        ),
        ({"quant_method": "gptq", "bits": 4, "lm_head": True}, "m: quantization_config quantises the output head"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}},
            },
            "m: quantization_config quantises the output head ('lm_head' is not in its 'ignore')",
        ),
    ],
)
def test_what_is_not_known_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_quantisation("m", {"quantization_config": given})
    assert str(caught.value).startswith(text)


GPT_OSS_20B: dict[str, Any] = {
    "model_type": "gpt_oss",
    "num_hidden_layers": 24,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 201088,
    "quantization_config": {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
    },
}


def test_experts_alone_in_mxfp4() -> None:
    """17 bytes for 32 weights of an expert, 2 for any other: what the index of openai/gpt-oss-20b names."""
    llm, found = read_llm("gpt-oss-20b", GPT_OSS_20B), read_quantisation("gpt-oss-20b", GPT_OSS_20B)
    assert found is not None
    experts = 24 * 32 * 3 * 2880 * 2880
    assert found.weights_bytes(llm) == experts * 17 / 32 + 2 * (llm.params - experts) == 13_761_264_768


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
@pytest.mark.parametrize("place", ["text_config", "llm_config", "thinker_config"])
def test_it_is_found_under_other_names_and_in_the_language_model(key: str, place: str) -> None:
    given = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    expected = read_quantisation("m", {"quantization_config": given})
    assert expected is not None
    assert read_quantisation("m", {key: given}) == read_quantisation("m", {place: {key: given}}) == expected


def test_a_quantised_checkpoint_is_priced_in_what_it_stores() -> None:
    found = read_checkpoint("Qwen2.5-7B-Instruct-AWQ", PUBLISHED)
    assert (found.dtype, found.quantisation is not None) == ("int4", True)
    model = ReleasedModel.of_checkpoint(found, None)
    sizes = memory(model, Workload(10, 1, images=0), Run(precision="int4")).at()
    assert sizes.weights == stored(PUBLISHED["quantization_config"])
    assert memory(model, Workload(10, 1, images=0), Run(precision="bf16")).at().weights == 2 * ALL


def groups(weights: dict[str, Any], inputs: dict[str, Any] | None) -> dict[str, Any]:
    one = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {"quant_method": "compressed-tensors", "ignore": ["lm_head"], "config_groups": {"group_0": one}}


@pytest.mark.parametrize(
    ("given", "precision"),
    [
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "w8a16"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "int4"),
        ({"load_in_8bit": True}, "int8"),
        (groups({"num_bits": 8, "type": "int"}, None), "w8a16"),
        (groups({"num_bits": 8, "type": "int"}, {"num_bits": 8, "type": "int"}), "int8"),
        (groups({"num_bits": 8, "type": "float"}, None), "w8a16"),
        (groups({"num_bits": 8, "type": "float"}, {"num_bits": 8, "type": "float"}), "fp8"),
    ],
)
def test_products_run_in_8_bits_where_inputs_are_quantised_too(given: dict[str, Any], precision: str) -> None:
    found = read_quantisation("m", {"quantization_config": given})
    assert found is not None
    assert found.precision == precision


def test_weights_alone_in_8_bits_compute_as_16_bits_do() -> None:
    """At the peak of bf16, as int4, with inputs of 2 bytes; only the weights are fewer bytes."""
    card = find_hardware("h100-sxm")
    one, wide = Rates.of(card, "w8a16"), Rates.of(card, "bf16")
    assert one == replace(wide, weight_bytes=1 + 2 / 128)
    given = {**PUBLISHED, "quantization_config": {"quant_method": "gptq", "bits": 8, "group_size": 128}}
    found = read_checkpoint("gptq", given)
    assert found.dtype == "w8a16"
    model, load = ReleasedModel.of_checkpoint(found, None), Workload(4000, 2, images=0)
    times = {name: latency(model, load, Run(card, name)) for name in ("bf16", "w8a16", "int8", "int4")}
    assert float(times["w8a16"].ttft_s) == pytest.approx(float(times["bf16"].ttft_s), rel=0.03)
    # products alone are faster, attention stays in 16 bits; how much is the card's profile of the day
    assert times["int8"].ttft_s < 0.9 * times["w8a16"].ttft_s
    assert times["int4"].tpot_s < times["w8a16"].tpot_s < times["bf16"].tpot_s


def test_nothing_is_said_of_a_plain_checkpoint() -> None:
    assert read_quantisation("m", {}) is None
