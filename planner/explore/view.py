"""A state -> a plan -> what the page shows: sentences, tables of texts, the chart. Numbers are `planner.plan`'s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from planner.base.errors import InputError, PlannerError
from planner.base.quantities import format_fraction, format_percent, format_probability, format_seconds
from planner.costs.stages import Workload
from planner.explore.chart import Chart, chart_of
from planner.explore.offer import Offer
from planner.explore.state import State
from planner.hardware import find_hardware
from planner.parts.catalog import family_of
from planner.planning.candidate import Candidate, error_text
from planner.planning.limits import RELAXED_BY, find_limit
from planner.planning.request import Budget
from planner.planning.result import Plan
from planner.planning.search import plan as search
from planner.planning.words import law_title, tied_text, way_to_run, why_text
from planner.tell.cost import speed_limit
from planner.tell.document import Table as Told
from planner.tell.document import plain, raw_of
from planner.tell.plan import memory_text, relaxed_text
from planner.tell.stages import stage_table

TIED_SHOWN = 12


@dataclass(frozen=True)
class Table:
    """Cells as texts; a number a row for a bar beside it, between 0 and 1, where `shares` has any."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...] = ()
    foot: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class View:
    """What the page shows of one state."""

    message: str = ""
    """Why there is no plan; empty where there is one."""
    pick: str = ""
    sentence: str = ""
    """The pick with its interval."""
    facts: tuple[str, ...] = ()
    """How it runs, why it is the pick, what is tied, what binds, which law speaks."""
    extrapolates: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()
    """Memory, and what a looser limit would buy."""
    chart: Chart | None = None


def plan_of(state: State, offer: Offer) -> Plan:
    """The plan of a state. Raises PlannerError: nothing fits, or settings that need one another."""
    _check(state, offer)
    return search(
        offer.law_of(state.law, state.ocr_percent),
        budget=Budget(limits=state.limits),
        workload=Workload(state.query_tokens, state.generated_tokens, state.cached_tokens),
        llms=list(state.llms) or None,
        compressor=state.compressors,
        prompt_order=state.prompt_orders,
        hardware=state.hardware,
        precision=state.precisions or None,
        batch=offer.batches if state.batch is None else state.batch,
        price_per_hour=state.hourly_price,
    )


def _check(state: State, offer: Offer) -> None:
    """What the planner would refuse, in the words of the page."""
    if not state.limits:
        raise InputError("there is no limit: set one, such as the FLOPs of one request")
    card = None if state.hardware is None else find_hardware(state.hardware)
    for kind in map(find_limit, state.limits):
        for need in kind.needs:
            if need.missing(card, state.price_per_hour):
                raise InputError(f"{kind.called} needs {need.on_the_page}")
    if not state.llms and not any(family_of(name) for name in offer.law_of(state.law, state.ocr_percent).llms):
        raise InputError("the law names no language models that are known here: choose some families")


def view_of(state: State, offer: Offer) -> View:
    """What the page shows of a state; where there is no plan, why."""
    try:
        plan = plan_of(state, offer)
    except PlannerError as error:
        return View(message=str(error))
    return view_plan(plan)


def view_plan(plan: Plan) -> View:
    """What the page shows of a plan."""
    best = plan.best
    tied = [tied_text(plan)] if len(plan.tied) > 1 else []
    facts = (way_to_run(plan), why_text(plan), *tied, binding_text(plan), law_title(plan.law))
    return View(
        pick=str(best),
        sentence=sentence_of(plan),
        facts=tuple(text for text in facts if text),
        extrapolates=plan.extrapolates,
        assumptions=plan.assumptions,
        tables=tuple(table for table in _tables(plan) if table.rows),
        remarks=tuple(_remarks(plan)),
        chart=chart_of(plan),
    )


def sentence_of(plan: Plan) -> str:
    """The pick in a sentence: under what, with which error and interval."""
    best = plan.best
    asked = [one.limit for one in plan.limits if one.limit.name in plan.budget.limits]
    under = ", ".join(limit.short_text for limit in asked)
    unknown = "; no interval: the law was given by hand or has constraints" if best.interval is None else ""
    return f"Best under {under}: {best}, predicted error {error_text(best)}{unknown}."


def binding_text(plan: Plan) -> str:
    """Which limits hold the pick down."""
    held = [one.limit.title for one in plan.limits if one.binds]
    if held:
        return f"binds: {', '.join(held)}"
    together = len(plan.limits) > 1 and plan.fitting_count < plan.candidates_count
    better = plan.table.predicted_error.min() < plan.best.predicted_error
    if together and better:
        return "binds: no limit alone, several together"
    return "binds: nothing, no better candidate was tried"


def _remarks(plan: Plan) -> Iterable[str]:
    yield memory_text(plan.best)
    if plan.speed_limit_tokens is not None:
        yield plain(speed_limit(plan.speed_limit_tokens).line)
    relaxed = [relaxed_text(one, plan.best) for one in plan.limits if one.relaxed is not None]
    yield from relaxed or [f"{format_percent(RELAXED_BY, 1.0)} more of one limit alone buys nothing"]
    up = plan.next_up
    if up is not None and up not in [one.relaxed for one in plan.limits]:
        limit = plan.limits[0].limit
        yield f"a better pick from {limit.title} {limit.show(up.quantities[limit.column])} on: {up}, error " + (
            format_fraction(up.predicted_error)
        )


def _tables(plan: Plan) -> Iterable[Table]:
    yield _stages(plan)
    yield _limits(plan)
    yield _candidates("best that fit", (plan.best, *plan.runners_up), plan)
    if len(plan.tied) > 1:
        note = "" if len(plan.tied) <= TIED_SHOWN else f"the {TIED_SHOWN} cheapest of {len(plan.tied)}"
        yield _candidates("tied with the best", plan.tied[:TIED_SHOWN], plan, note)
    if plan.best_of_each:
        yield _each(plan)


def _stages(plan: Plan) -> Table:
    best, latency, load = plan.best, plan.best.latency, plan.load
    many = load.mean != load.tail
    told = stage_table(best.flops, latency, best.batch, plan.budget.convention, of_many=many)
    note = plain(told.caption)
    if latency is not None:
        ttft, tpot = format_seconds(float(latency.ttft_s)), format_seconds(float(latency.tpot_s))
        note += f"; TTFT {ttft}, TPOT {tpot}"
    return _texts(told, "cost by stage", note, bars="share")


def _texts(told: Told, title: str, note: str = "", bars: str = "") -> Table:
    """A table of the story as the page takes it; the bars show the raw shares of the column of that name."""
    at = told.columns.index(bars) if bars else -1
    shares = tuple(min(float(raw_of(row[at])), 1.0) for row in told.rows) if bars else ()
    foot = tuple(map(plain, told.foot[0])) if told.foot else ()
    rows = tuple(tuple(map(plain, row)) for row in told.rows)
    return Table(title, tuple(map(str, told.columns)), rows, shares, foot, note)


def _limits(plan: Plan) -> Table:
    rows = []
    for one in plan.limits:
        limit = one.limit
        allowed = ("at least " if limit.at_least else "") + limit.show(limit.value)
        pick = limit.show(plan.best.quantities[limit.column])
        rows.append((limit.title, allowed, pick, format_percent(one.used, 1.0), "binds" if one.binds else ""))
    used = tuple(min(one.used, 1.0) for one in plan.limits)
    return Table("limits", ("limit", "allowed", "pick", "used", ""), tuple(rows), used)


def _candidates(title: str, candidates: Iterable[Candidate], plan: Plan, note: str = "") -> Table:
    """Candidates with what is known of their error and what they take of the first limit."""
    found, limit = list(candidates), plan.limits[0].limit
    named = len({setup["compressor"] for setup in plan.table.setups}) > 1
    bounded, drawn = found[0].interval is not None, found[0].probability_best is not None
    head = ["LLM", "tokens", *["compressor"] * named, "error", *["95 % interval"] * bounded, *["best"] * drawn]
    rows = []
    for one in found:
        cells = [one.llm.name, str(one.visual_tokens), *[one.compressor.name] * named]
        cells.append(format_fraction(one.predicted_error))
        if one.interval is not None:
            cells.append(" to ".join(map(format_fraction, one.interval)))
        if one.probability_best is not None:
            cells.append(format_probability(one.probability_best))
        rows.append((*cells, limit.show(one.quantities[limit.column])))
    return Table(title, (*head, limit.title), tuple(rows), note=note)


def _each(plan: Plan) -> Table:
    rows = []
    for one in plan.best_of_each:
        error = format_fraction(one.predicted_error)
        rows.append((one.compressor.name, one.prompt_order, one.llm.name, str(one.visual_tokens), error))
    return Table("best of each, same limits", ("compressor", "prompt", "LLM", "tokens", "error"), tuple(rows))
