"""Released models by their published files: every recorded number, and the default of every class of model."""

from __future__ import annotations

from pathlib import Path

import pytest
from make.small import small_folder
from parts.released import MODELS

from planner.base.errors import InputError, SpecError, UnknownNameError
from planner.parts.encoders import ENCODER_READERS
from planner.parts.released import find_checkpoint, find_checkpoints, released_ids

BF16_BYTES = 2


def test_every_shipped_model_is_known() -> None:
    assert set(released_ids()) == set(MODELS)


@pytest.mark.parametrize("hub_id", MODELS)
def test_parameters_and_cache(hub_id: str) -> None:
    found, golden = find_checkpoint(hub_id), MODELS[hub_id]
    assert found.params_by_part() == {
        "total": golden["total"],
        "active": golden.get("active", golden["total"]),
        "llm": golden["language_model"],
        "vision": golden["vision_tower"],
        "connector": golden["connector"],
        "audio": golden["audio"],
    }
    caches = found.llm.caches()
    full = sum(float(one.values_per_token) for one in caches if one.window == float("inf"))
    kept = sum(float(one.values_per_token) for one in caches)
    assert BF16_BYTES * kept == golden["kv_bytes_per_token_bf16_all"]
    assert BF16_BYTES * full == golden["kv_bytes_per_token_bf16_full"]


def test_a_model_is_found_by_the_last_part_of_its_id() -> None:
    assert find_checkpoint("qwen3-vl-8b-instruct") is find_checkpoint("Qwen/Qwen3-VL-8B-Instruct")


def test_a_mistyped_id_is_met_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="google/gemma-3-4b-it"):
        find_checkpoint("google/gemma3-4b-it")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Qwen/Qwen3-VL-235B", "did you mean 'Qwen/Qwen3-VL-235B-A22B-Instruct'"),
        ("qwen3vl-235b", "did you mean 'Qwen/Qwen3-VL-235B-A22B-Instruct'"),
        ("gemma", r"\d+ begin so: name one, such as google/gemma-3-12b-it; vlm-planner catalog --released lists them"),
        ("nothing-like-it", "vlm-planner catalog --released lists them"),
    ],
)
def test_the_beginning_of_an_id_says_what_is_meant(name: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said) as caught:
        find_checkpoint(name)
    assert len(str(caught.value)) < 160 and "Qwen3.5" not in str(caught.value)


def test_a_licence_that_nobody_read_is_left_empty() -> None:
    licences = {hub_id: find_checkpoint(hub_id).licence for hub_id in released_ids()}
    assert licences["zai-org/GLM-4.5V"] == "mit"
    assert licences["Qwen/Qwen2.5-VL-3B-Instruct"] == "qwen-research"
    assert licences["OpenGVLab/InternVL3-78B-hf"] is None


@pytest.mark.parametrize("text", ["[]", "3", "{", ""])
def test_a_file_that_is_no_config_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError):
        find_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"model_type": "kosmos-2"}', "nothing is known"),
        ('{"model_type": "llava", "dtype": "float8"}', "expected 'dtype' to be"),
        ('{"model_type": "llava", "text_config": {"max_position_embeddings": "long"}}', "max_position_embeddings"),
        ('{"model_type": "gemma3n", "audio_config": {"hidden_size": 8}}', "nothing is known of an audio tower"),
    ],
)
def test_what_is_not_known_is_named(config: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(SpecError, match=said):
        find_checkpoint(tmp_path)


NOT_BUILT = {"fast_vlm", "gemma3n"}
"""Their towers need timm."""
ALTERED = {
    "aya_vision": {"num_attention_heads": 16},
    "idefics3": {"patch_size": 14, "image_size": 364},
    "llama4": {"intermediate_size": 3072, "projector_input_dim": 4096, "vision_output_dim": 4096},
    "smolvlm": {"patch_size": 16, "image_size": 512},
}
"""Vision parts of classes whose defaults transformers, or no checkpoint, could run."""


@pytest.mark.slow
@pytest.mark.parametrize("model_type", sorted(set(ENCODER_READERS.names()) - NOT_BUILT))
def test_parameters_of_a_class_at_its_defaults(model_type: str, tmp_path: Path) -> None:
    """transformers' own count, on the meta device; tied tensors count once."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForImageTextToText

    config = CONFIG_MAPPING[model_type]()
    for key, value in ALTERED.get(model_type, {}).items():
        setattr(config.vision_config, key, value)
    folder = tmp_path / "model-7B"
    config.save_pretrained(folder)
    auto = (
        AutoModelForImageTextToText
        if type(config) in AutoModelForImageTextToText._model_mapping
        else AutoModelForCausalLM
    )
    with torch.device("meta"):
        model = auto.from_config(config)
    counted = sum(one.numel() for one in {id(one): one for one in model.parameters()}.values())
    assert find_checkpoint(folder).params == counted


def test_a_folder_here_is_not_taken_for_a_model_or_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is gone, it is a file that cannot be read; where families begin like it, which one is meant is asked."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "qwen"):
        small_folder("Qwen/Qwen3-VL-2B-Instruct", Path(name))
    found = find_checkpoint("mine")
    assert (found.name, found.source) == ("mine", "./mine")
    assert find_checkpoint(found.source) == found
    Path("mine").rename("gone")
    with pytest.raises(InputError, match=r"cannot read mine/config\.json: No such file"):
        find_checkpoint(found.source)
    with pytest.raises(InputError, match=r"'qwen' is a folder here and the beginning of families, such as qwen2-vl: "):
        find_checkpoints("qwen")
    assert [one.name for one in find_checkpoints("./qwen").checkpoints] == ["qwen"]
    assert len(find_checkpoints("qwen2-vl").checkpoints) == 3
