"""Files with keys that their class does not have, takes under another name, or decides elsewhere: parameters and cache
equal to transformers', or a refusal."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from planner.base.errors import SpecError
from planner.parts.configs import read_llm

Config = dict[str, Any]

SMALL: Config = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 200,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LATENT: Config = {
    **SMALL,
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
}
LLAMA4: Config = {**SMALL, "model_type": "llama4_text", "head_dim": 16, "intermediate_size_mlp": 40}

SAME: dict[str, Config] = {
    "a head size that the class does not read": {
        **{key: SMALL[key] for key in SMALL if key != "num_key_value_heads"},
        "model_type": "gpt_neox",
        "head_dim": 8,
    },
    "a head size that is no field and is read": {**SMALL, "model_type": "qwen2", "head_dim": 8},
    "two names for one number": {**SMALL, "model_type": "mixtral", "num_experts": 3, "num_local_experts": 4},
    "biases of an MLP": {**LATENT, "model_type": "minicpm3", "mlp_bias": True},
    "a tie that the class does not make": {
        **{key: LATENT[key] for key in LATENT if key != "q_lora_rank"},
        "model_type": "kimi_linear",
        "num_experts": 4,
        "num_experts_per_token": 2,
        "linear_head_dim": 8,
        "linear_num_heads": 2,
        "tie_word_embeddings": True,
    },
    "a tie inside, where the text decides": {
        "model_type": "llama4",
        "text_config": {**LLAMA4, "tie_word_embeddings": True},
        "tie_word_embeddings": False,
    },
    "a tie outside, where the text decides": {
        "model_type": "llama4",
        "text_config": LLAMA4,
        "tie_word_embeddings": True,
    },
}


@pytest.mark.parametrize("what", SAME)
def test_counts_are_those_of_transformers(what: str) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    file = SAME[what]
    config = transformers.CONFIG_MAPPING[file["model_type"]].from_dict(copy.deepcopy(file))
    auto = transformers.AutoModelForImageTextToText if "text_config" in file else transformers.AutoModelForCausalLM
    with torch.device("meta"):
        model = auto.from_config(config)
    model = getattr(model, "language_model", model)
    weights = {id(weight): weight.numel() for weight in model.parameters()}
    assert read_llm("m", file).params == sum(weights.values())


def test_a_window_that_the_class_has_no_field_for_limits_caches() -> None:
    transformers = pytest.importorskip("transformers")
    file = {**SMALL, "model_type": "llama", "sliding_window": 4}
    cache = transformers.DynamicCache(config=transformers.LlamaConfig(**file))
    assert [layer.sliding_window for layer in cache.layers] == [4, 4]
    assert [one.window for one in read_llm("m", file).caches()] == [4]
    with pytest.raises(SpecError, match="has no windows, and the config gives a 'sliding_window' that it does not use"):
        read_llm("m", {**file, "use_sliding_window": False})


def test_a_window_that_layers_of_blocks_do_not_have_is_refused() -> None:
    file = {**SMALL, "model_type": "granitemoe", "max_position_embeddings": 64}
    with pytest.raises(SpecError) as caught:
        read_llm("m", {**file, "sliding_window": 4})
    assert str(caught.value) == (
        "m: the type granitemoe has no windows, but the config gives a 'sliding_window' of 4, so its cost cannot be "
        "counted"
    )
    assert read_llm("m", {**file, "sliding_window": 64}).params == read_llm("m", file).params


def test_an_output_head_of_another_size_is_refused() -> None:
    text = {**SMALL, "model_type": "qwen2"}
    file = {"model_type": "ovis2", "text_config": text, "hidden_size": 64, "tie_word_embeddings": False}
    assert read_llm("m", {**file, "vocab_size": 200}).vocab_size == 200
    with pytest.raises(SpecError) as caught:
        read_llm("m", {**file, "vocab_size": 208})
    assert str(caught.value) == (
        "m: the output head's 'vocab_size' of 208 is not the language model's of 200, so its cost cannot be counted"
    )


@pytest.mark.parametrize("value", [True, 5, "x", {"a": 1}, [[1]]])
@pytest.mark.parametrize(
    ("model_type", "key"),
    [
        ("lfm2", "full_attn_idxs"),
        ("bamba", "attn_layer_indices"),
        ("llama4_text", "moe_layers"),
        ("llama4_text", "no_rope_layers"),
    ],
)
def test_places_of_layers_are_a_list(model_type: str, key: str, value: Any) -> None:
    with pytest.raises(SpecError, match=f"^m: expected '{key}' to be a list of whole numbers"):
        read_llm("m", {"model_type": model_type, key: value})
