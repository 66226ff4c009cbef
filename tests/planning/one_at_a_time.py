"""The brute force behind tests of whole plans: candidates costed one at a time, limits checked one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from costs.loose import request_flops, request_latency, request_memory

from planner.costs.stages import Workload
from planner.hardware import hardware_catalog
from planner.laws.fitted import FittedLaw
from planner.parts.catalog import compressor_catalog, find_llms, vision_catalog
from planner.planning.request import Budget
from planner.planning.result import Plan
from planner.planning.search import plan

AT_LEAST = "requests_per_second"
COLUMNS = {
    "flops": "total_flops",
    "ttft_s": "ttft_s",
    "tpot_s": "tpot_s",
    "request_s": "request_s",
    "memory_bytes": "peak_memory_bytes",
    "energy_joules": "energy_joules",
    "price_per_million_requests": "price_per_million_requests",
    "requests_per_second": "requests_per_second",
}
"""Field of the Budget -> quantity of a candidate."""


@dataclass(frozen=True)
class Way:
    """One candidate, by names."""

    llm: str
    visual_tokens: int
    compressor: str
    vision: str
    prompt_order: str
    precision: str
    tensor_parallel: int
    batch: int


@dataclass(frozen=True)
class Row:
    """A candidate and what it costs."""

    way: Way
    error: float
    quantities: Mapping[str, float]
    possible: bool

    def keeps(self, limit: str, value: float) -> bool:
        quantity = self.quantities[COLUMNS[limit]]
        return quantity >= value if limit == AT_LEAST else quantity <= value

    def keeps_all(self, limits: Mapping[str, float]) -> bool:
        return self.possible and all(self.keeps(name, value) for name, value in limits.items())


@dataclass(frozen=True)
class Setting:
    """What is planned, but for the limits."""

    llms: tuple[str, ...]
    compressors: tuple[str, ...] = ("quecc",)
    towers: tuple[str, ...] = ("CLIP-ViT-L/14-336",)
    prompt_orders: tuple[str, ...] = ("image-first",)
    precisions: tuple[str, ...] = ("bf16",)
    tensor_parallel: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (1,)
    visual_tokens: tuple[int, ...] | None = None
    workload: Workload = field(default_factory=lambda: Workload(50, 32))
    hardware: str | None = "l4"
    kv_precision: str | None = None
    gpus: int | None = None
    price_per_hour: float | None = 1.5
    convention: str = "full"
    exponents: tuple[float, ...] = (0.1,)
    """Of the visual tokens in the law, one a compressor; the last stands for those that follow."""

    def law(self, compressor: str) -> FittedLaw:
        index = min(self.compressors.index(compressor), len(self.exponents) - 1)
        return FittedLaw.given("additive", {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": self.exponents[index], "D": 0.0})

    def plan(self, limits: Mapping[str, float], **options: Any) -> Plan:
        asked: dict[str, Any] = {
            "workload": self.workload,
            "llms": self.llms,
            "visual_tokens": self.visual_tokens,
            "vision": self.towers,
            "compressor": self.compressors,
            "prompt_order": self.prompt_orders,
            "hardware": self.hardware,
            "precision": self.precisions,
            "kv_precision": self.kv_precision,
            "tensor_parallel": self.tensor_parallel,
            "batch": self.batches,
            "scheduler": "static",
            "gpus": self.gpus,
            "price_per_hour": self.price_per_hour,
        }
        laws = {name: self.law(name) for name in self.compressors}
        budget = Budget(**{"convention": self.convention, **limits})
        return plan(laws, budget=budget, **(asked | options))

    def rows(self) -> list[Row]:
        """Every candidate; GPUs that are not there are not tried."""
        devices = [n for n in self.tensor_parallel if self.gpus is None or n <= self.gpus]
        return [
            self._row(Way(llm.name, v, *names, n, batch))
            for llm in find_llms(list(self.llms))
            for names in product(self.compressors, self.towers, self.prompt_orders, self.precisions)
            for v in (self.visual_tokens or admissible(names[0], names[1]))
            if v in admissible(names[0], names[1])
            for n, batch in product(devices, self.batches)
        ]

    def _row(self, way: Way) -> Row:
        costs = cost(way, self.workload, self.hardware, self.kv_precision, self.convention)
        seconds = costs.pop("request_s", None)
        if seconds is not None:
            card = hardware_catalog()[self.hardware or ""]
            per_request = way.tensor_parallel * seconds / way.batch  # GPU seconds
            replicas = 1 if self.gpus is None else self.gpus // way.tensor_parallel
            costs |= {"request_s": seconds, "requests_per_second": replicas * way.batch / seconds}
            assert card.power_w is not None
            costs["energy_joules"] = card.power_w * per_request
            if self.price_per_hour is not None:
                costs["price_per_million_requests"] = 1e6 * self.price_per_hour * per_request / 3600
        (llm,) = find_llms(way.llm)
        p = self.law(way.compressor).params
        error = p["A"] * math.pow(llm.nominal_params / 1e9, -p["alpha"]) + p["B"] * math.pow(
            way.visual_tokens, -p["beta"]
        )
        return Row(way, error, costs, llm.num_heads % way.tensor_parallel == 0)


def admissible(compressor: str, tower: str) -> list[int]:
    vision = vision_catalog()[tower]
    side = vision.image_size // vision.patch_size
    return [side * side] if compressor == "none" else [s * s for s in range(1, side + 1) if side % s == 0]


def cost(
    way: Way, workload: Workload, hardware: str | None, kv_precision: str | None, convention: str
) -> dict[str, float]:
    """Quantities of one candidate alone."""
    return dict(_cost(way, workload, hardware, kv_precision, convention))


@cache
def _cost(
    way: Way, workload: Workload, hardware: str | None, kv_precision: str | None, convention: str
) -> tuple[tuple[str, float], ...]:
    (llm,) = find_llms(way.llm)
    parts: dict[str, Any] = {
        "vision": vision_catalog()[way.vision],
        "compressor": compressor_catalog()[way.compressor],
        "prompt_order": way.prompt_order,
    }
    run: dict[str, Any] = {
        "precision": way.precision,
        "kv_precision": kv_precision,
        "batch": way.batch,
        "tensor_parallel": way.tensor_parallel,
    }
    flops = request_flops(llm, way.visual_tokens, workload, convention=convention, **parts)
    memory = request_memory(llm, way.visual_tokens, workload, **parts, **run)
    found = {"total_flops": float(flops.total), "peak_memory_bytes": float(memory.peak)}
    if hardware is not None:
        times = request_latency(llm, way.visual_tokens, workload, hardware=hardware_catalog()[hardware], **parts, **run)
        before = (times.encoder, times.compressor, times.query_pass, times.prefill)
        ttft = sum(float(stage.seconds) for stage in before)
        tpot = float(times.decode_step.seconds)
        steps = max(workload.generated_tokens - 1, 0)
        found |= {"ttft_s": ttft, "tpot_s": tpot, "request_s": ttft + steps * tpot}
    return tuple(found.items())


def way_of(candidate: Any) -> Way:
    """A candidate of a plan, by names."""
    return Way(
        candidate.llm.name,
        candidate.visual_tokens,
        candidate.compressor.name,
        candidate.vision.name,
        candidate.prompt_order,
        candidate.precision,
        candidate.tensor_parallel,
        candidate.batch,
    )


def ways_of_table(result: Plan, which: Sequence[bool] | None = None) -> list[Way]:
    """Rows of a plan's table, by names."""
    table = result.table
    rows = range(len(table)) if which is None else [row for row in range(len(table)) if which[row]]
    names = ("compressor", "vision", "prompt_order", "precision")
    return [
        Way(
            table.llms[table.llm_index[row]].name,
            int(table.visual_tokens[row]),
            *(table.setups[table.setup_index[row]][name] for name in names),
            int(table.tensor_parallel[row]),
            int(table.batch[row]),
        )
        for row in rows
    ]


def best_first(rows: Sequence[Row]) -> Callable[[Row], tuple[float, ...]]:
    """The order of merit: error, then FLOPs, then price, then TTFT; equal up to rounding is equal."""
    levels = sorted({row.error for row in rows})
    merged: dict[float, float] = {}
    for level in levels:
        last = next(reversed(merged.values()), None)
        merged[level] = last if last is not None and level - last < 1e-12 else level

    def key(row: Row) -> tuple[float, ...]:
        names = ("total_flops", "price_per_million_requests", "ttft_s")
        return (merged[row.error], *(float(f"{row.quantities.get(name, 0.0):.10g}") for name in names))

    return key
