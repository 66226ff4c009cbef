"""`measure` of every kind of released model, narrow, from the command line; several images; what is not heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from make.small import EACH, HUB_IDS, KNOBS, OF_TIMM, SLOW, small_folder
from parts.real_encoders import CASES
from support import Run

from planner.bench.expected_released import ExpectedReleased
from planner.bench.released import counted_flops
from planner.bench.released_stages import ReleasedStages
from planner.configuration import ReleasedModel
from planner.costs.stages import Workload
from planner.make.pixels import find_maker
from planner.make.released import build_released
from planner.make.vision import leave_out_unused_layers
from planner.parts.encoders import ENCODER_READERS
from planner.parts.released import find_checkpoint, published_files

REQUEST = ("--query-tokens", 5, "--generated-tokens", 2)
QUICK = ("--device", "cpu", "--seconds", 0.01)
STAGES = ("encoder", "compressor", "prefill", "decode")


def staged(released: ReleasedModel, request: Workload) -> ReleasedStages:
    """The stages of one request of a model with random weights."""
    maker = find_maker(released, published_files(released.checkpoint)["config.json"])
    model = build_released(released)
    leave_out_unused_layers(model, released, maker)
    return ReleasedStages(model, released, maker, request, 1)


@pytest.mark.slow
@pytest.mark.parametrize("hub_id", EACH)
def test_each_kind_is_measured(hub_id: str, run: Run, tmp_path: Path) -> None:
    knobs = [text for name, value in KNOBS.get(hub_id, {}).items() for text in ("--knob", f"{name}={value}")]
    folder = small_folder(hub_id, tmp_path / "narrow")
    (one,) = run("measure", folder, "--image", "300x200", *knobs, *REQUEST, *QUICK, "--json").json["measurements"]
    planned = ReleasedModel.of_checkpoint(folder, "300x200", knobs=KNOBS.get(hub_id, {}))
    assert one["model"]["visual_tokens"] == planned.visual_tokens
    assert one["model"]["params"] == planned.params
    flops = ExpectedReleased(planned, Workload(5, 2), 1, "fp32").cost().flops
    assert one["flops"] == {stage: getattr(flops, stage) for stage in STAGES}
    deaf = "requests hold text and images: the audio part takes memory and is not measured" in one["notes"]
    assert deaf == (planned.params_by_part()["audio"] > 0)


def test_every_kind_of_encoder_is_measured() -> None:
    kinds = {published_files(find_checkpoint(hub_id))["config.json"]["model_type"] for hub_id in HUB_IDS}
    assert kinds | {"aya_vision"} == set(ENCODER_READERS.names())


@pytest.mark.slow
@pytest.mark.parametrize("hub_id", [hub_id for hub_id in HUB_IDS if hub_id not in (*SLOW, *OF_TIMM)])
def test_two_images_in_a_request(hub_id: str, tmp_path: Path) -> None:
    request = Workload(query_tokens=5, generated_tokens=2, cached_tokens=9, images=2)
    folder = small_folder(hub_id, tmp_path / "it")
    released = ReleasedModel.of_checkpoint(folder, "300x200", images=2, knobs=KNOBS.get(hub_id, {}))
    stages = staged(released, request)
    flops = ExpectedReleased(released, request, 1, "fp32").cost().flops
    assert counted_flops(stages) == {stage: getattr(flops, stage) for stage in STAGES}
    with torch.no_grad():
        assert stages.begin(0).get_seq_length() == 9 + 2 * released.visual_tokens + 5


@pytest.mark.parametrize(("most", "tiles"), [(1, 1), (2, 3)])
def test_a_kind_whose_files_are_not_shipped(most: int, tiles: int, tmp_path: Path) -> None:
    """Aya Vision, by a config alone."""
    config = CASES["aya_vision"].config()
    config["vision_config"]["image_size"] = 364
    config |= {"torch_dtype": "float32", "image_token_index": 5, "eos_token_id": 1}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    released = ReleasedModel.of_checkpoint(tmp_path, "500x900", knobs={"max_patches": most})
    assert released.seen.tiles == tiles
    stages = staged(released, Workload(5, 2))
    flops = ExpectedReleased(released, Workload(5, 2), 1, "fp32").cost().flops
    assert counted_flops(stages) == {stage: getattr(flops, stage) for stage in STAGES}
    with torch.no_grad():
        assert stages.begin(0).get_seq_length() == released.visual_tokens + 5
