"""By what candidates are ordered: the error that a law predicts, or, only where it is asked for, one cost alone.

    cost alone   the least of one quantity c of those that keep every limit (the most, where more is better, as of
                 requests per second); equal ones by FLOPs, then the price, then the TTFT

No law is asked then, so nothing is said of quality: no error, score, interval or odds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from planner.base.errors import InputError, UnknownNameError
from planner.planning.deployment import Deployment
from planner.planning.limits import LIMITS, Limit, LimitKind, find_limit
from planner.planning.table import FloatArray

if TYPE_CHECKING:
    from planner.parts.released import Models

ERROR, COST = "error", "cost"
"""The law's error, which is the default; the first limit of the budget, in the order in which limits are listed."""


def as_ranking(rank_by: object, models: Models | None, given: Mapping[str, object]) -> str:
    """What candidates are ordered by: "error", "cost", or the keyword of a limit ("ttft").

    Args:
        rank_by: as `planner.plan` takes it.
        models: the released models that are asked for.
        given: arguments that choose a law, which no cost needs; None of what was left out.

    Raises:
        UnknownNameError: neither of these.
        InputError: a cost where models are to be trained, or beside a law.
    """
    if rank_by in (ERROR, COST):
        found = str(rank_by)
    else:
        try:
            found = _called(find_limit(rank_by))
        except UnknownNameError:
            names = [ERROR, COST, *map(_called, LIMITS)]
            raise UnknownNameError("order of candidates (rank_by)", rank_by, names) from None
    if found == ERROR:
        return found
    if models is None:
        raise InputError(
            f"rank_by={found!r}: a cost alone orders released models, which exist at whatever quality; what to train "
            "is chosen by its predicted error: name models=, or leave out rank_by="
        )
    for name, value in given.items():
        if value is not None:
            raise InputError(f"rank_by={found!r}: a cost alone asks no law: leave out {name}= or rank_by=")
    return found


def _called(kind: LimitKind) -> str:
    """ "ttft", "price"; "flops", of which the keyword is that of the whole budget."""
    return kind.name if kind.names_itself else kind.keyword


def cost_kind(rank_by: str, limits: Sequence[Limit], deployment: Deployment) -> LimitKind:
    """The kind of limit whose quantity is the cost.

    Raises:
        InputError: what the quantity needs is not given: the hardware of a time, the price of an hour.
    """
    kind = limits[0].kind if rank_by == COST else find_limit(rank_by)
    lacking = (need.missing(deployment.hardware, deployment.price_per_hour) for need in kind.needs)
    for text in filter(None, lacking):
        raise InputError(f"rank_by={rank_by!r}: the {kind.title} needs {text}")
    return kind


def costs_of(kind: LimitKind, quantities: Mapping[str, FloatArray]) -> FloatArray:
    """What candidates are ordered by where it is a cost alone, the least first."""
    column = quantities[kind.column]
    return -column if kind.at_least else column
