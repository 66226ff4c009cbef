"""What to evaluate first of what a plan could pick, from its own table: nothing is costed again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.run_gains import Gains
from planner.planning.distinct import distinct_rows
from planner.planning.evaluating.believed import AsPlanned, WithOffsets
from planner.planning.evaluating.benchmarks import default_benchmarks, questions_of
from planner.planning.next_belief import Measurable, PlanBelief
from planner.planning.result import Plan
from planner.planning.table import CandidateTable, ranking_keys
from planner.planning.transfer.known import unmeasured

_S_PER_HOUR = 3600.0


@dataclass(frozen=True)
class First:
    """One evaluation of a candidate that keeps the limits."""

    model: str
    knob: str
    """As it is typed; "" as published."""
    visual_tokens: int
    gpu_hours: float | None
    """None without hardware."""
    flops: float
    expected_gain: float | None
    """None where no law expects anything."""


def first_evaluations(plan: Plan, count: int) -> tuple[First, ...]:
    """The evaluations that are expected to gain most for their cost, of different models that keep every limit.

    As `rank_evaluations` ranks them where nothing else is asked, but of candidates of the plan alone, each in that of
    the plan's ways to run that takes the fewest GPU-seconds. () of a plan without its table.

    Raises:
        InputError, FitError: a law that cannot say what a run would tell.
    """
    table, released = plan.all_candidates, plan.tried.released
    if table is None or table.model_index is None or released is None:
        return ()
    rows = np.flatnonzero(table.fits)
    hours = _gpu_hours(plan, table, rows)
    cost = table.quantities["total_flops"][rows] if hours is None else hours
    rows_by_cost = np.argsort(cost, kind="stable")
    owner, tokens = table.llm_index[rows][rows_by_cost], table.visual_tokens[rows][rows_by_cost]
    first, _ = distinct_rows(owner, tokens)
    chosen = rows_by_cost[first]
    model = table.llm_index[rows][chosen]
    checkpoints = released.selection.checkpoints
    questions = questions_of(default_benchmarks(plan.law))
    found = _gains(plan, rows[chosen], questions)
    unnamed = set(unmeasured([plan.law], released))
    named = np.array([one.name not in unnamed for one in checkpoints])
    new = ~(found.measured & named[model])
    told: dict[int, First] = {}
    for i in np.argsort(-found.expected_gain / cost[chosen], kind="stable"):
        if len(told) == count:
            break
        if not new[i] or int(model[i]) in told:
            continue
        gain, hour = float(found.expected_gain[i]), None if hours is None else float(hours[chosen[i]])
        told[int(model[i])] = _first(table, table.model_index, int(rows[chosen[i]]), questions, hour, gain)
    return tuple(told.values())


def _gains(plan: Plan, chosen: NDArray[np.intp], questions: int) -> Gains:
    """Of evaluations of some rows of the table."""
    table, released = plan.table, plan.tried.released
    assert released is not None
    first, which = distinct_rows(table.llm_index, table.visual_tokens)
    models = [released.selection.checkpoints[i] for i in table.llm_index[first]]
    belief = PlanBelief.of(plan, Measurable.released(models, table.visual_tokens[first]))
    if belief.has_effects:
        return AsPlanned(belief, tuple(which[chosen].tolist()), None, questions).gains()
    points = table.llm_params[chosen], table.visual_tokens[chosen]
    return WithOffsets(plan.law, points, points, 0.0, np.full(2 * len(chosen), -1), None, questions).gains()


def cheapest_evaluations(plan: Plan, count: int) -> tuple[First, ...]:
    """Those of the models that cost least, in the order of a plan that orders by cost alone: each model at the setting
    that costs least. () of a plan without its table."""
    table = plan.all_candidates
    if table is None or table.model_index is None or table.cost is None:
        return ()
    rows = np.flatnonzero(table.fits)
    rows = rows[np.lexsort(ranking_keys({name: one[rows] for name, one in table.quantities.items()}, table.cost[rows]))]
    rows = rows[np.sort(np.unique(table.llm_index[rows], return_index=True)[1])[:count]]
    hours, questions = _gpu_hours(plan, table, rows), questions_of(default_benchmarks())
    return tuple(
        _first(table, table.model_index, int(row), questions, None if hours is None else float(hours[i]), None)
        for i, row in enumerate(rows)
    )


def _gpu_hours(plan: Plan, table: CandidateTable, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """GPU-hours of a request of each row; None without hardware."""
    rate = table.quantities.get("requests_per_second")
    if rate is None:
        return None
    if "gpus" in table.quantities:
        return np.asarray(table.quantities["gpus"][rows] / rate[rows] / _S_PER_HOUR)
    devices = table.tensor_parallel[rows]
    replicas = 1 if plan.deployment.gpus is None else plan.deployment.gpus // devices
    found: NDArray[np.float64] = devices * replicas / rate[rows] / _S_PER_HOUR
    return found


def _first(
    table: CandidateTable,
    model_index: NDArray[np.intp],
    row: int,
    questions: int,
    gpu_hours: float | None,
    expected_gain: float | None,
) -> First:
    """The evaluation of a row, which takes so many GPU-hours for each question."""
    name: Mapping[str, str | None] = table.models[int(model_index[row])]
    return First(
        model=str(name["model"]),
        knob=name["knob"] or "",
        visual_tokens=int(table.visual_tokens[row]),
        gpu_hours=None if gpu_hours is None else float(questions * gpu_hours),
        flops=float(questions * table.quantities["total_flops"][row]),
        expected_gain=expected_gain,
    )
