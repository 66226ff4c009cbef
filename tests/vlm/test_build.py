"""What is built is what was predicted; saved folders are whole, load, and hold the same weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, CLIPConfig, CLIPModel
from vlm.tiny import FAMILIES, answers, llm_config, picture, tokenizer, tower_config

import planner
from planner.base.errors import InputError, OutputExistsError
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.vlm.answering import asked
from planner.vlm.build import build, build_recipe, make_processor, params_table
from planner.vlm.recipe import make_recipe
from planner.vlm.saving import export_llm, load_model, save_model
from planner.vlm.weights import find_sources

TENSORS = "model.safetensors"


def parts(folder: Path, family: str = "qwen2", tower: str = "clip", **options: Any) -> dict[str, str]:
    """Names of a tiny language model and a tiny tower, as config.json files."""
    made = {"llm": llm_config(family, **options), "vision": tower_config(tower)}
    for name, config in made.items():
        (folder / name).mkdir(exist_ok=True)
        config.save_pretrained(folder / name)
    return {name: str(folder / name) for name in made}


def built(folder: Path, **options: Any) -> Any:
    return build(**parts(folder), **{"visual_tokens": 4, "dtype": "fp32"} | options)


def agree(model: Any, recipe: Any) -> bool:
    table = params_table(model, recipe)
    total = sum(weight.numel() for weight in model.parameters())
    return all(part.built == part.predicted for part in table) and total == sum(part.built for part in table)


@pytest.mark.parametrize("tower", ["clip", "siglip"])
@pytest.mark.parametrize("name", sorted(compressor_catalog()))
def test_every_part_has_the_predicted_parameters(name: str, tower: str, tmp_path: Path) -> None:
    for family in FAMILIES:
        recipe = make_recipe(
            **parts(tmp_path, family, tower), visual_tokens=36 if name == "none" else 9, compressor=name
        )
        assert agree(build_recipe(recipe, {}), recipe), family
        assert agree(build_recipe(recipe, {}, device="meta"), recipe), family


@pytest.mark.parametrize("name", ["Qwen2.5-0.5B", "Qwen2.5-72B"])
def test_catalogue_models_have_the_predicted_parameters(name: str) -> None:
    recipe = make_recipe(llm=name, visual_tokens=16)
    assert agree(build_recipe(recipe, {}, device="meta"), recipe)


@pytest.mark.slow
@pytest.mark.parametrize("name", llm_catalog())
def test_all_catalogue_models_have_the_predicted_parameters(name: str) -> None:
    for tower in vision_catalog():
        for compressor in compressor_catalog():
            tokens = None if compressor == "none" else 1
            recipe = make_recipe(llm=name, vision=tower, compressor=compressor, visual_tokens=tokens)
            assert agree(build_recipe(recipe, {}, device="meta"), recipe), (tower, compressor)


def test_a_pick_is_built_as_it_was_planned() -> None:
    plan = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32, prompt_order="text-first")
    models = [planner.build(pick, device="meta") for pick in (plan, plan.best, json.loads(json.dumps(plan.to_dict())))]
    for model in models:
        assert model.config.prompt_order == "text-first"
        assert model.config.visual_tokens == plan.best.visual_tokens
        assert model.config.text_config.hidden_size == plan.best.llm.hidden_size
    assert planner.build(plan, visual_tokens=1, device="meta").config.visual_tokens == 1


@pytest.mark.parametrize("family", ["qwen2", "llama", "phi"])
@pytest.mark.parametrize("tower", ["clip", "siglip"])
def test_weights_made_on_the_way_to_the_disk_are_those_in_memory(family: str, tower: str, tmp_path: Path) -> None:
    recipe = make_recipe(**parts(tmp_path, family, tower), visual_tokens=4)
    model, shell = (build_recipe(recipe, {}, dtype="bf16", device=device, seed=3) for device in ("cpu", "meta"))
    save_model(model, make_processor(model), tmp_path / "memory")
    save_model(shell, make_processor(shell), tmp_path / "disk", seed=3, shard_bytes=20_000)
    assert len(list((tmp_path / "disk").glob("*.safetensors"))) > 3
    assert agree(shell, recipe)
    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        assert (tmp_path / "memory" / name).read_text() == (tmp_path / "disk" / name).read_text()
    for folder in ("memory", "disk"):
        loaded, _ = load_model(tmp_path / folder)
        assert loaded.dtype == torch.bfloat16
        assert agree(loaded, recipe)
        there = loaded.state_dict() | dict(loaded.named_buffers())
        for name, value in (model.state_dict() | dict(model.named_buffers())).items():
            assert torch.equal(value, there[name]), name


def test_seeds_change_the_weights_and_leave_the_generator_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    one, same, other = (built(tmp_path, seed=seed).language_model.lm_head.weight for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_a_saved_folder_loads_through_the_auto_classes_and_its_exported_llm_agrees(order: str, tmp_path: Path) -> None:
    model = built(tmp_path, prompt_order=order)
    save_model(model, make_processor(model), tmp_path / "vlm")
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / "vlm")
    processor = AutoProcessor.from_pretrained(tmp_path / "vlm")
    inputs = asked(processor, picture(), "what?")
    export_llm(tmp_path / "vlm", tmp_path / "plain")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "plain")
    rows = loaded.to_prompt_embeds(inputs)[0]
    alone = plain.generate(inputs_embeds=rows[None], max_new_tokens=6, min_new_tokens=6, do_sample=False)
    assert torch.equal(alone, answers(loaded, dict(inputs)))
    assert json.loads((tmp_path / "plain" / "config.json").read_text())["model_type"] == "qwen2"
    assert (tmp_path / "plain" / "tokenizer.json").is_file()


@pytest.mark.parametrize("sampling", [True, False])
def test_pretrained_parts_keep_their_weights(sampling: bool, tmp_path: Path) -> None:
    names = parts(tmp_path)
    llm = AutoModelForCausalLM.from_config(llm_config())
    llm.save_pretrained(tmp_path / "llm")
    settings = {"temperature": 0.5, "do_sample": sampling}
    (tmp_path / "llm" / "generation_config.json").write_text(json.dumps(settings))
    tokenizer().save_pretrained(tmp_path / "llm")
    whole = CLIPModel(CLIPConfig(vision_config=tower_config().to_dict(), text_config={"num_hidden_layers": 1}))
    whole.save_pretrained(tmp_path / "vision")
    weights = {"llm": names["llm"], "vision": names["vision"]}
    model = build(**names, visual_tokens=4, weights=weights, dtype="fp32")
    for name, value in llm.state_dict().items():
        assert torch.equal(value, model.language_model.state_dict()[name])
    there = whole.vision_model.state_dict()
    for name, value in model.vision_tower.state_dict().items():
        assert torch.equal(value, there[name]), name
    assert len(model.vision_tower.encoder.layers) == 4  # of 5: the last one is not read
    processor = make_processor(model, weights)
    assert processor.tokenizer("a word").input_ids == tokenizer()("a word").input_ids
    save_model(model, processor, tmp_path / "vlm")
    loaded, _ = load_model(tmp_path / "vlm")
    assert torch.equal(loaded.language_model.lm_head.weight, llm.lm_head.weight)
    assert loaded.generation_config.temperature == (0.5 if sampling else None)


# ---- refusals ----------------------------------------------------------------------------------------------------


def test_refuses_tokens_that_do_not_divide_the_grid(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="grid of 6 x 6 patches, of which quecc makes 1, 4, 9, 36 visual tokens, not 5"
    ):
        built(tmp_path, visual_tokens=5)


def test_refuses_what_does_not_fit_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.vlm.build.free_bytes", lambda device: 100_000)
    with pytest.raises(InputError, match=r"needs [\d.]+ KiB for its weights, cpu has 97.7 KiB free"):
        built(tmp_path)
    built(tmp_path, device="meta")


def test_refuses_a_folder_that_exists_and_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = built(tmp_path)
    processor = make_processor(model)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "letters").write_text("dear")
    with pytest.raises(OutputExistsError):
        save_model(model, processor, tmp_path / "there")
    with pytest.raises(InputError, match="no folder of a saved model: it is not overwritten"):
        save_model(model, processor, tmp_path / "there", overwrite=True)
    assert (tmp_path / "there" / "letters").read_text() == "dear"
    save_model(model, processor, tmp_path / "again")
    save_model(model, processor, tmp_path / "again", overwrite=True)
    usage = type("Usage", (), {"free": 5})
    monkeypatch.setattr("planner.vlm.saving.shutil.disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="the disk has 5 B free"):
        save_model(model, processor, tmp_path / "new")


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_crash_leaves_nothing_or_what_was_there(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = built(tmp_path, device=device)
    processor = make_processor(model)
    save_model(model, processor, tmp_path / "old")
    before = {file.name: file.read_bytes() for file in (tmp_path / "old").iterdir()}

    def fail(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(processor), "save_pretrained", fail)
    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            save_model(model, processor, tmp_path / name, overwrite=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["llm", "old", "vision"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "old").iterdir()} == before


def test_a_damaged_folder_does_not_load(tmp_path: Path) -> None:
    model = built(tmp_path, device="meta")
    save_model(model, make_processor(model), tmp_path / "vlm", shard_bytes=20_000)
    index = tmp_path / "vlm" / f"{TENSORS}.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] = {name: file for name, file in content["weight_map"].items() if "lm_head" not in name}
    index.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"lacks 1 weights, such as language_model\.lm_head\.weight"):
        load_model(tmp_path / "vlm")
    next((tmp_path / "vlm").glob("*00001-of*")).unlink()
    with pytest.raises(InputError, match="cannot load"):
        load_model(tmp_path / "vlm")


def test_refuses_weights_of_another_model_or_with_gaps(tmp_path: Path) -> None:
    names = parts(tmp_path)
    AutoModelForCausalLM.from_config(llm_config(num_hidden_layers=2)).save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match="its number of layers is 2, expected 3"):
        build(**names, visual_tokens=4, weights={"llm": str(tmp_path / "other")})
    llm = AutoModelForCausalLM.from_config(llm_config())
    state = {name: value for name, value in llm.state_dict().items() if "layers.2" not in name}
    llm.save_pretrained(tmp_path / "gaps", state_dict=state)
    with pytest.raises(InputError, match="lacks 12 weights of this language model"):
        build(**names, visual_tokens=4, weights={"llm": str(tmp_path / "gaps")})
    llm.save_pretrained(tmp_path / "mute")
    weights = {"llm": str(tmp_path / "mute")}
    model = build(**names, visual_tokens=4, weights=weights)
    with pytest.raises(InputError, match="has no tokenizer: put the language model's"):
        make_processor(model, weights)


def test_the_hub_is_asked_only_when_named_and_offline_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: [])
    with pytest.raises(InputError, match=r"the config of Qwen/Qwen2\.5-0\.5B from the Hugging Face hub \(offline"):
        build(llm="Qwen2.5-0.5B", visual_tokens=4, weights="pretrained")


def test_pretrained_means_the_hub_ids_of_the_catalogue() -> None:
    for vision in vision_catalog().values():
        recipe = make_recipe(llm="Qwen2.5-0.5B", vision=vision.name, visual_tokens=1)
        found = {part: (source.place, source.on_hub) for part, source in find_sources("pretrained", recipe).items()}
        assert found == {"llm": ("Qwen/Qwen2.5-0.5B", True), "vision": (vision.hf_id, True)}
    assert vision_catalog()["SigLIP-so400m/14-384"].hf_id == "google/siglip-so400m-patch14-384"
    nowhere = replace(recipe, vision=replace(recipe.vision, hf_id=""))
    with pytest.raises(InputError, match="no hub id of SigLIP-B/16-224 is known: give its folder, as vision=PATH"):
        find_sources("pretrained", nowhere)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"weights": "good"}, "expected random, pretrained or"),
        ({"weights": {"head": "x"}}, "expected parts of llm and vision"),
        ({"weights": {"llm": "/not/there"}}, "no such folder or GGUF file"),
        ({"dtype": "int4"}, "no dtype is called 'int4'"),
        ({"device": "moon"}, "expected cpu, cuda"),
        ({"prompt_order": "last"}, "no prompt order is called 'last'; there are: image-first, text-first"),
        ({"visual_tokens": None}, "visual_tokens is missing"),
        ({"compressor": "queec"}, "did you mean 'quecc'"),
        ({"candidate": 3}, "expected a plan or one of its candidates"),
    ],
)
def test_what_cannot_be_is_one_sentence(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=text):
        built(tmp_path, **options)
