"""Released models with narrow layers, measured on the CPU: what is counted is what is predicted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from make.small import EACH, KNOBS, small_folder

import planner
from planner.base.errors import InputError, MeasurementError
from planner.bench.expected import as_planned
from planner.bench.expected_released import ExpectedReleased
from planner.bench.measurement import Ceilings, Measurement
from planner.bench.released import counted_flops, measure_released, sweep_released
from planner.bench.released_stages import ReleasedStages
from planner.bench.verdict import Verdict
from planner.bench.verify import judge, verify
from planner.configuration import ReleasedModel
from planner.costs.stages import Workload
from planner.make.pixels import find_maker
from planner.make.released import build_released
from planner.make.saving import save_released
from planner.make.vision import leave_out_unused_layers
from planner.parts.released import find_checkpoint, published_files
from planner.tell.recommendation.judgement import _differences

KINDS = (
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    "LiquidAI/LFM2.5-VL-1.6B",
    "OpenGVLab/InternVL3-1B-hf",
    "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "Qwen/Qwen3.5-0.8B",
    "allenai/Molmo2-8B",
    "google/gemma-4-E4B-it",
    "google/paligemma-3b-pt-224",
    "llava-hf/llava-1.5-7b-hf",
    "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "mistral-community/pixtral-12b",
)
"""One of each way that a model's stages are cut; parameters and FLOPs of all are counted in tests/make."""
SOME = [
    one if one.values[0] in KINDS else pytest.param(*one.values, marks=[*one.marks, pytest.mark.slow]) for one in EACH
]
QUICK: dict[str, Any] = {"seconds": 0.01, "ceilings": Ceilings(1e11, 1e10, 1e10)}
REQUEST = Workload(query_tokens=7, generated_tokens=3, system_tokens=2)


def small(hub_id: str, folder: Path, image: str = "300x200", **knobs: object) -> ReleasedModel:
    model = small_folder(hub_id, folder / hub_id.rpartition("/")[2])
    return ReleasedModel.of_checkpoint(model, image, knobs=knobs)


@pytest.mark.parametrize("hub_id", SOME)
def test_counts_are_the_predicted_ones(hub_id: str, tmp_path: Path) -> None:
    """Parameters, FLOPs by stage, weights and KV cache, to the last one; two requests at once."""
    released = small(hub_id, tmp_path, **KNOBS.get(hub_id, {}))
    wanted = ExpectedReleased(released, REQUEST, 2, "fp32")
    found = measure_released(build_released(released), released, REQUEST, batch=2, **QUICK)
    flops = wanted.cost().flops
    assert found.flops == {stage: getattr(flops, stage) for stage in ("encoder", "compressor", "prefill", "decode")}
    assert found.memory.weights_bytes == wanted.memory(0).weights
    assert found.memory.kv_cache_bytes == wanted.memory(0).kv_cache
    assert found.model.params == wanted.params
    timed = {"encoder", "compressor", "prefill", "decode_step", "ttft", "tpot", "itl", "request"}
    assert set(found.samples) == timed


@pytest.mark.slow
@pytest.mark.parametrize("hub_id", EACH)
def test_two_sizes_and_two_settings_of_the_first_knob(hub_id: str, tmp_path: Path) -> None:
    """From pixels to the answer: tokens in the cache and FLOPs by stage."""
    folder = small_folder(hub_id, tmp_path / "it")
    knob = find_checkpoint(folder).rule.knobs()[0]
    seen = set()
    for setting in knob.values[:2]:
        for image in ("300x200", "500x900"):
            released = ReleasedModel.of_checkpoint(folder, image, knobs={knob.name: setting})
            maker = find_maker(released, published_files(released.checkpoint)["config.json"])
            model = build_released(released)
            leave_out_unused_layers(model, released, maker)
            stages = ReleasedStages(model, released, maker, REQUEST, 1)
            with torch.no_grad():
                cache = stages.begin(0)
                assert cache.get_seq_length() == 2 + released.visual_tokens + 7, (image, setting)
                stages.go_on(cache, 3)
                assert cache.get_seq_length() == 2 + released.visual_tokens + 7 + 3, (image, setting)
            flops = ExpectedReleased(released, REQUEST, 1, "fp32").cost().flops
            names = ("encoder", "compressor", "prefill", "decode")
            assert counted_flops(stages) == {stage: getattr(flops, stage) for stage in names}, (image, setting)
            seen.add(released.seen)
    assert len(seen) > 1 or hub_id in ALWAYS_ALIKE


ALWAYS_ALIKE = (
    "google/gemma-3n-E2B-it",
    "google/paligemma-3b-pt-224",
    "google/paligemma2-3b-pt-224",
    "llava-hf/llava-1.5-7b-hf",
)
"""One square, whatever the image."""


@pytest.mark.parametrize("hub_id", ["Qwen/Qwen3-VL-2B-Instruct", "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"])
def test_several_images_and_cached_text(hub_id: str, tmp_path: Path) -> None:
    request = Workload(query_tokens=5, generated_tokens=2, cached_tokens=9, images=2)
    folder = small_folder(hub_id, tmp_path / "it")
    released = ReleasedModel.of_checkpoint(folder, "300x200", images=2)
    wanted = ExpectedReleased(released, request, 1, "fp32")
    found = measure_released(build_released(released), released, request, **QUICK)
    flops = wanted.cost().flops
    assert found.flops == {stage: getattr(flops, stage) for stage in ("encoder", "compressor", "prefill", "decode")}
    assert found.memory.kv_cache_bytes == wanted.memory(0).kv_cache


@pytest.mark.slow
def test_measured_and_verified(tmp_path: Path) -> None:
    released = small("google/paligemma2-3b-pt-224", tmp_path)
    (one,) = sweep_released(released, [1], REQUEST, device="cpu", seconds=0.01, folder=tmp_path / "out")
    assert one.model.image == "300x200" and one.model.visual_tokens == 256
    (file,) = (tmp_path / "out").iterdir()
    assert Measurement.load(file) == one
    wanted = ExpectedReleased(released, REQUEST, 1, "fp32")
    verdict = verify(None, wanted, device="cpu", seconds=0.01)
    exact = ("params", "flops_encoder", "flops_compressor", "flops_prefill", "flops_decode", "weights_bytes")
    for name in (*exact, "kv_cache_bytes"):
        assert verdict.check(name).passed and verdict.check(name).error == 0, name
    assert verdict.passed, verdict.failed
    assert Verdict.from_dict(verdict.to_dict()) == verdict


def test_another_image_is_not_what_was_planned(tmp_path: Path) -> None:
    planned, other = (small("Qwen/Qwen3-VL-2B-Instruct", tmp_path, size) for size in ("300x200", "400x400"))
    found = measure_released(build_released(other), other, REQUEST, **QUICK)
    verdict = judge(ExpectedReleased(planned, REQUEST, 1, "fp32"), found)
    assert {"image", "visual_tokens", "flops_encoder"} <= {check.name for check in verdict.failed}


def test_what_is_not_measured_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = small("google/paligemma2-3b-pt-224", tmp_path)
    for options, said in (
        ({"mode": "static"}, "a released model is measured in the mode eager"),
        ({"method": "slices"}, "a released model is measured whole; expected auto or whole"),
        ({"precision": "int4"}, "precision: expected bf16, fp16, fp32, got 'int4'"),
    ):
        with pytest.raises(InputError, match=said):
            sweep_released(released, [1], REQUEST, device="cpu", **options)
    without = ReleasedModel.of_checkpoint(released.checkpoint, None)
    with pytest.raises(InputError, match="is measured with images"):
        sweep_released(without, [1], REQUEST, device="cpu")
    monkeypatch.setattr("planner.make.pixels.base.find_spec", lambda name: None)
    unmade = ReleasedModel.of_checkpoint("KamilaMila/FastVLM-0.5B", "300x200")
    with pytest.raises(InputError, match=r"FastVLM-0\.5B cannot be run here: its vision tower is built by timm"):
        sweep_released(unmade, [1], REQUEST, device="cpu")
    with pytest.raises(InputError, match="is verified on 1 device, got 2"):
        verify(None, ExpectedReleased(released, REQUEST, 1, "fp32", 2), device="cpu")


def planned(folder: Path, *, image: Any = "300x200", **options: Any) -> planner.Plan:
    """A plan whose pick is a small model as a folder."""
    asked: dict[str, Any] = {"budget": "1 TFLOPs", "workload": REQUEST, "models": folder, "image": image}
    return planner.plan("reasoning", **asked | options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hub_id", "budget"),
    [("Qwen/Qwen2.5-VL-3B-Instruct", "60 MFLOPs"), ("OpenGVLab/InternVL3-1B-hf", "1 GFLOPs")],
)
def test_the_pick_of_a_plan_is_verified(hub_id: str, budget: str, tmp_path: Path) -> None:
    """Image, knob, request, batch and hardware are those of the plan; counts are equal to the last one."""
    picked = planned(small_folder(hub_id, tmp_path / "it"), budget=budget, hardware="cpu")
    released = picked.best.released
    assert released is not None and released.turned, "a knob is turned to keep the budget"
    verdict = verify(None, picked, device="cpu", seconds=0.01, tolerance=1e9)
    assert verdict.passed, verdict.failed
    equal = {check.name for check in verdict.checks if check.tolerance == 0.0}
    assert equal == {
        "params",
        *(f"flops_{stage}" for stage in ("encoder", "compressor", "prefill", "decode")),
        "weights_bytes",
        "kv_cache_bytes",
    }
    timed = {check.name for check in verdict.checks if check.unit == "s" and check.passed is not None}
    stages = {"encoder_s", "compressor_s", "prefill_s", "decode_step_s"}
    assert timed == stages | {"ttft_s", "tpot_s", "request_s"}
    assert verdict.plan_sha256 == picked.sha256
    assert verdict.hardware is not None and verdict.hardware["name"] == "cpu"
    assert verdict.measurement.model.image == released.names["image"]
    assert str(verdict).startswith(f"it ({released.names['image']}) on ")
    assert not list(_differences(verdict, picked))


def test_of_several_sizes_the_long_one_is_verified(tmp_path: Path) -> None:
    folder = small_folder("Qwen/Qwen3-VL-2B-Instruct", tmp_path / "it")
    picked = planned(folder, image={"100x100": 0.5, "300x200": 0.5}, batch=2, hardware="cpu")
    wanted = as_planned(picked)
    assert isinstance(wanted, ExpectedReleased)
    assert (str(wanted.released.image), wanted.batch, wanted.precision) == ("300x200", 2, "fp32")
    assert wanted.workload == REQUEST and wanted.stale == ()
    assert as_planned(picked, precision="bf16").precision == "bf16"
    other = replace(picked, best=replace(picked.best, quantities={**picked.best.quantities, "ttft_s": 1.0}))
    (said,) = as_planned(other).stale
    assert said.startswith("TTFT: the plan says 1 s, ") and said.endswith(" is predicted now; plan again")


@pytest.mark.slow
def test_a_model_with_its_own_weights_is_measured_as_it_is(tmp_path: Path) -> None:
    folder = small_folder("google/paligemma2-3b-pt-224", tmp_path / "it")
    picked, released = planned(folder), ReleasedModel.of_checkpoint(folder, "300x200")
    made = save_released(build_released(released), released.checkpoint, tmp_path / "made")
    loaded = as_planned(picked).load(str(made), "cpu")
    own = build_released(released).state_dict()
    assert all(torch.equal(own[name], value) for name, value in loaded.state_dict().items())
    verdict = planner.verify(loaded, picked, seconds=0.01)
    assert verdict.check("params").error == 0 and verdict.check("flops_prefill").error == 0
    again = planner.build_released(str(made), weights=str(made))
    assert picked.best.released is not None
    alone = planner.measure_released(again, picked.best.released, REQUEST, **QUICK)
    assert (alone.flops, alone.model) == (verdict.measurement.flops, verdict.measurement.model)
    with pytest.raises(InputError, match=r"which is not made of parts: build_released\(plan.best.released\) makes its"):
        planner.build(picked)
    other = ReleasedModel.of_checkpoint(small_folder("google/paligemma-3b-pt-224", tmp_path / "other"), "300x200")
    wrong = save_released(build_released(other), other.checkpoint, tmp_path / "wrong")
    with pytest.raises(InputError, match="holds another model than it: "):
        as_planned(picked).load(str(wrong), "cpu")


def test_what_is_not_verified_of_a_plan_is_said(tmp_path: Path) -> None:
    folder = small_folder("google/paligemma2-3b-pt-224", tmp_path / "it")
    with pytest.raises(InputError, match="the plan's weights are in 'int8'; expected bf16, fp16, fp32 here"):
        verify(None, planned(folder, precision="int8"))
    with pytest.raises(InputError, match="vision: the plan's pick is a released model, which brings its own parts"):
        as_planned(planned(folder), vision="CLIP-ViT-L/14-336")
    with pytest.raises(InputError, match="a released model is measured in the mode eager"):
        verify(None, planned(folder), mode="static")
    with pytest.raises(InputError, match="weights: a model is given, which has its own"):
        verify(object(), planned(folder), weights="pretrained")


def test_what_does_not_fit_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that runs out of memory ends the process: it is said before."""
    monkeypatch.setattr("planner.bench.methods.free_bytes", lambda device: 10**6)
    with pytest.raises(MeasurementError, match=r"at batch 1 needs about .* at its peak, more than cpu has free"):
        verify(None, planned(small_folder("google/paligemma2-3b-pt-224", tmp_path / "it")), device="cpu")
