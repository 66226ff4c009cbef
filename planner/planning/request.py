"""What is asked for: Budget. (The Workload is defined where it is costed, in `costs.stages`.)"""

from __future__ import annotations

from dataclasses import dataclass

from planner.costs.flops import CONVENTIONS, FULL
from planner.costs.stages import Workload
from planner.errors import QuantityError, UnknownNameError
from planner.quantities import parse_flops

__all__ = ["Budget", "Workload", "as_budget", "as_workload"]


@dataclass(frozen=True)
class Budget:
    """The most that one request may cost.

    Raises QuantityError for FLOPs that are no positive number, UnknownNameError for an unknown convention.
    """

    flops: float
    """FLOPs of one request; a text such as "2 TFLOPs" is read."""
    convention: str = FULL
    """How FLOPs are counted: "full" (every stage) or "paper" (2 N (Q + V + G), LLM only)."""

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise UnknownNameError("convention", self.convention, CONVENTIONS)
        object.__setattr__(self, "flops", parse_flops(self.flops, "budget"))


def as_budget(budget: Budget | float | str, convention: str | None) -> Budget:
    """A Budget from what a user may pass; `convention` overrides a plain number's default."""
    if isinstance(budget, Budget):
        return budget if convention is None else Budget(budget.flops, convention)
    return Budget(budget, convention or FULL)  # type: ignore[arg-type]  # Budget reads texts


def as_workload(
    workload: Workload | None, query_tokens: int | None, generated_tokens: int | None, cached_tokens: int
) -> Workload:
    """A Workload from either way of giving one. Raises QuantityError where both or neither are given."""
    if workload is not None:
        if query_tokens is not None or generated_tokens is not None or cached_tokens:
            raise QuantityError("workload: give a Workload or token counts, not both", workload)
        return workload
    if query_tokens is None or generated_tokens is None:
        missing = "query_tokens" if query_tokens is None else "generated_tokens"
        raise QuantityError(f"{missing}: expected how many tokens a request has, got nothing", None)
    return Workload(query_tokens, generated_tokens, cached_tokens)
