"""A state -> a plan -> what the page shows: sentences, tables of texts, the chart. Numbers are `planner.plan`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, PlannerError
from planner.base.quantities import format_seconds
from planner.costs.stages import Workload
from planner.explore.offer import OWN, Offer
from planner.explore.picture import as_json
from planner.explore.state import State
from planner.hardware import find_hardware
from planner.parts.catalog import family_of
from planner.planning.limits import find_limit
from planner.planning.request import Budget
from planner.planning.result import Plan
from planner.planning.search import plan as search
from planner.planning.under_load.asked import RATE, STATIC
from planner.tell.document import Chart, Line, foreign, line, plain, raw_of
from planner.tell.document import Table as Told
from planner.tell.plan import sentences as say
from planner.tell.plan.frontier import Beside, frontier_chart
from planner.tell.plan.load import asked_line
from planner.tell.plan.tables import best_table, each_table, limit_table, stages_of, tied_table
from planner.tell.published import gain_line, level_line, published_line
from planner.tell.stages import speed_limit

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
    words: tuple[int, ...] = ()
    """Columns that are set to the left."""


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
    """Every candidate that was compared."""

    def to_dict(self) -> dict[str, Any]:
        """As the page's script takes it."""
        plain_fields = {one.name: getattr(self, one.name) for one in fields(self)}
        return plain_fields | {
            "tables": [dict(vars(table)) for table in self.tables],
            "chart": None if self.chart is None else as_json(self.chart),
        }


def plan_of(state: State, offer: Offer) -> Plan:
    """The plan of a state. Raises PlannerError: nothing fits, or settings that need one another."""
    _check(state, offer)
    found = search(
        offer.law_of(state.law, state.ocr_percent),
        budget=Budget(limits=state.limits),
        workload=Workload(state.query_tokens, state.generated_tokens, state.cached_tokens),
        llms=list(state.llms) or None,
        compressor=state.compressors,
        prompt_order=state.prompt_orders,
        hardware=state.hardware,
        precision=state.precisions or None,
        batch=None if state.carries_load else offer.batches if state.batch is None else state.batch,
        gpus=state.gpus_in_all,
        price_per_hour=state.hourly_price,
        scheduler=state.scheduler if state.load == STATIC else None,
        percentile=state.percentile if state.carries_load else None,
        concurrency=state.concurrency,
    )
    return replace(found, notes=offer.own_notes) if state.law == OWN else found


def _check(state: State, offer: Offer) -> None:
    """What the planner would refuse, in the words of the page."""
    if not state.limits:
        raise InputError("there is no limit: set one, such as the FLOPs of one request")
    card = None if state.hardware is None else find_hardware(state.hardware)
    for kind in map(find_limit, state.limits):
        for need in kind.needs:
            if need.missing(card, state.price_per_hour):
                raise InputError(f"{kind.called} needs {need.on_the_page}")
    if state.concurrency is not None:
        if RATE in state.limits:
            raise InputError("the load is said twice: set either requests per second or requests at once to no limit")
        if state.load == STATIC:
            raise InputError("requests at once need continuous batching: static batches run one after the other")
        if card is None:
            raise InputError("requests at once need a GPU: choose one")
    if not state.llms and not any(family_of(name) for name in offer.law_of(state.law, state.ocr_percent).llms):
        raise InputError("the law names no language models that are known here: choose some families")


def view_of(state: State, offer: Offer) -> View:
    """What the page shows of a state; where there is no plan, why."""
    return view_or_why(lambda: plan_of(state, offer))


def view_or_why(planned: Callable[[], Plan]) -> View:
    """What the page shows of a plan; where there is none, why."""
    try:
        plan = planned()
    except PlannerError as error:
        return View(message=str(error))
    return view_plan(plan)


def view_plan(plan: Plan) -> View:
    """What the page shows of a plan."""
    best = plan.best
    facts = (
        asked_line(plan, why=False),
        say.way_line(plan),
        say.why_line(plan),
        say.tied_line(plan),
        say.binding_line(plan),
        say.law_line(plan),
        published_line(plan.law),
        level_line(plan),
        *(line(foreign(note, "note", 400)) for note in plan.notes),
    )
    head = plain(say.best_line(plan))
    quality = plain(say.prediction(best) or gain_line(plan)) or "nothing else fits"
    unknown = f"; {why}" if (why := say.no_interval(plan)) else ""
    return View(
        pick=str(best),
        sentence=f"{head[0].upper()}{head[1:]}, {quality}{unknown}.",
        facts=tuple(plain(told) for told in facts if told),
        extrapolates=plan.extrapolates,
        assumptions=plan.assumptions,
        tables=tuple(_tables(plan)),
        remarks=tuple(map(plain, _remarks(plan))),
        chart=frontier_chart(plan, Beside.EVERYTHING),
    )


def _remarks(plan: Plan) -> Iterable[Line]:
    yield say.memory_of(plan)
    if plan.speed_limit_tokens is not None:
        yield speed_limit(plan.speed_limit_tokens).line
    yield from say.more_lines(plan)


def _tables(plan: Plan) -> Iterable[Table]:
    yield table_of(stages_of(plan), "cost by stage", bars="share", note=_times(plan))
    yield table_of(limit_table(plan), bars="used")
    yield table_of(best_table(plan))
    if len(plan.tied) > 1:
        yield table_of(tied_table(plan, TIED_SHOWN))
    if plan.best_of_each:
        yield table_of(each_table(plan))


def _times(plan: Plan) -> str:
    """Beside the title of the costs by stage."""
    told, latency = plain(stages_of(plan).caption), plan.best.latency
    if latency is None:
        return told
    return f"{told}; TTFT {format_seconds(float(latency.ttft_s))}, TPOT {format_seconds(float(latency.tpot_s))}"


def table_of(told: Told, title: str = "", bars: str = "", note: str = "") -> Table:
    """A table of the story as the page takes it; the bars show the raw shares of the column of that name."""
    at = told.columns.index(bars) if bars else -1
    shares = tuple(min(float(raw_of(row[at])), 1.0) for row in told.rows) if bars else ()
    foot = tuple(map(plain, told.foot[0])) if told.foot else ()
    rows = tuple(tuple(map(plain, row)) for row in told.rows)
    head = tuple(map(str, told.columns))
    words = tuple(i for i, name in enumerate(head) if i == 0 or name in told.words)
    return Table(title or plain(told.caption), head, rows, shares, foot, note, words)
