"""Calibration on measurements of released models: planted efficiencies come back, alone and beside models of parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench.made import made, made_released
from bench.test_calibrate import PLANTED
from make.small import small_folder
from support import Run

import planner
from planner.base.errors import InputError
from planner.bench.answers import FewerTokens, answers_of
from planner.bench.calibrate import calibrate
from planner.bench.calibration.parameters import Scale
from planner.bench.calibration.pool import pool
from planner.bench.calibration.result import Calibration
from planner.configuration import ReleasedModel
from planner.costs.latency import LATENCY_STAGES
from planner.hardware import Hardware, find_hardware

SEEN: tuple[tuple[str, str, Mapping[str, object]], ...] = (
    ("Qwen/Qwen3-VL-2B-Instruct", "224x224", {}),
    ("Qwen/Qwen3-VL-2B-Instruct", "1344x1344", {"max_pixels": 1048576}),
    ("Qwen/Qwen3-VL-8B-Instruct", "448x448", {}),
    ("llava-hf/llava-v1.6-mistral-7b-hf", "900x300", {"image_grid_pinpoints": "[[336, 1008]]"}),
    ("HuggingFaceTB/SmolVLM-256M-Instruct", "512x512", {"do_image_splitting": False}),
)


@pytest.fixture(scope="module")
def card() -> Hardware:
    return replace(find_hardware("h100-sxm"), efficiency=PLANTED)


@pytest.mark.parametrize(("hub_id", "image", "knobs"), SEEN)
def test_the_names_of_a_measurement_say_which_model_it_was(
    hub_id: str, image: str, knobs: Mapping[str, object]
) -> None:
    """Text with commas, truth values and numbers among the knobs."""
    model = ReleasedModel.of_checkpoint(hub_id, image, knobs=knobs)
    assert ReleasedModel.of_names(model.checkpoint, model.names["image"]) == model


def test_every_stage_is_predicted_as_the_model_alone(card: Hardware) -> None:
    """In columns over batches, and one model beside another."""
    taken = [*made_released(card, SEEN, batches=(1, 8, 32)), *made(card, visual_tokens=(1, 144), noise=0.0)]
    found = pool(taken)
    assert len(found.groups) == len(SEEN) + 1
    predicted = found.predict(card)
    for row, one in zip(predicted, taken, strict=True):
        for stage, seconds in zip(LATENCY_STAGES, row, strict=True):
            assert seconds == pytest.approx(one.seconds(stage) or 0.0, rel=1e-12), stage
    scale = Scale(card)
    many = found.predict(scale.many(np.stack([scale.centre, scale.centre])), sets=2)
    np.testing.assert_allclose(many, [found.predict(scale.hardware(scale.centre))] * 2, rtol=1e-12)


@pytest.mark.slow
def test_planted_efficiencies_come_back(card: Hardware) -> None:
    taken = made_released(card, SEEN, batches=(1, 16))
    found = calibrate(taken)
    assert found.noise < 1e-3
    for one in found.parameters:
        if one.identified:
            assert one.value == pytest.approx(getattr(PLANTED, one.name), rel=0.1), one.name
    assert {"matmul_compute", "matmul_bandwidth", "matmul_overhead_s"} <= {
        one.name for one in found.parameters if one.identified
    }
    left_out = found.errors("left_out", "ttft")
    assert left_out is not None and left_out.median < 0.01
    assert {one.image for one in found.shapes} == {one.model.image for one in taken}
    assert Calibration.from_dict(found.to_dict()) == found


def test_a_plan_among_released_models_takes_the_profile(card: Hardware) -> None:
    """Its times are those of the card that was measured, not of the card as it is shipped."""
    found = calibrate(made_released(card, SEEN[:2], batches=(1, 16)))
    asked = {"models": "Qwen/Qwen3-VL-4B-Instruct", "image": "448x448", "query_tokens": 50, "generated_tokens": 16}
    budget = planner.Budget(ttft="1 s")
    by_profile, true, shipped = (
        planner.plan(budget=budget, hardware=one, **asked).best.latency for one in (found.hardware, card, "h100-sxm")
    )
    assert by_profile is not None and true is not None and shipped is not None
    assert by_profile.source == "calibrated"
    assert by_profile.ttft_s == pytest.approx(float(true.ttft_s), rel=0.02)
    assert abs(float(shipped.ttft_s) / float(true.ttft_s) - 1) > 0.1


def test_answers_compare_knobs_of_one_image_only(card: Hardware) -> None:
    def fewer(seen: Sequence[tuple[str, str, Mapping[str, object]]]) -> list[FewerTokens]:
        return [one for one in answers_of(made_released(card, seen, batches=(1,))) if isinstance(one, FewerTokens)]

    assert fewer(SEEN[:2]) == []
    same = [("Qwen/Qwen3-VL-2B-Instruct", "1344x1344", {"max_pixels": pixels}) for pixels in (262144, 1048576)]
    (found,) = fewer(same)
    assert found.subject.startswith("Qwen3-VL-2B-Instruct, 1344x1344, ")


def test_a_model_that_moved_is_named(run: Run, card: Hardware, tmp_path: Path) -> None:
    """Measured as a folder: found again where it was, else by --models; another model of its name is refused."""
    folder = small_folder("Qwen/Qwen3-VL-2B-Instruct", tmp_path / "narrow")
    kept = tmp_path / "kept"
    kept.mkdir()
    taken = made_released(card, [(str(folder), size, {}) for size in ("224x224", "448x448")])
    for number, one in enumerate(taken):
        one.save(kept / f"{number}.json")
    assert len(calibrate(taken).shapes) == 4
    moved = tmp_path / "moved" / "narrow"
    moved.parent.mkdir()
    folder.rename(moved)
    profile = tmp_path / "mine.json"
    said = run("calibrate", "--from", kept, "-o", profile).complaint
    assert re.fullmatch(r"the released model 'narrow' was measured and is not found again \(cannot read .*: No such "
                        r"file or directory; expected .*\): name its folder with --models", said)  # fmt: skip
    assert run("calibrate", "--from", kept, "-o", profile, "--models", moved, "--json").code == 0
    other = small_folder("google/paligemma2-3b-pt-224", tmp_path / "other" / "narrow")
    with pytest.raises(InputError, match=r"the measured model of narrow has .* parameters, its description"):
        calibrate(taken, models=[other])
    asked = run("calibrate", "-o", tmp_path / "x.json", "--models", moved).complaint
    assert "--models goes with --from: measure released models first" in asked
