"""Workloads, and the tokens that each stage of the LLM sees."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from planner.base.errors import QuantityError, UnknownNameError
from planner.configuration import PROMPT_ORDERS
from planner.costs.stages import STAGES, Workload, stage_tokens


def test_counts_that_are_left_out() -> None:
    workload = Workload(50, 32)
    assert (workload.cached_tokens, workload.system_tokens, workload.images) == (0, 0, 1)


def test_whole_floats_become_ints() -> None:
    workload = Workload(query_tokens=50.0, generated_tokens=np.int64(32), images=2.0)  # type: ignore[arg-type]
    assert workload == Workload(50, 32, images=2)
    assert [type(value) for value in vars(workload).values()] == [int] * 5


@pytest.mark.parametrize(
    ("field", "value", "minimum"),
    [
        ("query_tokens", -1, 0),
        ("generated_tokens", 0.5, 0),
        ("cached_tokens", "50", 0),
        ("system_tokens", True, 0),
        ("system_tokens", None, 0),
        ("images", -1, 0),
        ("query_tokens", float("nan"), 0),
        ("query_tokens", float("inf"), 0),
    ],
)
def test_count_that_is_none_is_refused(field: str, value: object, minimum: int) -> None:
    with pytest.raises(QuantityError) as caught:
        Workload(**{"query_tokens": 1, "generated_tokens": 1, field: value})  # type: ignore[arg-type]
    assert str(caught.value) == f"{field}: expected a whole number of at least {minimum}, got {value!r}"


def test_workload_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Workload(1, 1).query_tokens = 2  # type: ignore[misc]


def test_prefilled_text_is_system_and_query_but_not_what_is_cached() -> None:
    assert Workload(50, 32, cached_tokens=1000, system_tokens=7).prefilled_text_tokens == 57


def test_tokens_of_each_stage() -> None:
    workload = Workload(50, 32, cached_tokens=10, system_tokens=7, images=3)
    tokens = stage_tokens(workload, np.array([1.0, 16.0]), query_aware=True, prompt_order="image-first")
    assert tokens.query_pass == 50
    assert tokens.prefill.tolist() == [57 + 3, 57 + 3 * 16]
    assert (tokens.cached, tokens.decode) == (10, 32)


@pytest.mark.parametrize(
    ("query_aware", "prompt_order", "query_pass"),
    [(True, "image-first", 50), (True, "text-first", 0), (False, "image-first", 0), (False, "text-first", 0)],
)
def test_query_pass_runs_for_a_query_aware_compressor_in_front_of_the_text(
    query_aware: bool, prompt_order: str, query_pass: int
) -> None:
    assert stage_tokens(Workload(50, 32), np.array(4.0), query_aware, prompt_order).query_pass == query_pass


def test_unknown_prompt_order() -> None:
    with pytest.raises(
        UnknownNameError, match=r"^no prompt order is called 'text first'; did you mean 'text-first'\?$"
    ):
        stage_tokens(Workload(1, 1), np.array(1.0), True, "text first")


def test_names_of_stages_and_orders() -> None:
    assert STAGES == ("encoder", "compressor", "query_pass", "prefill", "decode")
    assert PROMPT_ORDERS == ("image-first", "text-first")
