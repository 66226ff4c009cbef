"""Tables of a plan: what stands beside the pick, what it costs, which limit keeps better candidates out.

Each takes a Plan, one that was read from a file too, and gives a Table whose numbers are Values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.planning.candidate import Candidate
from planner.planning.limits import Limit
from planner.planning.pick_facts import gpus_used
from planner.planning.result import Plan
from planner.planning.words import limit_words
from planner.tell import values as v
from planner.tell.document import Line, Table, Value, foreign, line
from planner.tell.published import margin_cell, margin_interval, rests_on_published
from planner.tell.stages import stage_table

NAME_MAX = 60
"""Characters of a name in a table."""
_WORDS = frozenset({"LLM", "model", "knob", "compressor", "tower", "prompt", "precision"})
_SPARE = ("best", "95 % interval", "score")


def best_table(plan: Plan) -> Table:
    """The pick and the next best that fit, or the cheapest."""
    return candidate_table(
        line("cheapest that fit" if plan.by_cost else "best that fit"), (plan.best, *plan.runners_up), plan, marked=0
    )


def frontier_table(plan: Plan) -> Table:
    """The candidates that no cheaper one beats, cheapest first."""
    marked = plan.frontier.index(plan.best) if plan.best in plan.frontier else None
    caption = line(f"frontier: the least {plan.best.predicts} for the {plan.limits[0].limit.of_one}")
    return candidate_table(caption, plan.frontier, plan, marked)


def tied_table(plan: Plan, rows_max: int) -> Table:
    """What is statistically tied with the pick, the pick among it, cheapest first; the first so many."""
    shown, whole = plan.tied[:rows_max], v.count(len(plan.tied), "candidates tied, the pick among them")
    of = line(": the ", v.count(len(shown), "rows shown"), " cheapest of ", whole) if len(plan.tied) > rows_max else ()
    marked = shown.index(plan.best) if plan.best in shown else None
    return candidate_table(line("tied with the best", of), shown, plan, marked)


def each_table(plan: Plan) -> Table:
    """The best of each compressor, tower and prompt order under the same limits; no rows where one was tried."""
    return candidate_table(line("best of each, same limits"), plan.best_of_each, plan, ways=True)


def candidate_table(
    caption: Line, rows: Sequence[Candidate], plan: Plan, marked: int | None = None, ways: bool = False
) -> Table:
    """Candidates with what is known of their error and what they take of the first limit, or cost.

    A column stands where rows differ in it, or where it is known of every row.

    Args:
        caption: of the table.
        rows: candidates of the plan, at least one.
        plan: theirs.
        marked: the row of the pick.
        ways: whether the rows are the best of each way: compressor and prompt order stand first.
    """
    kind = plan.cost_kind
    limit = next((one.limit for one in plan.limits if one.limit.kind is kind), v.limit_kind(kind.name, 1.0))
    setups = {
        "compressor": [Value(one.compressor.name, one.compressor.name, "compressor") for one in rows],
        "tower": [foreign(one.vision.name, "vision tower", NAME_MAX) for one in rows],
        "prompt": [Value(one.prompt_order, one.prompt_order, "prompt order") for one in rows],
        "precision": [Value(one.precision, one.precision, "precision of the weights") for one in rows],
        "GPUs": [v.count(one.tensor_parallel, "GPUs that share the model") for one in rows],
        "batch": [v.count(one.batch, "requests that run together") for one in rows],
    }
    always = ("compressor", "prompt") if ways else ()
    released = plan.tried.released is not None
    if released:  # a model's own parts go without saying
        setups = {name: cells for name, cells in setups.items() if name not in ("compressor", "tower", "prompt")}
    models = {
        "model" if released else "LLM": [foreign(one.llm.name, "language model", NAME_MAX) for one in rows],
        **({"knob": [_knob(one) for one in rows]} if released else {}),
        "tokens": [v.tokens(one.visual_tokens, "visual tokens per image") for one in rows],
    }
    differ = {name: cells for name, cells in setups.items() if name in always or len({cell.raw for cell in cells}) > 1}
    named = differ | models if ways else models | differ
    columns: dict[str | Value, list[Line]] = {name: [line(cell) for cell in cells] for name, cells in named.items()}
    if not plan.by_cost and not plan.level_known:
        columns["points worse"] = [margin_cell(one) for one in rows]
        if any(one.above_pick is not None and one.above_pick.interval for one in rows):
            columns[v.interval_title()] = [margin_interval(one) for one in rows]
    elif not plan.by_cost:
        columns[plan.best.predicts] = [line(v.predicted(one.error, one.predicts, str(one))) for one in rows]
    if all(one.score is not None for one in rows):
        columns["score"] = [line(v.score(one.error, f"predicted score of {one}")) for one in rows]
    intervals = [one.interval for one in rows if one.interval is not None]
    wide = released and bool(plan.best.interval_parts)  # of models that no run is of: as wide for all of them
    if len(intervals) == len(rows) and not wide:
        columns[v.interval_title()] = [_ends(*ends) for ends in intervals]
    odds = [one.probability_best for one in rows if one.probability_best is not None]
    if len(odds) == len(rows):
        columns["best"] = [line(v.odds(one, "probability that nothing that fits is better")) for one in odds]
    columns[limit.title] = [line(_in_column(limit, one)) for one in rows]
    return Table(
        caption,
        tuple(columns),
        tuple(zip(*columns.values(), strict=True)),
        words=_WORDS,
        marked=marked,
        spare=_spare(plan, limit),
        names="model" if released else "LLM",
        beneath="knob" if released else "",
    )


def _spare(plan: Plan, limit: Limit) -> tuple[str, ...]:
    """Columns that a narrow table leaves out, the first first. Where published results rank, the differences say little
    without their intervals and odds; a released model has its name and knob, one to be trained needs its tokens."""
    if plan.by_cost or not rests_on_published(plan.law):
        return (*_SPARE, limit.title)
    return ("score", *(("tokens",) if plan.tried.released else ()), limit.title, "precision", "best", "95 % interval")


def _knob(one: Candidate) -> Value:
    return foreign(one.knob, "knob", NAME_MAX) if one.knob else Value("as published", "", "knob")


def _ends(low: float, high: float) -> Line:
    between = " to " if low < 0 else "-"
    return line(v.error(low, "lower end of the interval"), between, v.error(high, "upper end of the interval"))


def _in_column(limit: Limit, candidate: Candidate) -> Value:
    """What a candidate takes of a limit, under the limit's title: "1.66 T" under FLOPs."""
    number = candidate.quantities[limit.column]
    told = v.limited(limit, number, f"{limit.title} of {candidate}")
    return Value(told.text.removesuffix(limit.title).strip(), number, told.what, told.unit)


def limit_table(plan: Plan, measured: Mapping[str, Line] | None = None) -> Table:
    """Every limit, what the pick takes of it, and whether it keeps a better candidate out.

    Args:
        plan: the plan.
        measured: what was measured of the pick, by the limit's name; None leaves the column out.
    """
    best, gpus = plan.best, gpus_used(plan)
    rows = []
    for one, word in zip(plan.limits, limit_words(plan.limits), strict=True):
        limit = one.limit
        of_all = line(" of ", v.count(gpus, "GPUs that serve"), " GPUs") if limit.kind.of_all_gpus and gpus > 1 else ()
        allowed = v.limited(limit, limit.value, f"limit: {limit.title}")
        pick = v.limited(limit, best.quantities[limit.column], f"{limit.title} of the pick")
        cells = (line(limit.title, of_all), line("at least " if limit.at_least else "", allowed), line(pick))
        used = line(v.share(one.used, 1.0, f"share of the limit that is used: {limit.title}"))
        more = [] if measured is None else [measured.get(limit.name, ())]
        rows.append((*cells, used, *more, *([] if plan.by_cost else [line(word)])))
    columns = ("limit", "allowed", "pick", "used", *["measured"] * (measured is not None), *[""] * (not plan.by_cost))
    return Table(line("limits"), columns, tuple(rows), words=frozenset({""}))


def stages_of(plan: Plan) -> Table:
    """Computing and time of the pick, stage by stage."""
    best, budget, load = plan.best, plan.budget, plan.load
    many = load.mean != load.tail
    return stage_table(best.flops, best.latency, best.batch, budget.convention, budget.flops, many)
