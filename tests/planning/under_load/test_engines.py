"""Columns of engines against engines one by one: iterations, room, and the closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planner
from planner.costs.stages import Workload
from planner.parts.catalog import find_compressor, find_llms, find_vision
from planner.planning.blocks import candidate_at
from planner.planning.candidate import Candidate
from planner.planning.choices import admissible, laws_of
from planner.planning.deployment import Deployment, as_deployment
from planner.planning.request import Budget, Load
from planner.planning.space import Axes
from planner.planning.under_load.service import service_of
from planner.traffic.demand import Demand
from planner.traffic.steady import steady

LOAD = Load(Workload(80, 150, 300, 20, 2), Workload(80, 150, 300, 20, 2))


def ways(card: str = "h100-sxm", **more: Any) -> tuple[Deployment, list[Candidate]]:
    """Each way to run, with the quantities of its row."""
    compressors = tuple(find_compressor(name) for name in ("average-pool", "quecc"))
    towers = (find_vision("CLIP-ViT-L/14-336"),)
    axes = Axes(
        find_llms(["Qwen2.5-0.5B", "Qwen2.5-7B", "Phi-2"]),
        towers,
        compressors,
        ("image-first", "text-first"),
        admissible([36, 64], compressors, towers),
        laws_of("reasoning", None, compressors),
    )
    budget = Budget(ttft="1 s", requests_per_second=3)
    deployment = as_deployment(budget, card, ("bf16", "fp8"), None, (1, 2), None, 4, 2.0, **more)
    space = axes.evaluate(deployment, LOAD, "full")
    return deployment, [candidate_at(space, row, None, {}) for row in range(len(space.table))]


def test_every_candidate_does_what_it_does_alone() -> None:
    deployment, candidates = ways()
    for one in candidates[::7]:
        service = service_of(one, LOAD, deployment)
        replicas = one.quantities["replicas"]
        assert replicas == 4 // one.tensor_parallel
        alone = steady(
            service.replica.iteration,
            service.scheduler,
            service.replica.kv_tokens,
            Demand.of(service.requests),
            3 / replicas,
        )
        assert one.quantities["tpot_s"] == pytest.approx(float(alone.tpot_tail_s), rel=0.05), one
        assert one.quantities["ttft_s"] == pytest.approx(float(alone.ttft_tail_s), rel=0.08), one
        assert one.quantities["requests_per_second"] == pytest.approx(float(alone.capacity) * replicas, rel=0.15), one


def test_room_of_many_is_that_of_each() -> None:
    from planner.planning.under_load import engines

    seen: list[Any] = []
    made = engines.engines_of

    def kept(*given: Any) -> Any:
        seen.append(made(*given))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.planning.under_load.columns.engines_of", kept)
        deployment, candidates = ways()
    rooms = np.concatenate([one.kv_tokens for one in seen])
    assert len(rooms) == len(candidates)
    for room, one in zip(rooms[::5], candidates[::5], strict=True):
        assert room == pytest.approx(service_of(one, LOAD, deployment).room.tokens, rel=1e-9), one


def test_a_limit_of_the_memory_leaves_less_room() -> None:
    deployment, candidates = ways()
    assert deployment.traffic is not None
    tight = replace(deployment, traffic=replace(deployment.traffic, memory_bytes=30 * 2.0**30))
    big = max(candidates, key=lambda one: one.llm.params)
    free, held = (service_of(big, LOAD, one).room.tokens for one in (deployment, tight))
    assert 0 < held < free / 2


def test_tables_follow_the_iterations() -> None:
    """Between nodes, of which kernels make no straight line."""
    from planner.planning.under_load import engines

    seen: list[Any] = []
    made = engines.engines_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "planner.planning.under_load.columns.engines_of", lambda *given: seen.append(made(*given)) or seen[-1]
        )
        deployment, candidates = ways()
    first = seen[0]
    generator = np.random.default_rng(3)
    for row in range(0, len(first), 5):
        service, demand = service_of(candidates[row], LOAD, deployment), first.demand
        s, c, pairs = (float(getattr(demand, name)[row]) for name in ("prompt_tokens", "context_tokens", "pairs"))
        for n in generator.integers(0, 900, 6):
            p = float(generator.uniform(s, 7000))
            exact = service.replica.iteration.seconds(n, n * c, p, p * pairs / s, n + p / s, images=2 * p / s)
            table = first.iteration.only(np.array([row])).seconds(float(n), n * c, p)
            assert float(table[0]) == pytest.approx(float(exact), rel=0.06)


def test_more_requests_need_more_gpus() -> None:
    counts = []
    for rate in (1, 10, 100, 1000):
        plan = planner.plan(
            budget=Budget(ttft="200 ms", requests_per_second=rate, price=1e6),
            price_per_hour=1.0,
            hardware="l4",
            query_tokens=50,
            generated_tokens=100,
            llms="Qwen2.5-1.5B",
            visual_tokens=[36],
        )
        assert plan.carried is not None
        counts.append(plan.carried.gpus)
    assert counts == sorted(counts)
    assert counts[-1] > 20 * counts[0]
