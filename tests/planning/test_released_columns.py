"""Released models costed side by side: equal, to the last digit, to each language model costed by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from planner.costs.latency import LATENCY_STAGES
from planner.costs.stages import Workload
from planner.laws.shipped import load_law
from planner.parts.images import ImageMix
from planner.parts.llms import Llm
from planner.parts.released import find_checkpoints
from planner.planning import released_groups
from planner.planning.deployment import as_deployment
from planner.planning.released import ReleasedAxes
from planner.planning.request import Budget, Load

SHORT = Load(Workload(120, 200), Workload(120, 200))
LONG = Load(Workload(40, 30, images=2), Workload(3000, 500, cached_tokens=9000, system_tokens=70, images=3))
CASES: dict[str, dict[str, Any]] = {
    "precisions": {"precisions": ("bf16", "fp8", "int8", "int4"), "tensor_parallel": (1, 2, 4, 8)},
    "own dtypes": {"precisions": None, "load": LONG, "mix": {"640x480": 6, "3000x500": 1}},
    "as PyTorch counts": {"precisions": ("fp8", "bf16"), "convention": "torch", "batches": (1, 64), "kv": "fp8"},
    "a laptop": {"precisions": ("Q4_K_M",), "hardware": "apple-m1-max", "load": LONG, "convention": "paper"},
}


def numbers(
    precisions: tuple[str, ...] | None,
    tensor_parallel: tuple[int, ...] = (1,),
    batches: tuple[int, ...] = (1,),
    load: Load = SHORT,
    mix: Mapping[str, int] | str = "1024x768",
    convention: str = "full",
    hardware: str = "h100-sxm",
    kv: str | None = None,
) -> dict[str, NDArray[Any]]:
    """Every number of every candidate of the whole catalogue, by name."""
    checkpoints = find_checkpoints("released")
    axes = ReleasedAxes.of(checkpoints, ImageMix.of(mix), load_law("reasoning"), load, precisions is None)
    tried = precisions or axes.own_precisions()
    deployment = as_deployment(Budget(ttft=1.0), hardware, tried, kv, tensor_parallel, batches, None, None)
    space = axes.evaluate(deployment, load, convention)
    found: dict[str, NDArray[Any]] = {}
    for number, block in enumerate(space.blocks):
        parts = {"flops": block.flops, "memory": block.memory}
        parts |= {stage: getattr(block.latency, stage) for stage in LATENCY_STAGES}
        for part, own in parts.items():
            whole = block.shape[2:] if part == "flops" else block.shape
            for one in fields(own):
                found[f"{number} {part} {one.name}"] = np.broadcast_to(getattr(own, one.name), whole)
    return found | dict(space.table.quantities)


def one_by_one(llms: Sequence[Llm]) -> list[tuple[list[int], Llm]]:
    """Each language model as a group of its own."""
    members: dict[int, list[int]] = {}
    for position, llm in enumerate(llms):
        members.setdefault(id(llm), []).append(position)
    return [(own, llms[own[0]]) for own in members.values()]


@pytest.mark.parametrize("case", CASES)
def test_side_by_side_costs_what_each_model_costs_alone(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = numbers(**CASES[case])
    monkeypatch.setattr(released_groups, "stacks", one_by_one)
    alone = numbers(**CASES[case])
    assert together.keys() == alone.keys()
    assert [name for name, value in together.items() if not np.array_equal(value, alone[name])] == []
