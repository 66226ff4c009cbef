"""Budgets and workloads as a user may give them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from planner.base.errors import QuantityError, UnknownNameError
from planner.planning.request import Budget, Workload, as_budget, as_workload


@pytest.mark.parametrize("given", ["2 TFLOPs", "2tflops", "2e12", 2e12, 2_000_000_000_000])
def test_budget_reads_numbers_and_texts(given: float | str) -> None:
    assert Budget(given) == Budget(2e12, "full")  # type: ignore[arg-type]
    assert as_budget(given, None) == Budget(2e12, "full")
    assert as_budget(given, "paper") == Budget(2e12, "paper")


@pytest.mark.parametrize("given", [0, -1.0, float("nan"), float("inf"), "2 TFLOPS/s", "much", True])
def test_budget_that_is_no_amount_is_refused(given: object) -> None:
    with pytest.raises(QuantityError, match=r"^budget: expected a positive number of FLOPs such as ") as caught:
        Budget(given)  # type: ignore[arg-type]
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"flops": None}, {"ttft": None, "memory": None}])
def test_budget_without_a_limit_is_refused(given: dict[str, None]) -> None:
    with pytest.raises(QuantityError, match=r"^Budget: expected at least one limit, got none: FLOPs of one request, "):
        Budget(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ttft", 150, "ttft: 150 has no unit: write it as in ttft='150 ms' or ttft_s=0.15"),
        ("TTFT", 0.1, "TTFT: 0.1 has no unit: write it as in ttft='150 ms' or ttft_s=0.15"),
        ("tpot", np.float64(20), "tpot: 20.0 has no unit: write it as in tpot='30 ms' or tpot_s=0.03"),
        ("latency", 2, "latency: 2 has no unit: write it as in latency='2 s' or request_s=2"),
        ("memory", 24, "memory: 24 has no unit: write it as in memory='24 GiB' or memory_bytes=25769803776"),
    ],
)
def test_a_plain_number_needs_a_name_with_its_unit(key: str, value: float, said: str) -> None:
    for given in ({key: value}, {"limits": {key: value}}):
        with pytest.raises(QuantityError) as caught:
            Budget(**given)  # type: ignore[arg-type]
        assert str(caught.value) == said


def test_plain_numbers_whose_unit_is_plain() -> None:
    found = Budget(ttft_s=150, memory=24e9, price=3, energy=50, requests_per_second=2)
    assert (found.ttft_s, found.memory_bytes, found.price, found.energy) == (150.0, 24e9, 3.0, 50.0)
    odd = Budget(2e12 + 1, ttft_s=1 / 3, memory=24e9 + 1, price=1 / 3)
    assert eval(repr(odd), {"Budget": Budget}) == odd


def test_budget_of_an_unknown_convention_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"^no convention is called 'macs'; there are: full, paper, torch$"):
        Budget(1e12, "macs")


def test_convention_asked_for_overrides_that_of_the_budget() -> None:
    budget = Budget(1e12, "paper")
    assert as_budget(budget, None) is budget
    assert as_budget(budget, "full") == Budget(1e12, "full")
    assert budget.convention == "paper"


def test_budget_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Budget(1e12).flops = 2e12  # type: ignore[misc]


def test_workload_from_counts() -> None:
    assert as_workload(None, 50, 32, 0) == Workload(50, 32)
    assert as_workload(None, 0, 0, 7) == Workload(0, 0, cached_tokens=7)


def test_workload_given_is_taken_as_it_is() -> None:
    workload = Workload(50, 32, system_tokens=4, images=2)
    assert as_workload(workload, None, None, 0) is workload


@pytest.mark.parametrize("counts", [(50, None, 0), (None, 32, 0), (0, None, 0), (None, None, 9)])
def test_workload_and_counts_together_are_refused(counts: tuple[int | None, int | None, int]) -> None:
    with pytest.raises(QuantityError, match=r"^workload: give a Workload or token counts, not both$"):
        as_workload(Workload(50, 32), *counts)


@pytest.mark.parametrize(
    ("counts", "missing"),
    [((None, 32, 0), "query_tokens"), ((50, None, 0), "generated_tokens"), ((None, None, 0), "query_tokens")],
)
def test_missing_count_is_named(counts: tuple[int | None, int | None, int], missing: str) -> None:
    with pytest.raises(QuantityError) as caught:
        as_workload(None, *counts)
    assert str(caught.value) == f"{missing}: expected how many tokens a request has, got nothing"
