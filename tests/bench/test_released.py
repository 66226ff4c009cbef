"""Released models with narrow layers, measured on the CPU: what is counted is what is predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from make.small import HUB_IDS, KNOBS, small_folder

from planner.base.errors import InputError
from planner.bench.measurement import Ceilings, Measurement
from planner.bench.released import ExpectedReleased, measure_released, sweep_released, verify_released
from planner.bench.verdict import Verdict
from planner.configuration import ReleasedModel
from planner.costs.stages import Workload
from planner.make.released import build_released

QUICK: dict[str, Any] = {"seconds": 0.01, "ceilings": Ceilings(1e11, 1e10, 1e10)}
REQUEST = Workload(query_tokens=7, generated_tokens=3, system_tokens=2)


def small(hub_id: str, folder: Path, image: str = "300x200", **knobs: object) -> ReleasedModel:
    model = small_folder(hub_id, folder / hub_id.rpartition("/")[2])
    return ReleasedModel.of_checkpoint(model, image, knobs=knobs)


@pytest.mark.parametrize("hub_id", HUB_IDS)
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
    timed = {"encoder", "compressor", "prefill", "decode_step", "ttft", "tpot", "request"}
    assert set(found.samples) == timed


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
    verdict = verify_released(wanted, device="cpu", seconds=0.01)
    exact = ("params", "flops_encoder", "flops_compressor", "flops_prefill", "flops_decode", "weights_bytes")
    for name in (*exact, "kv_cache_bytes"):
        assert verdict.check(name).passed and verdict.check(name).error == 0, name
    assert verdict.passed, verdict.failed
    assert Verdict.from_dict(verdict.to_dict()) == verdict


def test_another_image_is_not_what_was_planned(tmp_path: Path) -> None:
    from planner.bench.verify import judge

    planned, other = (small("Qwen/Qwen3-VL-2B-Instruct", tmp_path, size) for size in ("300x200", "400x400"))
    found = measure_released(build_released(other), other, REQUEST, **QUICK)
    verdict = judge(ExpectedReleased(planned, REQUEST, 1, "fp32"), found)
    assert {"image", "visual_tokens", "flops_encoder"} <= {check.name for check in verdict.failed}


def test_what_is_not_measured_is_said(tmp_path: Path) -> None:
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
    pixtral = ReleasedModel.of_checkpoint("mistral-community/pixtral-12b", "300x200")
    with pytest.raises(InputError, match="expected a vision tower of clip_vision_model"):
        sweep_released(pixtral, [1], REQUEST, device="cpu")
    with pytest.raises(InputError, match="is verified on 1 device, got 2"):
        verify_released(ExpectedReleased(released, REQUEST, 1, "fp32", 2), device="cpu")
