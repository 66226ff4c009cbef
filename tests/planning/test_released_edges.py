"""What is said where released models meet small devices, thinking, and missing arguments."""

from __future__ import annotations

from typing import Any

import pytest

import planner
from planner.base.errors import InputError, NothingFitsError
from planner.hardware import hardware_catalog
from planner.parts.released import find_checkpoint
from planner.tell.document import plain
from planner.tell.plan.sentences import smaller_weights

ASKED: dict[str, Any] = {"image": "1024x768", "query_tokens": 20, "generated_tokens": 50}
SLOW = planner.Budget(ttft="60 s")


def test_shared_memory_is_said_to_be_shared() -> None:
    found = planner.plan(budget=SLOW, models="qwen2.5-vl", hardware="iphone-16-pro", **ASKED)
    told = "the 8 GiB of Apple A18 Pro (iPhone 16 Pro) 8 GB are shared with the processor and the system"
    assert any(told in one and "a memory limit says how much" in one for one in found.assumptions)
    small: dict[str, Any] = {"hardware": "orin-nano-8", "query_tokens": 20, "generated_tokens": 50}
    cost = planner.released_cost("Qwen/Qwen2.5-VL-3B-Instruct", "1024x768", **small)
    assert any("are shared with the processor and the system" in one for one in cost.notes)
    card = hardware_catalog()["h100-sxm"]
    assert card.memory_note == "" and "shared_memory" not in card.to_dict()
    edge = hardware_catalog()["agx-orin-64"]
    assert planner.Hardware.from_dict(edge.to_dict()) == edge and edge.shared_memory
    with pytest.raises(InputError, match="shared_memory"):
        planner.Hardware.from_dict({**edge.to_dict(), "shared_memory": "yes"})


def test_where_16_bits_do_not_fit_smaller_weights_are_named() -> None:
    with pytest.raises(NothingFitsError, match="name smaller models or a larger card; precision='Q4_K_M' would do"):
        planner.plan(budget=SLOW, models="Qwen/Qwen2.5-VL-7B-Instruct", hardware="orin-nano-8", **ASKED)
    fits = planner.plan(
        budget=SLOW, models="Qwen/Qwen2.5-VL-7B-Instruct", hardware="orin-nano-8", precision="Q4_K_M", **ASKED
    )
    assert fits.best.precision == "Q4_K_M"
    with pytest.raises(NothingFitsError) as caught:
        planner.plan(
            budget=SLOW, models="Qwen/Qwen2.5-VL-32B-Instruct", hardware="orin-nano-8", precision="Q4_K_M", **ASKED
        )
    assert "precision=" not in str(caught.value)
    held = planner.plan(budget=SLOW, models="qwen2.5-vl", hardware="iphone-16-pro", **ASKED)
    assert plain(smaller_weights(held)).startswith("larger models fit with smaller weights")
    assert smaller_weights(planner.plan(budget=SLOW, models="qwen2.5-vl", hardware="h200", **ASKED)) == ()


def test_a_model_that_thinks_is_said_to() -> None:
    name = "zai-org/GLM-4.1V-9B-Thinking"
    told = "it thinks before it answers: generated tokens have to count that too, often thousands of them"
    assert told in find_checkpoint(name).notes
    assert told in planner.plan(budget=SLOW, models=name, hardware="h200", **ASKED).assumptions
    assert not any("think" in one for one in find_checkpoint("Qwen/Qwen3-VL-8B-Instruct").notes)
    assert any("it can think before it answers" in one for one in find_checkpoint("Qwen/Qwen3.5-9B").notes)


def test_generations_are_said_to_rank_alike_once() -> None:
    found = planner.plan(budget=SLOW, models="llava-1.5,qwen3-vl", hardware="h200", **ASKED)
    assert sum("an old one of some size stands as high as a new one" in one for one in found.extrapolates) == 1


def test_a_plan_without_a_budget_says_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"budget: planner\.plan needs budget=, FLOPs of one request, as '2 TFLOPs'"):
        planner.plan(models="qwen3-vl", image=[(1024, 768), (640, 480)])  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        planner.optimum()  # type: ignore[call-arg]
