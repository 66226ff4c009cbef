"""plan_among(): exact enumeration of the candidates that some axes make, vectorised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import NothingFitsError
from planner.base.lazily import Lazily
from planner.laws.combined import Law
from planner.planning.blocks import Space, candidate_at
from planner.planning.candidate import Candidate, SlackOfPick
from planner.planning.deployment import Deployment
from planner.planning.distinct import behind_its_own
from planner.planning.doubt import Doubt
from planner.planning.frontier import frontier
from planner.planning.limits import Limit, all_met, computed_columns, limits_of, slacks
from planner.planning.notes import assumptions, extrapolations
from planner.planning.nothing_fits import nothing_fits
from planner.planning.ranking import ERROR, cost_kind, costs_of
from planner.planning.request import Budget, Load
from planner.planning.result import Plan
from planner.planning.space import Axes
from planner.planning.speed_limit import speed_limit
from planner.planning.table import CandidateTable, ranking_keys
from planner.planning.transfer.known import nothing_known
from planner.planning.transfer.origin import Targets
from planner.planning.transfer.spreads import shipped_spreads
from planner.planning.transfer.transfer import Transfer
from planner.planning.tried import Tried

if TYPE_CHECKING:
    from planner.planning.released import ReleasedAxes

RUNNERS_UP = 5


def plan_among(
    axes: Axes | ReleasedAxes,
    budget: Budget,
    load: Load,
    deployment: Deployment,
    as_measured: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Plan:
    """The best of the candidates that these axes make. Raises NothingFitsError."""
    traffic = deployment.traffic
    if traffic is None:
        return _among_gpus(axes, budget, load, deployment, deployment.gpus, as_measured, notes)
    from planner.planning.under_load.size import next_size, numbers_of_gpus  # only who has a load pays for its import

    *fewer, last = numbers_of_gpus(axes, budget, load, deployment)
    for gpus in fewer:
        try:
            found = _among_gpus(axes, budget, load, deployment, gpus, as_measured, notes)
            break
        except NothingFitsError:
            continue  # the closed form thought that they would do
    else:
        found = _among_gpus(axes, budget, load, deployment, last, as_measured, notes)
    if traffic.scale is None:
        return found
    try:
        return replace(found, at_scale=plan_among(axes, *next_size(budget, load, deployment), as_measured).best)
    except NothingFitsError:
        return found


def _among_gpus(
    axes: Axes | ReleasedAxes,
    budget: Budget,
    load: Load,
    asked_for: Deployment,
    gpus: int | None,
    as_measured: tuple[str, ...],
    notes: tuple[str, ...],
) -> Plan:
    """The same on so many GPUs."""
    laws, deployment = axes.laws, asked_for.on(gpus)
    space = axes.evaluate(deployment, load, budget.convention)
    traffic = deployment.traffic
    limits = limits_of(budget, deployment.hardware, None if traffic is None else traffic.percentile)
    quantities = {**space.table.quantities, **computed_columns(limits, space.table.quantities)}
    fits = all_met(limits, quantities) & space.possible
    space = replace(space, table=replace(space.table, quantities=quantities, fits=fits))
    owners = list({id(one): one for one in laws.values()}.values())

    def none_fits(space: Space) -> NothingFitsError:
        both = (axes, axes.in_any_precision())
        ways = (partial(one.evaluate, load=load, convention=budget.convention) for one in both)
        return nothing_fits(space, limits, budget, deployment, *ways)

    if not fits.any():
        raise none_fits(space)
    if traffic is not None:
        from planner.planning.under_load.confirm import Confirming  # only who has a load pays for its import

        confirming = Confirming(space, limits, load, deployment)
        if not confirming.first(_order(axes, space, limits, deployment)):
            raise none_fits(confirming.space)
        space = confirming.space
    if axes.rank_by != ERROR:
        from planner.planning.cheapest import cheapest  # only who asks for it pays for its import

        if traffic is not None:
            assert confirming.confirmed is not None
            carried = confirming.carried[confirming.confirmed]
            if not cost_kind(axes.rank_by, limits, deployment).of_all_gpus:  # else others are ordered by the same form
                carried = confirming.settle(confirming.confirmed)
        found = cheapest(axes.rank_by, space, axes.tried(space), limits, budget, load, deployment)
        found = replace(found, notes=notes)
        return found if traffic is None else replace(found, deployment=asked_for, carried=carried)
    choice = _chosen(axes, owners, space, as_measured)
    while traffic is not None and not confirming.holds(choice.best_row):
        space = confirming.space  # the pick may be another than that of the least error, and not keep the limits
        choice = _chosen(axes, owners, space, as_measured)
    if traffic is not None:
        confirming.settle(choice.best_row)
        space = confirming.space
    table, fits = space.table, space.table.fits
    errors, costs = table.predicted_error, table.quantities["total_flops"]
    tried, doubt, ranking, distinct, best_row = choice
    level_known = all(law.level_known for law in owners)

    row_of: dict[int, int] = {}

    @cache  # so that no other object has the id of one
    def candidate(row: int) -> Candidate:
        facts = doubt.facts(row) if level_known else doubt.differences(row, best_row, errors)
        found = candidate_at(space, row, deployment.kv_precision, facts)
        row_of[id(found)] = row
        return found

    best = candidate(best_row)
    primary = limits[0]  # the frontier runs along FLOPs where they are limited, else along the first limit asked for
    along = table.quantities[primary.column] * (-1.0 if primary.at_least else 1.0)
    others = all_met([limit for limit in limits if limit is not primary], table.quantities) & space.possible
    reached = np.isfinite(along)  # what does not keep up with the load has no time at all
    better = np.flatnonzero((errors < errors[distinct].min()) & others & ~fits & reached)
    next_up = candidate(int(better[np.lexsort((errors[better], along[better]))[0]])) if len(better) else None
    tied = distinct[np.isin(distinct, doubt.tied_rows())]
    tied = tied[np.lexsort((errors[tied], costs[tied]))]
    following = doubt.next_best(distinct)
    other = None if level_known or tried.released is None else behind_its_own(table.llm_index, best_row, following)
    chosen_law = laws[best.compressor.name]
    return Plan(
        best=best,
        runners_up=tuple(candidate(int(row)) for row in following[:RUNNERS_UP]),
        tied=Lazily(len(tied), lambda k: candidate(int(tied[k])), holds=lambda one: _among(tied, row_of.get(id(one)))),
        frontier=tuple(candidate(row) for row in frontier(np.flatnonzero(fits), along, errors, best_row)),
        next_up=next_up,
        best_of_each=_best_of_each(space, ranking, candidate),
        limits=tuple(
            SlackOfPick(
                one.limit,
                one.used,
                one.keeps_better_out,
                None if one.relaxed_row is None else candidate(one.relaxed_row),
            )
            for one in slacks(limits, table.quantities, errors, space.possible, int(distinct[0]))
        ),
        laws=laws,
        budget=budget,
        load=load,
        deployment=asked_for,
        tried=tried,
        all_candidates=replace(
            table,
            doubt=doubt,
            predicted_error=errors if level_known else errors - errors[best_row],
            level_known=level_known,
        ),
        speed_limit_tokens=speed_limit(best, deployment, load),
        extrapolates=extrapolations(chosen_law, best, tried.released),
        next_other_model=None if other is None else candidate(other),
        assumptions=assumptions(chosen_law, best, budget, load.tail, best.run(deployment.hardware), as_measured),
        as_measured=as_measured,
        notes=notes,
        carried=None if traffic is None else confirming.carried[best_row],
    )


class _Choice(NamedTuple):
    tried: Tried
    doubt: Doubt
    ranking: NDArray[np.intp]
    """Rows that fit, best first."""
    distinct: NDArray[np.intp]
    """Among them each model once, the pick first."""
    best_row: int


def _chosen(axes: Axes | ReleasedAxes, owners: list[Law], space: Space, as_measured: tuple[str, ...]) -> _Choice:
    """The pick among what fits."""
    table = space.table
    blocks = [next(k for k, own in enumerate(owners) if own is block.law) for block in space.blocks]
    tried = axes.tried(space)
    asked = table.fits & (not nothing_known(owners, tried.released))
    transfer = Transfer(Targets.of(table, tried.released), shipped_spreads(), as_measured)
    doubt = Doubt.of(owners, np.array(blocks)[space.block_index], table, asked, transfer)
    ranking = _ranked(table, table.predicted_error)
    best_row, distinct = doubt.led_by_the_pick(ranking[space.listed_once(ranking)], table.predicted_error)
    return _Choice(tried, doubt, ranking, distinct, best_row)


def _ranked(table: CandidateTable, by: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows that fit, best first."""
    ranking = np.lexsort(ranking_keys(table.quantities, by))
    return ranking[table.fits[ranking]]


def _order(
    axes: Axes | ReleasedAxes, space: Space, limits: Sequence[Limit], deployment: Deployment
) -> NDArray[np.intp]:
    """Rows that fit, in the order in which they are to be confirmed."""
    if axes.rank_by == ERROR:
        return _ranked(space.table, space.table.predicted_error)
    return _ranked(space.table, costs_of(cost_kind(axes.rank_by, limits, deployment), space.table.quantities))


def _among(rows: NDArray[np.intp], row: int | None) -> bool | None:
    """Whether a row is one of some; None where it is not known."""
    return None if row is None else bool(np.any(rows == row))


def _best_of_each(space: Space, ranking: NDArray[np.intp], candidate: Any) -> tuple[Candidate, ...]:
    """The best of each compressor, tower and prompt order under the same budget, best first; () where one is tried."""
    names = [(setup["compressor"], setup["vision"], setup["prompt_order"]) for setup in space.table.setups]
    if len(set(names)) < 2:
        return ()
    kinds = np.array([names.index(name) for name in names])[space.block_index[ranking]]
    return tuple(candidate(int(ranking[i])) for i in np.sort(np.unique(kinds, return_index=True)[1]))
