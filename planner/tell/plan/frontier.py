"""The frontier of a plan as a chart: error against the first limit, and what stands beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.base.quantities import format_fraction, format_score, score_of
from planner.planning.candidate import Candidate
from planner.planning.limits import Limit
from planner.planning.result import Plan
from planner.planning.table import CandidateTable
from planner.planning.words import rules_nothing_out
from planner.tell import values as v
from planner.tell.axes import linear_axis, log_axis
from planner.tell.document import SHAPES, Axis, Chart, Curve, Line, Mark, Rule, Value, foreign, joined, line
from planner.tell.plan.sentences import error_line, named

FloatArray = NDArray[np.float64]

POINTS_MIN = 3
"""Fewer candidates on the frontier make no curve."""
TIED_MAX = 12
"""More tied candidates than that make a cloud, of which a picture shows none beside the frontier."""
_FAR = 4.0  # a limit beyond this many times the dearest candidate would press all points to one side
_POINTS_MAX = 1500  # more would be slow to draw; those that fit come first
_NAME_MAX = 28


class Beside(Enum):
    """What a chart shows beside the frontier, the pick and the next one above the limit."""

    NEAR = "the next best and what is tied with the pick"
    FITTING = "all that fits, as far as it lies between the ends of the frontier"
    EVERYTHING = "all that was compared"


def has_frontier(plan: Plan) -> bool:
    """Whether there is a curve to draw."""
    costs = [_cost(plan, one) for one in plan.frontier]
    return len(costs) >= POINTS_MIN and 0 < min(costs) < max(costs) < math.inf


def frontier_chart(plan: Plan, beside: Beside = Beside.NEAR) -> Chart:
    """The least error for so much of the first limit.

    A plan that was read from a file holds no more candidates than those of `Beside.NEAR`.

    Raises:
        InputError: the plan orders by cost alone.
    """
    if plan.by_cost:
        raise InputError("the plan orders by cost alone: without predicted errors there is no frontier to draw")
    limit = plan.limits[0].limit
    tied = plan.tied if len(plan.tied) <= TIED_MAX else ()
    near = [one for one in dict.fromkeys((plan.best, *plan.runners_up, *tied)) if one not in plan.frontier]
    after = [] if plan.next_up is None else [plan.next_up]
    told = [*plan.frontier, *near, *after]
    sizes = {one.llm.name: one.llm.nominal_params for one in sorted(told, key=lambda one: one.llm.nominal_params)}
    groups = _groups(told) if len(sizes) > len(SHAPES) else {name: name for name in sizes}
    signs = dict(zip(dict.fromkeys(groups[name] for name in sizes), cycle(SHAPES), strict=False))
    marks = [_mark(one, plan, signs[groups[one.llm.name]], near, after) for one in told]
    x = _cost_axis(plan, limit, [mark.x for mark in marks])
    if beside is not Beside.NEAR and plan.all_candidates is not None:
        everything = beside is Beside.EVERYTHING
        others = list(_others(plan, plan.all_candidates, told, everything))
        if everything:
            x = _cost_axis(plan, limit, [mark.x for mark in (*marks, *others)])
        marks = [*(one for one in others if x.low <= one.x <= x.high), *marks]
    marks.sort(key=lambda mark: ("over", "beside", "next", "").index(mark.standing) + 4 * (mark.ring == "pick"))
    ends = [end for mark in marks for end in (mark.y, mark.low, mark.high) if end is not None]
    scored = line(", ", Value("1", 1, "the highest score"), " - score") if plan.best.score is not None else ()
    predicted = line(f"predicted {plan.best.predicts}", scored)
    title = predicted if plan.level_known else line("error above that of the pick")
    y = linear_axis(title, ends, lambda value: v.on_axis(value, plan.best.predicts))
    allowed = v.limited(limit, limit.value, f"limit: {limit.title}")
    return Chart(
        key="frontier",
        caption=line(f"frontier: the least {plan.best.predicts} for the {limit.of_one}", _others_bind(plan)),
        alt=_told(plan, limit),
        x=x,
        y=y,
        curves=(Curve(tuple(_corners(plan, limit)), "steps"),),
        marks=tuple(marks),
        rules=(Rule(limit.value, line("limit ", allowed)),),
        legend=tuple(_legend(signs, marks)),
        series=tuple(foreign(name, "LLM", _NAME_MAX) for name in sizes),
        weight="visual tokens",
    )


def _groups(told: list[Candidate]) -> dict[str, str]:
    """Models that share a shape where there are more than shapes, by name: released ones of a family, others do not."""
    from planner.parts.released.select import family_of_released  # only so many released models pay for its import

    owners = {one.llm.name: one.released for one in told}
    return {
        name: name if one is None else family_of_released(one.checkpoint.hub_id or name) for name, one in owners.items()
    }


def _cost(plan: Plan, candidate: Candidate) -> float:
    return candidate.quantities[plan.limits[0].limit.column]


def _cost_axis(plan: Plan, limit: Limit, costs: list[float]) -> Axis:
    """The limit lies on it, unless that is far from all candidates."""
    near = min(costs) / _FAR <= limit.value <= max(costs) * _FAR
    return log_axis(
        line(limit.of_one, f" ({plan.budget.convention} count)" if limit.kind.names_itself else ""),
        [*costs, *([limit.value] if near else [])],
        lambda value: v.limited(limit, value, f"on the axis: {limit.title}"),
        binary=limit.kind.unit == "bytes",
    )


def _mark(one: Candidate, plan: Plan, shape: str, near: list[Candidate], after: list[Candidate]) -> Mark:
    low, high = one.interval or (None, None)
    law = plan.laws[one.compressor.name]
    tied = one not in after and (rules_nothing_out(plan) or one in plan.tied)
    return Mark(
        _cost(plan, one),
        one.error,
        shape,
        _tip(one, plan),
        hollow=bool(law.outside(one.llm.nominal_params, one.visual_tokens)),
        low=low,
        high=high,
        ring="pick" if one == plan.best else "tied" if tied else "",
        series=one.llm.name,
        standing="next" if one in after else "beside" if one in near and one != plan.best else "",
        weight=float(one.visual_tokens),
    )


def _tip(one: Candidate, plan: Plan) -> Line:
    limit, way = plan.limits[0].limit, f" ({one.compressor.name})" if len(plan.tried.compressors) > 1 else ""
    cost = v.limited(limit, _cost(plan, one), f"{limit.title} of {one}")
    title = "" if limit.kind.names_itself else f"{limit.title} "
    return line(named(one, name_max=_NAME_MAX), way, ": ", error_line(one), f", {title}", cost)


def _corners(plan: Plan, limit: Limit) -> Iterator[tuple[float, float]]:
    """Of the steps, from the cheapest on, and on to the limit."""
    height = None
    for one in plan.frontier:
        if height is not None:
            yield _cost(plan, one), height
        height = one.error
        yield _cost(plan, one), height
    last = _cost(plan, plan.frontier[-1])
    if height is not None and last / _FAR <= limit.value <= last * _FAR:
        yield limit.value, height


def _others(plan: Plan, table: CandidateTable, told: list[Candidate], everything: bool) -> Iterator[Mark]:
    """What else was compared: each model with its visual tokens and compressor once, as it costs least; not what does
    not keep up with a load, which has no times."""
    limit = plan.limits[0].limit
    along = table.quantities[limit.column]
    known = {(one.llm.name, one.visual_tokens, one.compressor.name) for one in told}
    several = len(plan.tried.compressors) > 1
    title = "" if limit.kind.names_itself else f"{limit.title} "
    rows = _rows(table, along, limit.at_least)
    columns = (table.fits, table.setup_index, table.llm_index, table.visual_tokens, along, table.predicted_error)
    for fits, setup, llm, tokens, cost, error in zip(*(column[rows].tolist() for column in columns), strict=True):
        name, compressor = table.llms[llm].name, table.setups[setup]["compressor"]
        if not (fits or everything) or (name, tokens, compressor) in known or not math.isfinite(cost):
            continue
        way = f" ({compressor})" if several else ""
        count = "1 visual token" if tokens == 1 else f"{tokens:.0f} visual tokens"
        score = score_of(error, plan.best.predicts)
        scored = "" if score is None else f", score {format_score(score)}"
        height = f"{plan.best.predicts} {format_fraction(error)}{scored}"
        height = height if plan.level_known else f"{100 * error:.1f} points worse"
        text = f"{name} with {count}{way}: {height}, {title}{limit.show(cost)}"
        tip = (Value(text, error, "predicted error"),)
        standing = "beside" if fits else "over"
        yield Mark(cost, error, "circle", tip, series=name, standing=standing, weight=tokens)


def _rows(table: CandidateTable, along: FloatArray, at_least: bool) -> NDArray[np.intp]:
    """One row for each model, visual tokens and compressor: one that fits if there is one, then the least costly."""
    names = list(dict.fromkeys(setup["compressor"] for setup in table.setups))
    compressor = np.array([names.index(setup["compressor"]) for setup in table.setups])[table.setup_index]
    order = np.lexsort((-along if at_least else along, ~table.fits))
    highest = int(table.visual_tokens.max()) + 1
    key = (table.llm_index * highest + table.visual_tokens.astype(int)) * len(names) + compressor
    firsts = order[np.sort(np.unique(key[order], return_index=True)[1])]
    found: NDArray[np.intp] = firsts[:_POINTS_MAX]
    return found


def _legend(shapes: dict[str, str], marks: Iterable[Mark]) -> Iterator[tuple[str, Line]]:
    drawn = list(marks)
    for name, shape in shapes.items():
        yield shape, line(foreign(name, "language model or family", _NAME_MAX))
    yield "ring", line("pick")
    rings, standings = {one.ring for one in drawn}, {one.standing for one in drawn}
    for sign, told, seen in (
        ("ring-tied", line("tied with the pick"), "tied" in rings),
        ("beside", line("others that fit"), "beside" in standings),
        ("next", line("next better"), "next" in standings),
        ("over", line("breaks a limit"), "over" in standings),
        ("hollow", line("outside of the law's data"), any(one.hollow for one in drawn)),
        ("bar", line(v.interval_title()), any(one.low is not None for one in drawn)),
    ):
        if seen:
            yield sign, told


def _others_bind(plan: Plan) -> Line:
    """Which limits keep better configurations out, where the one that the frontier runs along does not."""
    first, *others = plan.limits
    binding = [one.limit.title for one in others if one.keeps_better_out]
    if first.keeps_better_out or not binding:
        return ()
    verb = "keeps" if len(binding) == 1 else "keep"
    return line("; not ", first.limit.title, " but ", joined(binding), f" {verb} better candidates out")


def _told(plan: Plan, limit: Limit) -> Line:
    """What the picture shows, for those who do not see it."""
    first, best = plan.frontier[0], plan.best

    def at(one: Candidate) -> Line:
        return v.of(limit, v.limited(limit, _cost(plan, one), f"{limit.title} of {one}"))

    def error(one: Candidate) -> Value:
        return v.predicted(one.error, one.predicts, str(one))

    allowed = v.limited(limit, limit.value, f"limit: {limit.title}")
    if len(plan.frontier) == 1:
        told = line("One configuration stands on the frontier: ", named(best), f", {best.predicts} ", error(best), ".")
    else:
        told = line(
            f"The {best.predicts} falls from ", error(first), " at ", at(first), " to ", error(best), " at ", at(best),
            ", which is the pick. The limit is ", allowed, ".",
        )  # fmt: skip
    if plan.next_up is not None:
        after = plan.next_up
        told = line(told, " Beyond it ", named(after), " would have ", error(after), " at ", at(after), ".")
    return told
