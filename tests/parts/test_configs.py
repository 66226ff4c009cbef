"""Specs from Hugging Face configs: public shapes with known counts, what a config leaves out, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.base.errors import SpecError
from planner.parts.catalog import load_llm_config
from planner.parts.configs import read_llm, read_tower

Config = dict[str, Any]

MISTRAL_7B: Config = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": None,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
    "sliding_window": 4096,
}
TINY_LLAMA: Config = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
}
PHI_2: Config = {
    "model_type": "phi",
    "hidden_size": 2560,
    "intermediate_size": 10240,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": None,
    "vocab_size": 51200,
}


def gemma(model_type: str, sizes: tuple[int, int, int, int, int, int, int]) -> Config:
    """A Gemma config; it does not say that its embeddings are tied, as the published ones do not."""
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    return {"model_type": model_type, **dict(zip((*names, "head_dim", "vocab_size"), sizes, strict=True))}


PUBLISHED = {
    "Mistral-7B-v0.1": (MISTRAL_7B, 7_241_732_096, 7e9),
    "TinyLlama-1.1B": (TINY_LLAMA, 1_100_048_384, 1.1e9),
    "phi-2": (PHI_2, 2_779_683_840, 2_779_683_840),
    "gemma-2b": (gemma("gemma", (2048, 16384, 18, 8, 1, 256, 256000)), 2_506_172_416, 2e9),
    "gemma-7b": (gemma("gemma", (3072, 24576, 28, 16, 16, 256, 256000)), 8_537_680_896, 7e9),
    "gemma-2-2b": (gemma("gemma2", (2304, 9216, 26, 8, 4, 256, 256000)), 2_614_341_888, 2e9),
    "gemma-2-9b": (gemma("gemma2", (3584, 14336, 42, 16, 8, 256, 256000)), 9_241_705_984, 9e9),
    "gemma-3-1b-it": (gemma("gemma3_text", (1152, 6912, 26, 4, 1, 256, 262144)), 999_885_952, 1e9),
}
"""Folder name: config, exact count on the public model card, size in the name (the exact count if there is none)."""


def write(folder: Path, config: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


@pytest.mark.parametrize("name", PUBLISHED)
def test_config_file_of_a_public_model_has_its_published_count(tmp_path: Path, name: str) -> None:
    config, params, nominal_params = PUBLISHED[name]
    spec = load_llm_config(write(tmp_path / name, config))
    assert spec.params == params
    assert (spec.name, spec.nominal_params) == (name, nominal_params)


@pytest.mark.parametrize("name", ["plain-7B", "Mistral-7B-v0.1", "TinyLlama-1.1B", "Qwen2.5-7B"])
def test_folder_is_called_by_its_whole_name(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, TINY_LLAMA)
    assert load_llm_config(file.parent).name == load_llm_config(file).name == name


def test_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path / "mine-1B", TINY_LLAMA).parent)
    assert [load_llm_config(path).name for path in ("config.json", ".")] == ["mine-1B", "mine-1B"]


def test_file_of_another_name_is_called_after_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine-2B.json"
    file.write_text(json.dumps(TINY_LLAMA))
    spec = load_llm_config(file)
    assert (spec.name, spec.nominal_params, spec.source) == ("mine-2B", 2e9, str(file))


def test_name_in_the_config_goes_before_the_folder(tmp_path: Path) -> None:
    spec = load_llm_config(write(tmp_path / "checkpoint", {**TINY_LLAMA, "_name_or_path": "owner/TinyLlama-1.1B-Chat"}))
    assert (spec.name, spec.family, spec.nominal_params) == ("TinyLlama-1.1B-Chat", "TinyLlama-1.1B-Chat", 1.1e9)
    assert spec.notes == ()


@pytest.mark.parametrize(
    ("name", "nominal_params"),
    [
        ("llama-7b", 7e9),
        ("SmolLM2-135M-Instruct", 135e6),
        ("gemma-2-27b-it", 27e9),
        ("model_13B_v2", 13e9),
        ("Qwen2.5-0.5B-Instruct-GPTQ-Int4", 0.5e9),
        ("model-7B-4bit", 7e9),
        ("Qwen2.5-7B-Instruct-1M", 7e9),  # a public model; 1M is the length of its context
        ("context-1M-model-7B", 7e9),
    ],
)
def test_nominal_size_is_read_from_the_name(tmp_path: Path, name: str, nominal_params: float) -> None:
    assert load_llm_config(write(tmp_path / name, MISTRAL_7B)).nominal_params == nominal_params


@pytest.mark.parametrize("name", ["phi-2", "llama3", "v1.5-chat", "8x7B", "model-7Billion"])
def test_without_a_size_in_the_name_the_exact_count_stands_in(tmp_path: Path, name: str) -> None:
    spec = load_llm_config(write(tmp_path / name, TINY_LLAMA))
    assert spec.nominal_params == spec.params == 1_100_048_384
    assert spec.notes == (f"{name}: no size in its name, so its exact count of parameters enters the law",)


def test_nested_text_config_of_a_vision_language_model_is_used(tmp_path: Path) -> None:
    outer = {"model_type": "llava", "_name_or_path": "llava-hf/llava-7b", "text_config": MISTRAL_7B, "hidden_size": 3}
    spec = load_llm_config(write(tmp_path / "any", outer))
    assert (spec.name, spec.model_type, spec.params) == ("llava-7b", "mistral", 7_241_732_096)


def test_unknown_model_type_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        read_llm("new-1B", {**TINY_LLAMA, "model_type": "mistrall"}, nominal_params=1e9)
    assert str(caught.value) == (
        "new-1B: nothing is known of language models of the type 'mistrall' (the nearest known one is mistral), so its "
        "cost cannot be counted"
    )
    with pytest.raises(SpecError, match=r"^new-1B: the config has no model_type, so its cost cannot be counted$"):
        read_llm("new-1B", {key: value for key, value in TINY_LLAMA.items() if key != "model_type"})


def test_biases_that_the_config_switches_on_are_counted() -> None:
    plain = read_llm("m", TINY_LLAMA).params
    attention = 22 * (2048 + 256 + 256 + 2048)
    mlp = 22 * (5632 + 5632 + 2048)
    assert read_llm("m", {**TINY_LLAMA, "attention_bias": True}).params == plain + attention
    assert read_llm("m", {**TINY_LLAMA, "mlp_bias": True}).params == plain + mlp
    assert read_llm("m", {**MISTRAL_7B, "attention_bias": True}).params == 7_241_732_096  # Mistral's class has no bias


def test_tied_embeddings_are_counted_once() -> None:
    tied = read_llm("m", {**TINY_LLAMA, "tie_word_embeddings": True})
    assert tied.params == 1_100_048_384 - 32000 * 2048
    assert tied.lm_head_params == 32000 * 2048
    assert read_llm("m", {**PUBLISHED["gemma-2b"][0], "tie_word_embeddings": False}).params == 2_506_172_416 + (
        256000 * 2048
    )


@pytest.mark.parametrize(
    "extra",
    [
        {"num_local_experts": 8},
        {"num_experts": 128},
        {"n_routed_experts": 64},
        {"kv_lora_rank": 512},
        {"ssm_cfg": {"layer": "Mamba2"}},
        {"encoder_layers": 6},
        {"a_new_kind_of_block": True},
        {"experts_by_layer": [4, 8]},
    ],
)
def test_keys_that_the_class_does_not_have_are_refused(extra: Config) -> None:
    with pytest.raises(SpecError) as caught:
        read_llm("odd", {**MISTRAL_7B, **extra})
    ((key, value),) = extra.items()
    assert str(caught.value) == (
        f"odd: nothing is known of {key!r} ({value!r}) in a config of the type mistral, so its cost cannot be counted"
    )


@pytest.mark.parametrize("extra", [{"a_new_note": "text"}, {"a_new_switch": False}, {"rope_of_a_new_kind": {"x": 2}}])
def test_keys_that_say_nothing_of_sizes_are_passed_over(extra: Config) -> None:
    assert read_llm("m", {**MISTRAL_7B, **extra}).params == 7_241_732_096


def test_mixture_of_experts_inside_a_text_config_is_refused() -> None:
    with pytest.raises(SpecError, match="nothing is known of 'num_local_experts'"):
        read_llm("odd", {"model_type": "llava", "text_config": {**MISTRAL_7B, "num_local_experts": 8}})


@pytest.mark.parametrize("extra", [{"num_experts": 1}, {"num_local_experts": None}, {"n_routed_experts": 0}])
def test_a_single_expert_is_no_mixture(extra: Config) -> None:
    assert read_llm("m", {**MISTRAL_7B, **extra}).params == 7_241_732_096


@pytest.mark.parametrize(
    ("key", "default"),
    [("hidden_size", 4096), ("intermediate_size", 11008), ("num_hidden_layers", 32), ("vocab_size", 32000)],
)
def test_a_size_that_the_config_leaves_out_is_the_default_of_its_class(key: str, default: int) -> None:
    config = {name: value for name, value in TINY_LLAMA.items() if name != key}
    assert read_llm("m", config) == read_llm("m", {**config, key: default})


def test_a_size_without_a_default_is_named() -> None:
    with pytest.raises(SpecError) as caught:
        read_llm("m", {**TINY_LLAMA, "hidden_size": None})
    assert str(caught.value) == "m: the config has no 'hidden_size', and its type has no default for it"


@pytest.mark.parametrize("value", [5632.0, "5632"])
def test_whole_numbers_are_taken_however_they_are_written(value: object) -> None:
    assert read_llm("m", {**TINY_LLAMA, "intermediate_size": value}) == read_llm("m", TINY_LLAMA)


def test_an_architecture_of_another_type_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        read_llm("m", {**TINY_LLAMA, "architectures": ["DeciLMForCausalLM"]})
    assert str(caught.value) == (
        "m: its architecture 'DeciLMForCausalLM' is none of the type llama, so its cost cannot be counted"
    )
    assert read_llm("m", {**TINY_LLAMA, "architectures": ["LlamaForCausalLM"]}).params == 1_100_048_384


@pytest.mark.parametrize("value", [0, -1, 2.5, "many", True, [2048]])
def test_size_that_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(SpecError) as caught:
        read_llm("m", {**TINY_LLAMA, "intermediate_size": value})
    text = "m: expected 'intermediate_size' to be a whole number of at least 1, got"
    assert str(caught.value) == f"{text} {value!r}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[", "is not JSON: Expecting value in line 1; expected a Hugging Face config.json"),
        (b"\xff\xfe", "is not UTF-8 text; expected a Hugging Face config.json"),
        (b"[1, 2]", "holds no JSON object; expected a Hugging Face config.json"),
    ],
)
def test_file_that_is_no_config_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_llm_config(file)
    assert str(caught.value) == f"{file} {message}"


def test_folder_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_llm_config(tmp_path)
    file = tmp_path / "config.json"
    text = f"cannot read {file}: No such file or directory; expected a Hugging Face config.json"
    assert str(caught.value) == text


TOWER: Config = {
    "model_type": "siglip_vision_model",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 16,
}


def test_tower_inside_the_config_of_a_vision_language_model() -> None:
    tower = read_tower("t", {"model_type": "llava", "vision_config": {**TOWER, "model_type": "clip_vision_model"}})
    assert (tower.class_token, tower.grid_side, tower.layers_run) == (True, 14, 11)
    assert not read_tower("t", TOWER).class_token


def test_language_model_is_no_tower() -> None:
    with pytest.raises(SpecError) as caught:
        read_tower("t", {**TOWER, "model_type": "llama"})
    text = "t: model type 'llama' is no vision tower of clip_vision_model or siglip_vision_model"
    assert str(caught.value) == text


@pytest.mark.parametrize("wrong", [{"patch_size": 225}, {"num_hidden_layers": 1}])
def test_tower_without_patches_or_without_a_layer_to_run_is_refused(wrong: Config) -> None:
    with pytest.raises(
        SpecError, match=r"^t: expected a patch that fits the image and at least two layers, got an image of"
    ):
        read_tower("t", {**TOWER, **wrong})
