"""The context of a served model: room for what was planned, for the chat template, and for the next image."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

import planner
from planner.configuration.released import ReleasedModel
from planner.costs.stages import Workload
from planner.engines.room import BLOCK, TEMPLATE_TOKENS, room_for
from planner.parts.images import ImageSize
from planner.parts.released import released_ids
from planner.planning.serving import serving, serving_room

REQUEST = Workload(120, 200)
SIZE = ImageSize(1024, 768)
KNOB = {"max_pixels": 524288}


def test_room_by_hand() -> None:
    """120 + 200 + 514 (512 tokens of 32 x 32 pixels, a start and an end) + 512 = 1346, in blocks of 256: 1536."""
    model = ReleasedModel.of_checkpoint("Qwen/Qwen3-VL-8B-Instruct", "1024x768", knobs=KNOB)
    found = room_for(model, REQUEST, [SIZE])
    assert found.context_tokens == 1536
    assert found.text == (
        "a context of 1536 tokens has room for 120 tokens of text, 200 of the answer, an image of up to 514 tokens "
        "(1024x768 has 496) and 702 for the chat template"
    )


def test_two_images_and_what_stands_before_the_query() -> None:
    model = ReleasedModel.of_checkpoint("Qwen/Qwen3-VL-8B-Instruct", "1024x768", knobs=KNOB, images=2)
    found = room_for(model, Workload(120, 200, cached_tokens=1000, system_tokens=30, images=2), [SIZE])
    assert found.context_tokens == -(-(1150 + 200 + 2 * 514 + 512) // 256) * 256
    assert "1150 tokens of text, 200 of the answer, 2 images of up to 514 tokens (1024x768 has 496)" in found.text


def test_as_published_the_largest_planned_image_counts_and_larger_ones_are_said() -> None:
    model = ReleasedModel.of_checkpoint("Qwen/Qwen3-VL-8B-Instruct", "1024x768")
    small, large = room_for(model, REQUEST, [SIZE]), room_for(model, REQUEST, [SIZE, ImageSize(4000, 3000)])
    seen = model.rule.see(4000, 3000).prompt_tokens
    assert small.context_tokens < seen < large.context_tokens
    assert small.text.endswith(
        "; as published, larger images than 1024x768 have up to 16386 tokens, which it has no room for"
    )
    assert f"up to {seen} tokens (4000x3000 has {seen})" in large.text


def test_an_image_that_cross_attention_reads_takes_a_placeholder() -> None:
    model = ReleasedModel.of_checkpoint("meta-llama/Llama-3.2-11B-Vision-Instruct", "1024x768")
    assert room_for(model, REQUEST, [SIZE]).text == (
        "a context of 1024 tokens has room for 120 tokens of text, 200 of the answer, 1 for an image (what "
        "cross-attention reads of images stands beside it) and 703 for the chat template"
    )


def test_never_beyond_the_context_of_the_model() -> None:
    model = ReleasedModel.of_checkpoint("llava-hf/llava-1.5-7b-hf", "1024x768")
    found = room_for(model, Workload(3000, 400), [SIZE])
    assert found.context_tokens == model.checkpoint.context_tokens == 4096
    assert found.text.endswith("and 120 for the chat template; more is not in the model's 4096")


@pytest.mark.parametrize("hub_id", released_ids())
def test_room_for_every_image_of_a_usual_shape(hub_id: str) -> None:
    """Where a knob is turned, whatever the size."""
    published = ReleasedModel.of_checkpoint(hub_id, "1024x768")
    knob = published.rule.knobs()[0]
    model = ReleasedModel.of_checkpoint(hub_id, "1024x768", knobs={knob.name: knob.values[0]})
    found, limit = room_for(model, REQUEST, [SIZE]), model.checkpoint.context_tokens
    assert found.context_tokens % BLOCK == 0 or found.context_tokens == limit
    room = found.context_tokens - 320 - TEMPLATE_TOKENS
    if limit is None or found.context_tokens < limit:
        for width, height in ((300, 200), (1024, 768), (1920, 1080), (3000, 4000), (4000, 2000), (2000, 2000)):
            assert model.rule.see(width, height).prompt_tokens <= room


# ---- of a plan -------------------------------------------------------------------------------------------------------


def served(context: planner.Plan, engine: str, option: str) -> str:
    words = shlex.split(next(one.command for one in serving(context) if one.engine == engine) or "")
    return words[words.index(option) + 1]


def test_a_plan_serves_the_longest_request_and_the_largest_image(tmp_path: Path) -> None:
    file = tmp_path / "traffic.csv"
    rows = ["100,200,1"] * 60 + ["2500,700,2"]
    file.write_text("\n".join(["query_tokens,generated_tokens,images", *rows]) + "\n", encoding="utf-8")
    plan = planner.plan(
        models="Qwen/Qwen3-VL-2B-Instruct",
        budget=planner.Budget(ttft="2 s", memory="30 GiB"),
        hardware="h100-sxm",
        image={"640x480": 99, "2048x1536": 1},
        workload=file,
    )
    room, released = serving_room(plan), plan.best.released
    assert room is not None and released is not None
    largest = released.rule.see(2048, 1536, 2).prompt_tokens
    assert 2500 + 700 + 2 * largest + TEMPLATE_TOKENS <= room.context_tokens
    assert served(plan, "vllm", "--max-model-len") == served(plan, "sglang", "--context-length")
    assert served(plan, "vllm", "--max-model-len") == str(room.context_tokens)
    assert served(plan, "vllm", "--limit-mm-per-prompt") == '{"image": 2, "video": 0}'
    share = float(served(plan, "vllm", "--gpu-memory-utilization"))
    card = plan.deployment.hardware
    assert card is not None
    assert float(plan.best.memory.peak) - 600 * 2**20 <= share * card.memory_bytes <= 30 * 2**30
    again = planner.Plan.from_dict(plan.to_dict())
    assert serving(again) == serving(plan) and serving_room(again) == room


def test_a_file_that_does_not_say_how_long_requests_are_gives_the_models_own_context() -> None:
    plan = planner.plan(
        models="Qwen/Qwen3-VL-2B-Instruct",
        budget=planner.Budget(ttft="2 s"),
        hardware="h100-sxm",
        image="640x480",
        workload=planner.Workload(100, 200),
    )
    assert "workload_longest" not in plan.to_dict()["inputs"]
    assert "--max-model-len" in str(serving(plan)[0])
    several = replace(plan, load=replace(plan.load, requests=20))
    assert serving_room(several) is None
    assert "--max-model-len" not in str(serving(several)[0])
