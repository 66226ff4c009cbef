"""What a plan expects of a released model: the checkpoint with its knob, the image, the request, every number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, MeasurementError
from planner.base.quantities import format_bytes, format_flops, format_seconds, shown
from planner.bench.measurement import EAGER, Measurement
from planner.bench.methods import AUTO, fits
from planner.bench.place import measurable_device
from planner.bench.planned import Planned, stale_numbers
from planner.bench.ranks import world_size
from planner.bench.released import check_measurable, measure_released, sweep_released
from planner.configuration import Model, ReleasedModel
from planner.costs.request import ROOFLINE
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.make.released import build_released
from planner.parts.released import Selection
from planner.planning.released import ReleasedAxes
from planner.planning.result import Plan
from planner.vlm.build import DTYPES, Progress


@dataclass(frozen=True)
class ExpectedReleased(Planned):
    """A released model as it was planned."""

    released: ReleasedModel
    workload: Workload
    batch: int
    precision: str
    tensor_parallel: int = 1
    hardware: Hardware | None = None
    plan_sha256: str | None = None
    stale: tuple[str, ...] = ()

    @property
    def model(self) -> Model:
        return self.released

    def check(self, method: str = AUTO, mode: str = EAGER) -> None:
        check_measurable(self.released, self.workload, mode, method)
        if self.tensor_parallel != 1:
            raise InputError(f"tensor_parallel: a released model is verified on 1 device, got {self.tensor_parallel}")
        if world_size() > 1:
            raise InputError("a released model is verified on one device: run it without torchrun")

    def load(self, weights: str, device: str | torch.device | None) -> Any:
        place = measurable_device(device)
        return build_released(self.released, weights=weights, dtype=self.precision, device=place)

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
        self.check(method, mode)
        options: dict[str, Any] = {"mode": mode, "seconds": seconds, "within": within, "seed": seed}
        options["progress"] = progress
        if model is not None:
            return measure_released(model, self.released, self.workload, batch=self.batch, **options)
        place = measurable_device(device)
        if not fits(self, place):
            needed = self.memory(self.workload.generated_tokens)
            peak = format_bytes(float(needed.peak - needed.reserve))
            raise MeasurementError(
                f"{self.released} at batch {self.batch} needs about {peak} at its peak, more than {place} has "
                "free with a margin: plan a smaller batch, image or model, or another precision"
            )
        options |= {"precision": self.precision, "device": str(place), "method": method, "retakes": 0}
        (found,) = sweep_released(self.released, [self.batch], self.workload, **options)
        return found


def expected_released(
    plan: Plan, *, hardware: str | Path | Hardware | None = None, precision: str | None = None
) -> ExpectedReleased:
    """What a plan whose pick is a released model expects of it; of several sizes of image, the one that 95 % of the
    images do not exceed.

    Args:
        plan: with such a pick.
        hardware: a profile to predict times with, in place of the plan's.
        precision: in place of the plan's.

    Raises:
        InputError: hardware that is not known, a precision that PyTorch's own layers do not compute in.
    """
    best = plan.best
    assert best.released is not None
    found = precision or best.precision
    if found not in DTYPES:
        raise InputError(
            f"the plan's weights are in {shown(found)}; expected {', '.join(DTYPES)} here: verify it with precision "
            "bf16, which says what quantisation is measured against"
        )
    given = None if hardware is None else find_hardware(hardware)
    return ExpectedReleased(
        released=best.released,
        workload=plan.load.tail,
        batch=best.batch,
        precision=found,
        tensor_parallel=best.tensor_parallel,
        hardware=given or plan.deployment.hardware,
        plan_sha256=plan.sha256,
        stale=_stale(plan, as_planned=given is None and precision is None),
    )


def _stale(plan: Plan, *, as_planned: bool) -> tuple[str, ...]:
    """Numbers of the plan that are not those which are predicted now."""
    best, timed = plan.best, plan.deployment.latency_source == ROOFLINE
    now = _now(plan)
    if now is None:
        return (f"{best.name}: its knob is not turned so any more; plan again",)
    show: dict[str, tuple[str, Callable[[float], str]]] = {"total_flops": ("FLOPs", format_flops)}
    if as_planned:
        show["peak_memory_bytes"] = ("peak memory", format_bytes)
        if timed and best.latency is not None:
            show["ttft_s"] = ("TTFT", format_seconds)
    return stale_numbers({title: (best.quantities[name], now[name], text) for name, (title, text) in show.items()})


def _now(plan: Plan) -> dict[str, float] | None:
    """What the pick costs by the numbers of today, by the names of a candidate's quantities; None where its knob has
    other values now."""
    best, tried = plan.best, plan.tried.released
    assert best.released is not None and tried is not None
    only = Selection((best.released.checkpoint,))
    law = None if plan.by_cost else plan.law
    axes = ReleasedAxes.of(only, tried.images, law, plan.load, own_dtype=False)
    deployment = replace(
        plan.deployment,
        precisions=(best.precision,),
        tensor_parallel=(best.tensor_parallel,),
        batches=(best.batch,),
        latency_source=ROOFLINE,
    )
    table = axes.evaluate(deployment, plan.load, plan.budget.convention).table
    row = next((i for i, cell in enumerate(axes.cells) if cell.turned == best.released.turned), None)
    return None if row is None else {name: float(column[row]) for name, column in table.quantities.items()}
