"""The released models that cost least: candidates that keep every limit, ordered by one cost alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from planner.planning.blocks import Space, candidate_at
from planner.planning.candidate import Candidate, SlackOfPick
from planner.planning.deployment import Deployment
from planner.planning.limits import Limit, computed_columns
from planner.planning.notes import assumptions
from planner.planning.ranking import cost_kind, costs_of
from planner.planning.request import Budget, Load
from planner.planning.result import Plan
from planner.planning.speed_limit import speed_limit
from planner.planning.table import ranking_keys
from planner.planning.tried import Tried

RUNNERS_UP = 5


def cheapest(
    rank_by: str,
    space: Space,
    tried: Tried,
    limits: Sequence[Limit],
    budget: Budget,
    load: Load,
    deployment: Deployment,
) -> Plan:
    """The plan that picks the least cost of what fits; without a law nothing is predicted of any candidate.

    Args:
        rank_by: which cost, as `planner.planning.ranking` names it.
        space: every candidate, with what fits; at least one does.
        tried: what made them.
        limits: every limit.
        budget: that they are of.
        load: what is served.
        deployment: how it is run.

    Raises:
        InputError: what the cost needs is not given: the hardware of a time, the price of an hour.
    """
    kind = cost_kind(rank_by, limits, deployment)
    table, quantities = (
        space.table,
        {**space.table.quantities, **computed_columns([Limit(kind, np.nan)], space.table.quantities)},
    )
    cost = costs_of(kind, quantities)
    space = replace(space, table=replace(table, quantities=quantities, cost=cost))

    @cache
    def candidate(row: int) -> Candidate:
        return candidate_at(space, row, deployment.kv_precision, {})

    order = np.lexsort(ranking_keys(quantities, cost))
    order = order[table.fits[order]]
    distinct = order[space.listed_once(order)]
    best = candidate(int(distinct[0]))
    used = [limit.share(float(quantities[limit.column][distinct[0]])) for limit in limits]
    return Plan(
        best=best,
        runners_up=tuple(candidate(int(row)) for row in distinct[1 : 1 + RUNNERS_UP]),
        tied=(),
        frontier=(),
        next_up=None,
        best_of_each=(),
        limits=tuple(SlackOfPick(limit, share, False, None) for limit, share in zip(limits, used, strict=True)),
        laws={},
        budget=budget,
        load=load,
        deployment=deployment,
        tried=tried,
        all_candidates=space.table,
        speed_limit_tokens=speed_limit(best, deployment, load),
        assumptions=assumptions(None, best, budget, load.tail, best.run(deployment.hardware)),
        rank_by=rank_by,
    )
