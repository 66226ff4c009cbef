"""Released models that transformers builds: as many parameters and FLOPs as we say, saved and loaded again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from make.small import EACH, HUB_IDS, KNOBS, small_folder
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from planner.base.errors import InputError, MeasurementError, OutputExistsError, UnknownNameError
from planner.configuration import ReleasedModel
from planner.costs.flops import TORCH, flops
from planner.costs.stages import Workload
from planner.make.pixels import PIXEL_MAKERS, Views, find_maker
from planner.make.released import build_released, config_of, params_by_part
from planner.make.saving import MANIFEST, save_released
from planner.make.vision import VisionSide, leave_out_unused_layers, random_numbers
from planner.parts.released import find_checkpoint, published_files

SMALL = "google/paligemma2-3b-pt-224"


def small(hub_id: str, folder: Path, image: str = "300x200", **knobs: object) -> ReleasedModel:
    return ReleasedModel.of_checkpoint(small_folder(hub_id, folder / hub_id.rpartition("/")[2]), image, knobs=knobs)


def counted(work: Any) -> int:
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def test_every_kind_is_tried() -> None:
    kinds = {published_files(find_checkpoint(hub_id))["config.json"]["model_type"] for hub_id in HUB_IDS}
    assert kinds | {"aya_vision"} == set(PIXEL_MAKERS.names())


@pytest.mark.parametrize("hub_id", EACH)
def test_parameters_and_flops_of_images(hub_id: str, tmp_path: Path) -> None:
    """Tower and connector apart, with an image that is shrunk first."""
    model = small(hub_id, tmp_path, "700x500", resize_longest_edge=300, **KNOBS.get(hub_id, {}))
    built = build_released(model)
    assert sum(weight.numel() for weight in built.parameters()) == model.params
    parts = params_by_part(built, model.checkpoint)
    assert set(parts) - {"audio"} == {"language_model", "vision_tower", "connector"}
    assert all(there == predicted for there, predicted in parts.values())
    maker = find_maker(model, published_files(model.checkpoint)["config.json"])
    leave_out_unused_layers(built, model, maker)
    vision = VisionSide(built, maker)
    inputs = maker.pixels(model, built.config, 1, 1, random_numbers(torch.device("cpu"), torch.float32, 0))
    with torch.no_grad():
        calls = vision.recorded(inputs)
    wanted = flops(model, Workload(3, 2), TORCH)
    masking = maker.masking_flops(built, inputs)
    assert counted(partial(vision.tower, inputs, calls)) == wanted.encoder + masking
    assert counted(partial(vision.connector, calls)) == wanted.compressor
    assert counted(partial(vision.features, inputs)) == wanted.encoder + wanted.compressor + masking


def test_parameters_of_the_shipped_ones() -> None:
    """At full size, of shapes alone."""
    for hub_id in ("Qwen/Qwen3-VL-235B-A22B-Instruct", "meta-llama/Llama-3.2-11B-Vision-Instruct"):
        checkpoint = find_checkpoint(hub_id)
        built = build_released(checkpoint, device="meta")
        assert sum(weight.numel() for weight in built.parameters()) == checkpoint.params
        assert all(there == predicted for there, predicted in params_by_part(built, checkpoint).values())


def test_the_tower_alone_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = small(SMALL, tmp_path)
    built = build_released(model)
    vision = VisionSide(built, PIXEL_MAKERS.find("paligemma"))
    inputs = PIXEL_MAKERS.find("paligemma").pixels(
        model, built.config, 2, 1, random_numbers(torch.device("cpu"), torch.float32, 0)
    )
    with torch.no_grad():
        before = vision.features(inputs).pooler_output
        calls = vision.recorded(inputs)
        assert torch.equal(vision.tower(inputs, calls).pooler_output, before)
        assert torch.equal(vision.connector(calls)[0], before)
        assert torch.equal(vision.features(inputs).pooler_output, before)


def test_knobs_that_stand_in_the_config(tmp_path: Path) -> None:
    model = small("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", tmp_path, vision_aspect_ratio="anyres_max_1")
    assert config_of(model).vision_aspect_ratio == "anyres_max_1"
    assert config_of(model.checkpoint).vision_aspect_ratio == "anyres_max_9"


def test_random_weights_follow_the_seed(tmp_path: Path) -> None:
    model = small(SMALL, tmp_path)
    first, again, other = (build_released(model, seed=seed).state_dict() for seed in (1, 1, 2))
    name = "model.multi_modal_projector.linear.weight"
    assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])


def test_saved_and_loaded_again(tmp_path: Path) -> None:
    model = small(SMALL, tmp_path)
    built = build_released(model, dtype="bf16", seed=3)
    (tmp_path / "new").mkdir()
    folder = save_released(built, model.checkpoint, tmp_path / "new" / "saved", seed=3)
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    assert (manifest["params"], manifest["dtype"], manifest["seed"]) == (model.params, "bfloat16", 3)
    assert (folder / "preprocessor_config.json").is_file()
    read = find_checkpoint(folder)
    assert (read.params, read.dtype, read.rule) == (model.params, "bf16", model.checkpoint.rule)
    loaded = build_released(read, weights=str(folder))
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in built.state_dict().items())
    with pytest.raises(OutputExistsError):
        save_released(built, model.checkpoint, folder)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    one, other = small(SMALL, tmp_path), small("google/paligemma-3b-pt-224", tmp_path)
    (tmp_path / "w").mkdir()
    folder = save_released(build_released(one), one.checkpoint, tmp_path / "w" / "saved")
    with pytest.raises(InputError, match=r"than paligemma-3b-pt-224: \d+ weights have other shapes"):
        build_released(other.checkpoint, weights=str(folder))
    for weights, said in (
        ("nowhere", "expected random, pretrained or a folder with safetensors, got 'nowhere'"),
        (str(tmp_path), "holds no safetensors"),
        ("pretrained", "no hub id of"),
    ):
        with pytest.raises(InputError, match=said):
            build_released(one.checkpoint, weights=weights)


def test_what_cannot_be_built_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Qwen/Qwen3-VL-2B-Instruct"):
        build_released(find_checkpoint("Qwen3-VL-2B-Instrukt"))
    with pytest.raises(MeasurementError, match=r"Qwen3-VL-235B-A22B-Instruct needs .* take a smaller dtype"):
        build_released(find_checkpoint("Qwen/Qwen3-VL-235B-A22B-Instruct"))
    with pytest.raises(InputError, match="the meta device holds no weights"):
        build_released(find_checkpoint(SMALL), weights="pretrained", device="meta")


def test_a_kind_whose_inputs_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.make.pixels.base.find_spec", lambda name: None)
    for hub_id, said in (
        ("KamilaMila/FastVLM-0.5B", "its vision tower is built by timm; expected it to be installed: pip install timm"),
        ("google/gemma-3n-E2B-it", "its vision tower is built by timm; expected it to be installed: pip install timm"),
    ):
        model = ReleasedModel.of_checkpoint(hub_id, "300x200")
        with pytest.raises(InputError, match=said):
            find_maker(model, published_files(model.checkpoint)["config.json"])


def test_a_kind_can_be_added_from_outside() -> None:
    import planner

    planner.register(Views(name="my_vlm"))
    try:
        assert PIXEL_MAKERS.find("my_vlm").connectors == ("multi_modal_projector",)
    finally:
        PIXEL_MAKERS.remove("my_vlm")
