"""What a plan expects of a configuration: the parts, the request, and every number that can be measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.quantities import format_bytes, format_flops, format_seconds, shown
from planner.bench.planned import Planned
from planner.configuration import Model
from planner.costs.flops import flops
from planner.costs.request import ROOFLINE
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.planning.load_plan import as_plan
from planner.planning.result import Plan
from planner.vlm.build import DTYPES
from planner.vlm.recipe import Recipe, make_recipe

_SAME = 1e-9
"""Relative: sums in another order differ by less."""


@dataclass(frozen=True)
class Expected(Planned):
    """A configuration as it was planned."""

    recipe: Recipe
    workload: Workload
    """The request that times and memory must hold for: of a distribution the 95th percentile."""
    batch: int
    precision: str
    """Of the LLM's weights; one that PyTorch computes in."""
    tensor_parallel: int
    hardware: Hardware | None
    """That predicts the times; None: no times are predicted."""
    plan_sha256: str | None = None
    stale: tuple[str, ...] = ()
    """Numbers of the plan that are no longer those which are predicted."""

    @property
    def model(self) -> Model:
        return self.recipe.model

    @property
    def named(self) -> Mapping[str, object]:
        r = self.recipe
        return {
            "llm": r.llm.name,
            "visual_tokens": r.visual_tokens,
            "vision": r.vision.name,
            "compressor": r.compressor.name,
            "prompt_order": r.prompt_order,
        }


def expected(
    plan: Plan | Mapping[str, Any] | str | Path,
    *,
    llm: str | None = None,
    vision: str | None = None,
    hardware: str | Path | Hardware | None = None,
    precision: str | None = None,
) -> Expected:
    """What a plan expects.

    Args:
        plan: a plan, what `Plan.to_dict` gave, or the file that vlm-planner plan -o wrote.
        llm: config.json of the language model, where the catalogue does not have the plan's; so with `vision`.
        hardware: a profile to predict times with, in place of the plan's.
        precision: in place of the plan's.

    Raises:
        InputError: a file that is no plan, parts or hardware that only a path can give, a precision that PyTorch's own
            layers do not compute in.
    """
    found_plan = as_plan(plan)
    best = found_plan.best
    recipe = make_recipe(found_plan, llm=llm, vision=vision)
    found_precision = precision or best.precision
    if found_precision not in DTYPES:
        raise InputError(
            f"the plan's weights are in {shown(found_precision)}; expected {', '.join(DTYPES)} here: verify it with "
            f"--precision bf16, which says what quantisation is measured against"
        )
    given = None if hardware is None else find_hardware(hardware)
    found = Expected(
        recipe=recipe,
        workload=found_plan.load.tail,
        batch=best.batch,
        precision=found_precision,
        tensor_parallel=best.tensor_parallel,
        hardware=given or found_plan.deployment.hardware,
        plan_sha256=found_plan.sha256,
    )
    return replace(found, stale=_stale(found, found_plan, as_planned=given is None and precision is None))


def _stale(found: Expected, plan: Plan, *, as_planned: bool) -> tuple[str, ...]:
    """Numbers of the plan that are not those which are predicted now: by another version, of changed parts."""
    best = plan.best
    counted = flops(found.recipe.model, plan.load.mean, plan.budget.convention)
    pairs: dict[str, tuple[float, float, Callable[[float], str]]] = {
        "FLOPs": (best.total_flops, float(counted.total), format_flops)
    }
    if as_planned and best.kv_precision is None:
        peak = float(found.memory(found.workload.generated_tokens).peak)
        pairs["peak memory"] = (best.quantities["peak_memory_bytes"], peak, format_bytes)
        latency = found.cost().latency if plan.deployment.latency_source == ROOFLINE else None
        if latency is not None and best.latency is not None:
            pairs["TTFT"] = (best.quantities["ttft_s"], float(latency.ttft_s), format_seconds)
    return tuple(
        f"{title}: the plan says {show(planned)}, {show(now)} is predicted now; plan again"
        for title, (planned, now, show) in pairs.items()
        if abs(planned - now) > _SAME * abs(now)
    )
