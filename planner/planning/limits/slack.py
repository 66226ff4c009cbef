"""Limits against candidates: which keep them, which limit binds, which two cannot be kept together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.hardware import Hardware
from planner.planning.limits.kinds import LIMITS, RELAXED_BY, BoolArray, FloatArray, Limit

if TYPE_CHECKING:
    from planner.planning.request import Budget


_USED_MIN = 0.75
"""Of a limit that leaves more than this share unused nobody says that it binds, whatever lies just above it."""


def limits_of(budget: Budget, hardware: Hardware | None, percentile: float | None = None) -> tuple[Limit, ...]:
    """The limits that hold: those of the budget, then those that the hardware sets by itself.

    What the hardware allows tightens a limit of the same kind; where no limit looks at that quantity, it is one. Under
    a load so many percent of the requests have to keep a time.
    """
    found: list[Limit] = []
    for kind in LIMITS:
        value = budget.limits.get(kind.name)
        if value is not None:
            if kind.of_hardware is not None and hardware is not None:
                value = min(value, kind.of_hardware(hardware))
            found.append(Limit(kind, value, percentile if kind.of_each_request else None))
    for kind in LIMITS:
        if kind.of_hardware is not None and hardware is not None and kind.column not in {one.column for one in found}:
            found.append(Limit(kind, kind.of_hardware(hardware)))
    return tuple(found)


def computed_columns(limits: Sequence[Limit], quantities: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """The columns that limits compute from the candidates' quantities, by name, each of shape (rows,).

    Raises:
        InputError: a limit looks at a quantity that these candidates do not have, or computes another shape.
    """
    rows = len(next(iter(quantities.values())))
    found: dict[str, FloatArray] = {}
    for limit in limits:
        if limit.kind.compute is not None:
            try:
                column = np.asarray(limit.kind.compute(quantities), float)
            except KeyError as missing:
                raise InputError(_lacks(limit, missing.args[0], quantities)) from None
            if column.shape != (rows,):
                raise InputError(f"{limit.kind.called} computes the shape {column.shape}, expected ({rows},)")
            found[limit.column] = column
        elif limit.column not in quantities:
            raise InputError(_lacks(limit, limit.column, quantities))
    return found


def _lacks(limit: Limit, quantity: str, quantities: Mapping[str, FloatArray]) -> str:
    return f"{limit.kind.called} looks at {quantity}, these candidates have {', '.join(quantities)}"


def all_met(limits: Sequence[Limit], quantities: Mapping[str, FloatArray]) -> BoolArray:
    """Which candidates keep every limit."""
    rows = len(next(iter(quantities.values())))
    met = np.ones(rows, bool)
    for limit in limits:
        met &= limit.met(quantities)
    return met


def met_by_none(
    limits: Sequence[Limit], quantities: Mapping[str, FloatArray], possible: BoolArray
) -> tuple[Limit, ...]:
    """The limits that nothing keeps, even alone; what the hardware limits comes first, since it cannot be loosened."""
    found = [limit for limit in limits if not (limit.met(quantities) & possible).any()]
    return tuple(sorted(found, key=lambda limit: limit.kind.of_hardware is None))


def conflict(limits: Sequence[Limit], quantities: Mapping[str, FloatArray], possible: BoolArray) -> tuple[Limit, ...]:
    """Why nothing fits: the one limit that nothing keeps, else two that nothing keeps together, else all of them."""
    met = [limit.met(quantities) & possible for limit in limits]
    for limit, alone in zip(limits, met, strict=True):
        if not alone.any():
            return (limit,)
    for (one, kept), (other, also) in combinations(zip(limits, met, strict=True), 2):
        if not (kept & also).any():
            return one, other
    return tuple(limits)


def gpus_that_do(
    limits: Sequence[Limit],
    quantities: Mapping[str, FloatArray],
    possible: BoolArray,
    tensor_parallel: NDArray[np.intp],
    gpus: int | None,
) -> int | None:
    """The least GPUs with which one of these candidates keeps every limit; None where no number of them helps.

    A replica on n GPUs gives r requests per second, G GPUs give floor(G / n) r; no other quantity knows of G. So
    G = n ceil(wanted / r), the least of all candidates that keep the other limits.

    Args:
        limits: every limit.
        quantities: of the candidates, with the throughput of `gpus`.
        possible: which candidates can run at all.
        tensor_parallel: n of each candidate.
        gpus: G now; None: a single replica.
    """
    rate = next((limit for limit in limits if limit.kind.of_all_gpus), None)
    if rate is None:
        return None
    rows = np.flatnonzero(all_met([limit for limit in limits if limit is not rate], quantities) & possible)
    devices = tensor_parallel[rows]
    per_replica = quantities[rate.column][rows] / (1 if gpus is None else gpus // devices)
    useful = per_replica > 0
    devices, per_replica = devices[useful], per_replica[useful]
    replicas = np.ceil(rate.value / per_replica)
    replicas -= (replicas - 1) * per_replica >= rate.value  # a quotient near a whole number is rounded to either side
    replicas += replicas * per_replica < rate.value
    return int((devices * replicas).min()) if len(devices) else None


@dataclass(frozen=True)
class Slack:
    """What one limit is to the pick."""

    limit: Limit
    used: float
    """Share of the limit that the pick uses."""
    keeps_better_out: bool
    """Whether a better candidate would fit without it."""
    relaxed_row: int | None
    """Row of the better pick if the limit were 10 % looser, None if that buys nothing."""


def binds(used: float, keeps_better_out: bool, near: bool) -> bool:
    """Whether it is a limit that holds the pick where it is: it keeps a better candidate out, and the pick has used up
    all but 10 % of it, or all but a quarter where a better one is near, within 10 % of the limit."""
    return keeps_better_out and used >= (_USED_MIN if near else 1 - RELAXED_BY)


def slacks(
    limits: Sequence[Limit], quantities: Mapping[str, FloatArray], errors: FloatArray, possible: BoolArray, best: int
) -> tuple[Slack, ...]:
    """For each limit, all others kept: does it keep a better one out, and what does relaxing it by 10 % buy?

    Better is what has a smaller error than all that fits: the pick may be another than the least of these, and no
    looser limit buys what fits already.
    """
    found = []
    least = errors[all_met(limits, quantities) & possible].min()
    for limit in limits:
        others = all_met([other for other in limits if other is not limit], quantities) & possible
        better = others & (errors < least)
        relaxed = np.flatnonzero(better & limit.relaxed().met(quantities))
        row = int(relaxed[np.argmin(errors[relaxed])]) if len(relaxed) else None
        used = limit.share(float(quantities[limit.column][best]))
        found.append(Slack(limit, used, bool(better.any()), row))
    return tuple(found)
