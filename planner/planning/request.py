"""What is asked for: Budget. (The Workload is defined where it is costed, in `costs.stages`.)"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from planner.base.errors import QuantityError, UnknownNameError
from planner.base.quantities import parse_bytes, parse_flops, parse_seconds, positive_number, shown
from planner.costs.flops import CONVENTIONS, FULL
from planner.costs.stages import Workload

__all__ = ["Budget", "Load", "Workload", "as_budget", "as_workload"]

_TIMES = ("ttft_s", "tpot_s", "request_s")


@dataclass(frozen=True)
class Budget:
    """The most that a request may cost, in any combination of limits; at least one is needed.

    Quantities are plain numbers or texts with a unit. Raises QuantityError for a limit that is no positive number,
    UnknownNameError for an unknown convention.
    """

    flops: float | None = None
    """FLOPs of one request; a text such as "2 TFLOPs" is read."""
    convention: str = FULL
    """How FLOPs are counted: "full" (every stage), "paper" (2 N (Q + V + G), LLM only) or "torch"."""
    ttft_s: float | None = None
    """Time to first token (TTFT), in seconds; "100 ms" is read."""
    tpot_s: float | None = None
    """Time per output token (TPOT) after the first, in seconds."""
    request_s: float | None = None
    """Time of a whole request, first token to last, in seconds."""
    memory_bytes: float | None = None
    """Peak memory on one device; "24 GiB" is read. That of the hardware by default."""
    energy_joules: float | None = None
    """Energy of one request."""
    price_per_million_requests: float | None = None
    """In the currency of the price per hour."""
    requests_per_second: float | None = None
    """Least throughput of all GPUs together."""

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise UnknownNameError("convention", self.convention, CONVENTIONS)
        limits = [item.name for item in fields(self) if item.name != "convention"]
        if self.flops is not None or all(getattr(self, name) is None for name in limits):
            object.__setattr__(self, "flops", parse_flops(self.flops, "budget"))
        for name in limits[1:]:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _read(value, name))


def _read(value: Any, name: str) -> float:
    if name in _TIMES:
        return parse_seconds(value, name)
    if name == "memory_bytes":
        return parse_bytes(value, name)
    return positive_number(value, name)


def as_budget(budget: Budget | float | str, convention: str | None) -> Budget:
    """A Budget from what a user may pass; `convention` overrides a plain number's default."""
    if isinstance(budget, Budget):
        return budget if convention is None else replace(budget, convention=convention)
    return Budget(budget, FULL if convention is None else convention)  # type: ignore[arg-type]  # Budget reads texts


@dataclass(frozen=True)
class Load:
    """What is served."""

    mean: Workload
    """The request that FLOPs, throughput, energy and price are counted for."""
    tail: Workload
    """The request that times and memory must hold for: the 95th percentile of a distribution, else the same."""
    requests: int = 1
    """How many requests these stand for."""


def as_workload(
    workload: Workload | None, query_tokens: int | None, generated_tokens: int | None, cached_tokens: int
) -> Workload:
    """A Workload from either way of giving one. Raises QuantityError where both or neither are given."""
    if workload is not None:
        if not isinstance(workload, Workload):
            raise QuantityError(f"workload: expected a Workload or a CSV's path, got {shown(workload)}", workload)
        if query_tokens is not None or generated_tokens is not None or cached_tokens:
            raise QuantityError("workload: give a Workload or token counts, not both", workload)
        return workload
    if query_tokens is None or generated_tokens is None:
        missing = "query_tokens" if query_tokens is None else "generated_tokens"
        raise QuantityError(f"{missing}: expected how many tokens a request has, got nothing", None)
    return Workload(query_tokens, generated_tokens, cached_tokens)
