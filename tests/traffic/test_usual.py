"""The scheduler of an engine on a card: what is asked for, then what its profile says, then vLLM's defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.base.errors import InputError
from planner.hardware import find_hardware
from planner.traffic.scheduler import Scheduler
from planner.traffic.usual import ASKED, DEFAULTS, SEATS, TOKENS, usual_scheduler, vllm_defaults

L4 = find_hardware("l4")
CALIBRATED = replace(L4, name="mine", conditions={"engine": "vLLM 0.32.0", SEATS: 48})


@pytest.mark.parametrize(
    ("seats", "tokens", "expected", "sources"),
    [
        (None, None, (48, 2048), ("of the profile, calibrated to vLLM 0.32.0", DEFAULTS)),
        (16, None, (16, 2048), (ASKED, DEFAULTS)),
        (None, 32, (32, 32), ("of the profile, calibrated to vLLM 0.32.0", ASKED)),
        (4096, None, (4096, 4096), (ASKED, DEFAULTS)),
        (8, 512, (8, 512), (ASKED, ASKED)),
    ],
)
def test_what_is_asked_for_comes_before_the_profile_and_that_before_the_defaults(
    seats: int | None, tokens: int | None, expected: tuple[int, int], sources: tuple[str, str]
) -> None:
    found = usual_scheduler(CALIBRATED, seats, tokens)
    assert (found.scheduler.max_num_seqs, found.scheduler.max_num_batched_tokens) == expected
    assert (found.source[SEATS], found.source[TOKENS]) == sources


def test_a_card_without_a_calibration_has_vllms_defaults() -> None:
    for card in (L4, find_hardware("h100-sxm")):
        found = usual_scheduler(card)
        defaults = Scheduler.vllm(card.memory_bytes, card.name)
        assert found.scheduler == vllm_defaults(card) == replace(defaults, async_scheduling=False)
        assert set(found.source.values()) == {DEFAULTS}
    host = Scheduler(max_num_seqs=128, max_num_batched_tokens=2048, async_scheduling=False)
    assert vllm_defaults(find_hardware("cpu")) == host


@pytest.mark.parametrize(
    ("engine", "early"), [("vLLM 0.13.0", False), ("vLLM 0.32.0+cu129", True), ("SGLang 0.5", True), ("", False)]
)
def test_a_profile_schedules_ahead_as_the_engine_that_it_was_calibrated_to(engine: str, early: bool) -> None:
    card = replace(L4, name="mine", conditions={"engine": engine})
    assert usual_scheduler(card).scheduler.async_scheduling is early


@pytest.mark.parametrize("wrong", [0, 2.5, "64", True])
def test_a_profile_with_a_number_that_is_none_is_refused(wrong: Any) -> None:
    card = replace(L4, name="mine", conditions={SEATS: wrong})
    with pytest.raises(InputError, match=r"^the profile mine: conditions: max_num_seqs: expected a whole number"):
        usual_scheduler(card)
