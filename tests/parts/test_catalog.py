"""Finding language models, towers and compressors by what a user may write."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from planner.base.errors import InputError, SpecError, UnknownNameError
from planner.parts.catalog import (
    DEFAULT_COMPRESSOR,
    DEFAULT_VISION,
    family_of,
    find_compressor,
    find_llms,
    find_vision,
    llm_catalog,
    vision_catalog,
)
from planner.parts.llms import Llm

FAMILIES = {
    "Qwen1.5": ["0.5B", "1.8B", "4B", "7B", "14B", "32B", "72B"],
    "Qwen2": ["0.5B", "1.5B", "7B", "72B"],
    "Qwen2.5": ["0.5B", "1.5B", "3B", "7B", "14B", "32B", "72B"],
    "Qwen3": ["0.6B", "1.7B", "4B", "8B", "14B", "32B"],
    "Llama-3.2": ["1B", "3B"],
    "Llama-3.1": ["8B", "70B"],
    "SmolLM2": ["135M", "360M", "1.7B"],
}
"""Families whose models are called FAMILY-SIZE."""

TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}


def names(selection: str | Llm | Iterable[str | Llm]) -> list[str]:
    return [spec.name for spec in find_llms(selection)]


def write_config(folder: Path, **values: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.json"
    file.write_text(json.dumps({**TINY, **values}), encoding="utf-8")
    return file


def write_tower(folder: Path) -> Path:
    tower = {"num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    folder.mkdir()
    file = folder / "config.json"
    file.write_text(
        json.dumps({"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, **tower})
    )
    return file


@pytest.mark.parametrize("family", FAMILIES)
def test_family_holds_its_sizes_in_ascending_order(family: str) -> None:
    assert names(family) == [f"{family}-{size}" for size in FAMILIES[family]]


def test_every_family_of_the_catalogue_ascends() -> None:
    for family in {spec.family for spec in llm_catalog().values()}:
        sizes = [spec.nominal_params for spec in find_llms(family)]
        assert sizes == sorted(sizes)


def test_one_name_is_one_model() -> None:
    assert find_llms("Qwen2.5-7B") == (llm_catalog()["Qwen2.5-7B"],)


@pytest.mark.parametrize("text", ["qwen2.5-7b", "QWEN2.5-7B", " Qwen2.5-7B ", "Qwen/Qwen2.5-7B", "qwen/qwen2.5-7b"])
def test_name_is_read_without_case_and_with_its_hub_owner(text: str) -> None:
    assert names(text) == ["Qwen2.5-7B"]


def test_all_is_the_whole_catalogue_in_its_order() -> None:
    assert names("all") == names("ALL") == list(llm_catalog())


def test_beginning_of_a_name_takes_all_families_that_begin_so() -> None:
    assert set(names("llama")) == {f"Llama-3.{minor}" for minor in ("2-1B", "2-3B", "1-8B", "1-70B")}
    assert {llm_catalog()[name].family for name in names("Qwen")} == {"Qwen1.5", "Qwen2", "Qwen2.5", "Qwen3"}


def test_family_that_begins_another_stands_for_itself() -> None:
    assert names("qwen2") == ["Qwen2-0.5B", "Qwen2-1.5B", "Qwen2-7B", "Qwen2-72B"]


def test_beginning_has_to_end_where_a_version_begins() -> None:
    with pytest.raises(UnknownNameError):
        find_llms("ll")


def test_text_may_list_several_names() -> None:
    assert names("Qwen1.5-4B, llama-3.2,") == ["Qwen1.5-4B", "Llama-3.2-1B", "Llama-3.2-3B"]


def test_model_named_twice_comes_once_where_it_came_first() -> None:
    expected = ["Qwen2-7B", "Qwen2-0.5B", "Qwen2-1.5B", "Qwen2-72B"]
    assert names("Qwen2-7B,qwen2,Qwen/Qwen2-7B") == expected
    assert names([llm_catalog()["Qwen2-7B"], "qwen2"]) == expected


def test_mixture_of_names_families_specs_and_files(tmp_path: Path) -> None:
    file = write_config(tmp_path / "tiny-3M")
    found = find_llms(["Llama-3.2", llm_catalog()["Phi-2"], str(file), "Qwen3-8B,SmolLM2-135M"])
    expected = ["Llama-3.2-1B", "Llama-3.2-3B", "Phi-2", "tiny-3M", "Qwen3-8B", "SmolLM2-135M"]
    assert [spec.name for spec in found] == expected
    assert found[3].nominal_params == 3e6


def test_unknown_model_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_llms("Qwen2.5-8B")
    assert caught.value.name == "Qwen2.5-8B"
    assert caught.value.suggestion in llm_catalog()
    assert str(caught.value).startswith("no language model or family is called 'Qwen2.5-8B'; did you mean 'Qwen2.5-")


def test_name_like_no_other_gets_the_families_and_not_every_model() -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_llms("xyzzy")
    text = str(caught.value)
    assert text.startswith(
        "no language model or family is called 'xyzzy'; there are the families Llama-3.1, Llama-3.2,"
    )
    assert text.endswith("their models, 'all', and the path of any config.json")
    assert "Qwen2.5-7B" not in text


@pytest.mark.parametrize("selection", ["", " , ", []])
def test_empty_selection_is_refused(selection: str | list[str | Llm]) -> None:
    with pytest.raises(InputError, match=r"^no language model named; expected a name, a family, 'all', or the path"):
        find_llms(selection)


def test_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.json: No such file or directory; expected a Hugging Face config"):
        find_llms(str(tmp_path / "nowhere.json"))


@pytest.mark.parametrize(
    ("llm", "family"),
    [
        ("Qwen1.5-7B", "Qwen1.5"),
        ("Qwen1.5-7B-Chat", "Qwen1.5"),
        ("qwen2.5-7b-instruct", "Qwen2.5"),
        ("Qwen2-9B", "Qwen2"),
        ("vicuna-33b-v1.3", "Vicuna"),
        ("Llama-3.2-1B-Instruct", "Llama-3.2"),
        ("Qwen3.5-4B", None),
        ("Llama-3-8B", None),
        ("Llama-2-7b", None),
        ("Mistral-7B", None),
        ("Phind-CodeLlama-34B", None),
        ("", None),
    ],
)
def test_family_of_a_name_with_suffixes(llm: str, family: str | None) -> None:
    assert family_of(llm) == family


def test_family_of_every_shipped_model_is_its_own() -> None:
    assert {name: family_of(name) for name in llm_catalog()} == {n: s.family for n, s in llm_catalog().items()}


@pytest.mark.parametrize("text", ["CLIP-ViT-L/14-336", "clip-vit-l/14-336"])
def test_tower_by_name(text: str) -> None:
    assert find_vision(text) is vision_catalog()["CLIP-ViT-L/14-336"]


def test_tower_given_as_spec_is_taken_as_it_is() -> None:
    tower = vision_catalog()["SigLIP-B/16-224"]
    assert find_vision(tower) is tower


@pytest.mark.parametrize("folder", ["my-tower", "my-tower-v1.5"])
def test_tower_by_config_file_or_folder_is_called_after_the_folder(tmp_path: Path, folder: str) -> None:
    file = write_tower(tmp_path / folder)
    for path in (file, file.parent):
        tower = find_vision(str(path))
        assert (tower.name, tower.patches, tower.layers_run, tower.params) == (folder, 4, 1, 0)


def test_unknown_tower_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"^no vision tower is called 'CLIP-ViT-L'; did you mean 'CLIP-ViT-"):
        find_vision("CLIP-ViT-L")


def test_compressor_by_name() -> None:
    assert find_compressor("QueCC").title == "QueCC"
    assert find_compressor(find_compressor("none")).name == "none"
    with pytest.raises(UnknownNameError, match=r"^no compressor is called 'tokenpaker'; did you mean 'tokenpacker'\?$"):
        find_compressor("tokenpaker")


def test_defaults_are_in_the_catalogue() -> None:
    assert find_vision(DEFAULT_VISION).name == DEFAULT_VISION == "CLIP-ViT-L/14-336"
    assert find_compressor(DEFAULT_COMPRESSOR).name == DEFAULT_COMPRESSOR == "quecc"
