"""Batches one after the other: the best one by trying each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

import planner
from planner.base.errors import NothingFitsError
from planner.configuration import Model, Run
from planner.costs.latency import latency
from planner.costs.memory import memory
from planner.costs.stages import Workload
from planner.traffic.static import static_batch

MODEL = Model.of("Qwen3-1.7B", 36)
LOAD = Workload(120, 60)
RUN = Run.of("l4")


@cache
def every_batch() -> dict[int, dict[str, float]]:
    """Times of each batch that fits."""
    assert RUN.hardware is not None
    found = {}
    for batch in range(1, 1 + int(memory(MODEL, LOAD, RUN).requests_that_fit(RUN.hardware.memory_bytes))):
        one = latency(MODEL, LOAD, replace(RUN, batch=batch))
        times = {"ttft_s": one.ttft_s, "tpot_s": one.tpot_s, "latency_s": one.request_s}
        found[batch] = {name: float(value) for name, value in times.items()}
    return found


@pytest.mark.parametrize(
    ("limits", "bound"),
    [
        ({}, "memory"),
        ({"ttft_s": 0.3}, "ttft"),
        ({"tpot_s": 0.021}, "tpot"),
        ({"latency_s": 1.5, "ttft_s": 0.5}, "latency"),
    ],
)
def test_it_is_the_best_of_all_batches(limits: dict[str, float], bound: str) -> None:
    rates = {
        batch: batch / taken["latency_s"]
        for batch, taken in every_batch().items()
        if all(taken[name] <= limit for name, limit in limits.items())
    }
    best = max(rates, key=rates.__getitem__)
    own = static_batch(MODEL, LOAD, RUN, limits)
    assert (own.batch, own.bound) == (best, bound)
    assert own.requests_per_second == pytest.approx(rates[best], rel=1e-12)
    assert own.batch / own.latency_s == pytest.approx(own.requests_per_second, rel=1e-12)


def test_what_cannot_be_is_said_with_what_it_takes() -> None:
    with pytest.raises(NothingFitsError, match=r"TPOT of 1 ms cannot be kept: one request alone takes .* ms; allow"):
        static_batch(MODEL, LOAD, RUN, {"tpot_s": 1e-3})
    small = Run.of(replace(planner.find_hardware("l4"), memory_bytes=2e9))
    with pytest.raises(NothingFitsError, match=r"does not fit: one request takes .* of the 1.86 GiB of NVIDIA L4"):
        static_batch(MODEL, LOAD, small, {})
