"""What a plan expects of a configuration: the parts, the request, and every number that can be measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import format_bytes, format_flops, format_seconds, shown
from planner.bench.expected_released import expected_released
from planner.bench.measure import measure
from planner.bench.measurement import MODES, Measurement
from planner.bench.methods import check_method, in_slices
from planner.bench.place import free_memory, measurable_device
from planner.bench.planned import Planned, stale_numbers
from planner.bench.ranks import build_shared, need_ranks
from planner.bench.slices import measure_by_slices
from planner.configuration import Model
from planner.costs.flops import flops
from planner.costs.request import ROOFLINE
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.planning.load_plan import PlanLike, as_plan
from planner.planning.result import Plan
from planner.vlm.build import DTYPES, Progress, build_recipe, default_device
from planner.vlm.recipe import Recipe, make_recipe
from planner.vlm.saving import load_model
from planner.vlm.weights import PRETRAINED


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

    def check(self, method: str, mode: str) -> None:
        check_method(method)
        if mode not in MODES:
            raise UnknownNameError("mode", mode, MODES)
        need_ranks(self.tensor_parallel)

    def load(self, weights: str, device: str | torch.device | None) -> Any:
        if weights == PRETRAINED:
            raise InputError(
                f"{self.recipe} is to be trained, so no pretrained weights of it exist; expected random, or a folder "
                "that build wrote"
            )
        return load_model(weights, device or default_device())[0]

    def measured(
        self,
        model: Any | None,
        *,
        device: str | torch.device | None,
        method: str,
        mode: str,
        seconds: float,
        within: float,
        seed: int,
        progress: Progress | None,
    ) -> Measurement:
        options: dict[str, Any] = {"batch": self.batch, "mode": mode, "seconds": seconds, "within": within}
        options |= {"seed": seed, "progress": progress}
        if model is None and self.tensor_parallel > 1:
            model = build_shared(self.recipe, self.precision, seed)
        if model is not None:
            return measure(model, self.recipe, self.workload, **options)
        place = measurable_device(device)
        if in_slices(method, self, place):
            return measure_by_slices(self.recipe, self.workload, dtype=self.precision, device=place, **options)
        built = build_recipe(self.recipe, {}, dtype=self.precision, device=place, seed=seed, progress=progress)
        found = measure(built, self.recipe, self.workload, **options)
        del built
        free_memory()
        return found


def as_planned(
    plan: PlanLike,
    *,
    llm: str | None = None,
    vision: str | None = None,
    hardware: str | Path | Hardware | None = None,
    precision: str | None = None,
) -> Planned:
    """What a plan expects of its pick, be it made of parts or a released model; arguments as those of `expected`.

    Raises:
        InputError: what `expected` raises; parts of a released model.
    """
    found = as_plan(plan)
    if found.best.released is None:
        return expected(found, llm=llm, vision=vision, hardware=hardware, precision=precision)
    for name, part in (("llm", llm), ("vision", vision)):
        if part is not None:
            raise InputError(f"{name}: the plan's pick is a released model, which brings its own parts; leave it out")
    return expected_released(found, hardware=hardware, precision=precision)


def expected(
    plan: PlanLike,
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
    return stale_numbers(pairs)
