"""Why nothing fits, in a sentence: the limits that exclude everything, how near the nearest comes, what would do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from planner.base.errors import InputError, NothingFitsError
from planner.base.quantities import counted, format_flops
from planner.planning.blocks import Space, candidate_at
from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.limits import Limit, all_met, computed_columns, conflict, gpus_that_do, met_by_none
from planner.planning.request import Budget
from planner.planning.under_load.asked import ARRIVING, RATE, Traffic

WIDE = ("bf16", "fp16", "fp32")
_SMALLER = ("fp8", "Q8_0", "Q4_K_M")
"""Precisions that engines make of released weights, or files that are published, the widest first."""
SHARED_BY_MOST = 64
"""GPUs that share one model, at most, among which it is looked for a number that would do."""


def nothing_fits(
    space: Space,
    limits: tuple[Limit, ...],
    budget: Budget,
    deployment: Deployment,
    evaluate: Callable[[Deployment], Space],
    in_any_precision: Callable[[Deployment], Space],
) -> NothingFitsError:
    """Which limits exclude everything, or each other; what comes nearest; whether more GPUs or smaller weights would
    do.

    Args:
        space: the candidates, none of which keeps all limits.
        limits: every limit.
        budget: that they are of.
        deployment: the ways to run that were tried.
        evaluate: the candidates in other ways to run.
        in_any_precision: the same, released models in other precisions than that of their files too.
    """
    table = space.table
    if not space.possible.any():
        long = "the request has more tokens than the context of any model; shorten it"
        heads = "no model's heads can be shared by so many GPUs; lower tensor_parallel"
        return NothingFitsError(f"nothing fits: {long if space.shared.any() else heads}")
    more = gpus_that_do(limits, table.quantities, space.possible, table.tensor_parallel, deployment.gpus)
    if deployment.traffic is not None:
        more = None if deployment.gpus is None else _gpus_for_the_load(limits, deployment, evaluate)
    alone = met_by_none(limits, table.quantities, space.possible)
    if alone:
        smaller = partial(_smaller_weights, limits, deployment, in_any_precision)
        return _each_excludes_all(space, limits, alone, budget, deployment, more, evaluate, smaller)
    blame = conflict(limits, table.quantities, space.possible)
    *first, last = (str(limit) for limit in blame)
    both = "both limits" if len(blame) == 2 else "all limits"
    way_out = "" if more is None else f"; with gpus={more} {both.split()[0]} can be met"
    less = "each alone can be met" if len(blame) == 2 else "any two of them can be met"
    return NothingFitsError(f"no candidate meets {both}, {', '.join(first)} and {last}; {less}: loosen one{way_out}")


def _each_excludes_all(
    space: Space,
    limits: tuple[Limit, ...],
    alone: tuple[Limit, ...],
    budget: Budget,
    deployment: Deployment,
    more: int | None,
    evaluate: Callable[[Deployment], Space],
    smaller_weights: Callable[[], str],
) -> NothingFitsError:
    limit, *others = sorted(alone, key=lambda one: one.name != RATE) if deployment.traffic is not None else alone
    nearest = _nearest(space, limits, limit)
    value = nearest.quantities[limit.column]
    if deployment.traffic is not None and (limit.name == RATE or not math.isfinite(value)):
        return _overload(nearest, deployment.traffic, more)
    too = f"; none keeps {_listed(others)} either" if others else ""
    loosen = "loosen them" if others else "loosen it"
    if limit.kind.names_itself:
        ways = f"raise the budget{' and the limits' if others else ''}"
        return NothingFitsError(
            f"nothing fits {format_flops(limit.value)} ({budget.convention} count): the cheapest candidate is "
            f"{nearest} at {format_flops(value)}{too}; {ways} or name smaller models",
            budget_flops=limit.value,
            cheapest=str(nearest),
            cheapest_flops=value,
        )
    shared, faster = "", " or faster hardware"
    if limit.kind.of_hardware is not None and deployment.hardware is not None:
        faster = ""
        shared = _sharing(limits, limit, deployment, evaluate) + smaller_weights()
        if value > limit.kind.of_hardware(deployment.hardware):
            loosen = ""  # no looser budget would mend it
    ways = f"{loosen}, or name smaller models{faster}" if loosen else "name smaller models or a larger card"
    gpus = "" if more is None else f"; gpus={more} would do"
    return NothingFitsError(
        f"nothing fits {limit}: the nearest candidate is {nearest} at {limit.show(value)}{too}; {ways}{shared}{gpus}"
    )


def _overload(nearest: Candidate, traffic: Traffic, more: int | None) -> NothingFitsError:
    """That nothing keeps up with the load, and the most that a candidate carries."""
    gpus, found = int(nearest.quantities["gpus"]), nearest.quantities
    most = found[ARRIVING] / found["utilisation"]
    on = counted(gpus, "GPU")
    ways = "name smaller models or faster hardware" + (f"; gpus={more} would do" if more is not None else "")
    return NothingFitsError(
        f"nothing carries {traffic.text} on {on}: {nearest} in {nearest.precision} comes nearest, unstable above "
        f"{most:.4g} requests/s; {ways}"
    )


def _gpus_for_the_load(
    limits: tuple[Limit, ...], deployment: Deployment, evaluate: Callable[[Deployment], Space]
) -> int | None:
    """The fewest GPUs with which a candidate keeps every limit under the load; None where no number helps."""
    space = evaluate(replace(deployment, gpus=None))
    quantities = {**space.table.quantities, **computed_columns(limits, space.table.quantities)}
    fits = all_met(limits, quantities) & space.possible
    return int(quantities["gpus"][fits].min()) if fits.any() else None


def _listed(limits: list[Limit]) -> str:
    *first, last = map(str, limits)
    return f"{', '.join(first)} or {last}" if first else last


def _nearest(space: Space, limits: tuple[Limit, ...], limit: Limit) -> Candidate:
    """Of those that keep what the hardware sets, if any does."""
    table = space.table
    held = [one for one in limits if one.kind.of_hardware is not None and one is not limit]
    fits = all_met(held, table.quantities) & space.possible
    rows = np.flatnonzero(fits if fits.any() else space.possible)
    column = table.quantities[limit.column][rows]
    return candidate_at(space, int(rows[np.argmax(column) if limit.at_least else np.argmin(column)]), None, {})


def _sharing(
    limits: tuple[Limit, ...], limit: Limit, deployment: Deployment, evaluate: Callable[[Deployment], Space]
) -> str:
    """That more GPUs which share a model would do, or would at least keep one limit; "" where neither does."""
    counts, count = [], 2 * max(deployment.tensor_parallel)
    while count <= min(SHARED_BY_MOST, deployment.gpus or SHARED_BY_MOST):
        counts.append(count)
        count *= 2
    if not counts:
        return ""
    try:
        space = evaluate(replace(deployment, tensor_parallel=tuple(counts)))
        quantities = {**space.table.quantities, **computed_columns(limits, space.table.quantities)}
    except InputError:
        return ""  # the source of times has none of so many GPUs
    for wanted, said in ((limits, "would do"), ((limit,), f"would keep {limit}")):
        rows = np.flatnonzero(all_met(wanted, quantities) & space.possible)
        if len(rows):
            return f"; tensor_parallel={int(space.table.tensor_parallel[rows].min())} {said}"
    return ""


def _smaller_weights(
    limits: tuple[Limit, ...], deployment: Deployment, in_any_precision: Callable[[Deployment], Space]
) -> str:
    """The widest precision of the weights below 16 bits that would do; "" where none does, or some were tried."""
    if any(one not in WIDE for one in deployment.precisions):
        return ""
    for precision in _SMALLER:
        try:
            space = in_any_precision(replace(deployment, precisions=(precision,)))
            quantities = {**space.table.quantities, **computed_columns(limits, space.table.quantities)}
        except InputError:
            continue  # the card has no such precision
        if (all_met(limits, quantities) & space.possible).any():
            return f"; precision={precision!r} would do"
    return ""
