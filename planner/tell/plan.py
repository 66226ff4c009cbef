"""Rich tables of a plan: the pick, what it costs, which limit holds it, what stands beside it. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.base.quantities import format_bytes, format_flops, format_fraction, format_percent, format_probability
from planner.costs.stages import STAGES
from planner.planning.candidate import Candidate, SlackOfPick, error_text
from planner.planning.result import Plan
from planner.planning.words import law_title, load_text, price_text, tied_text, unmoved_text, way_to_run, why_text
from planner.tell.chart import ASCII, UNICODE, frontier_chart, has_chart
from planner.tell.console import add_row, new_table, plain
from planner.tell.cost import speed_limit
from planner.tell.render.console import print_block
from planner.tell.stages import STAGE_TITLES, stage_table

_SHORT = {"image-first": "image", "text-first": "text"}


def print_plan(console: Console, plan: Plan, frontier: bool = False) -> None:
    """A plan as a story: the pick and what it rests on; how sure it is; its cost; its limits; the frontier.

    The frontier is drawn where the console has room for it; `frontier` adds its table.
    """
    _pick(console, plan)
    _doubt(console, plan)
    _costs(console, plan)
    _what_holds(console, plan)
    if has_chart(plan, console.width):
        console.print(plain(_frontier_title(plan)), style="bold")
        for line in frontier_chart(plan, console.width, ASCII if console.options.ascii_only else UNICODE):
            console.print(line)
    if frontier:
        console.print(_candidates(_frontier_title(plan), plan.frontier, plan, console.width))


def _pick(console: Console, plan: Plan) -> None:
    """What was picked, how it would run, its error, and where the law is used beyond what it was fitted to."""
    best = plan.best
    pick = plain(str(best))
    pick.stylize("bold green")
    asked = [one.limit for one in plan.limits if one.limit.name in plan.budget.limits]
    under = ", ".join(limit.short_text for limit in asked)
    console.print(Text.assemble("best under ", plain(under), ": ", pick))
    for text in (way_to_run(plan), load_text(plan.load), f"predicted error {error_text(best)}", law_title(plan.law)):
        if text:
            console.print(plain(text))
    if best.interval is None:
        console.print(plain("no interval: the law was given by hand or has constraints"))
    _sentences(console, "extrapolates", plan.extrapolates)
    _sentences(console, "assumes", plan.assumptions)


def _doubt(console: Console, plan: Plan) -> None:
    """Why it is the pick, what cannot be told from it, what comes next."""
    console.print(plain(why_text(plan)))
    if len(plan.tied) > 1:
        console.print(plain(tied_text(plan)))
    console.print(_candidates("best that fit", (plan.best, *plan.runners_up), plan, console.width))
    if plan.best_of_each:
        console.print(_each(plan.best_of_each))


def _costs(console: Console, plan: Plan) -> None:
    """Its cost by stage, and its memory."""
    best, budget, load = plan.best, plan.budget, plan.load
    many = load.mean != load.tail
    print_block(console, stage_table(best.flops, best.latency, best.batch, budget.convention, budget.flops, many))
    if plan.speed_limit_tokens is not None:
        print_block(console, speed_limit(plan.speed_limit_tokens))
    console.print(plain(memory_text(best)))
    if price := price_text(plan):
        console.print(plain(f"price: {price}"))


def _what_holds(console: Console, plan: Plan) -> None:
    """Its limits, and what a little more of each would buy."""
    best, budget = plan.best, plan.budget
    if len(plan.limits) > 1 or budget.flops is None:
        console.print(_limits(plan))
    for one in plan.limits:
        if one.relaxed is not None:
            console.print(plain(relaxed_text(one, best)))
    if unmoved := unmoved_text(plan):
        console.print(plain(unmoved))
    told = [one.relaxed for one in plan.limits]
    if plan.next_up is not None and budget.flops is not None and plan.next_up not in told:
        console.print(
            plain(
                f"a larger budget: from {format_flops(plan.next_up.total_flops)} on {plan.next_up}, "
                f"error {format_fraction(plan.next_up.predicted_error)}"
            )
        )


def _frontier_title(plan: Plan) -> str:
    limit = plan.limits[0].limit
    return f"frontier: least error for the {limit.title}" + (" of one request" if limit.kind.names_itself else "")


def memory_text(best: Candidate) -> str:
    """Peak memory in a sentence, with what takes the most of it."""
    memory, stage = best.memory, STAGES[int(best.memory.peak_stage)]
    held, at_end = float(memory.peak_kv_cache), float(memory.kv_cache)
    parts = [f"weights {format_bytes(float(memory.weights))}"]
    parts += [f"KV cache {format_bytes(held)}"] if held else []
    parts += [f"activations {format_bytes(memory.peak_activations)}", f"reserve {format_bytes(float(memory.reserve))}"]
    where, later = "at the peak", ""
    if stage != "decode":
        where += f", in the {STAGE_TITLES[stage]}"
    if stage not in ("prefill", "decode"):  # before the prompt is in the cache: what is held there says little of it
        of = "a request" if best.batch == 1 else f"{best.batch} requests"
        later = f"; the KV cache of {of} comes to {format_bytes(at_end)} at the end"
    peak = format_bytes(float(memory.peak))
    return f"memory per device: {peak} {where} ({', '.join(parts)}); most of it: {memory.owner()}{later}"


def relaxed_text(one: SlackOfPick, best: Candidate) -> str:
    """What a little more of one limit would buy."""
    assert one.relaxed is not None
    limit, gain = one.limit, best.predicted_error - one.relaxed.predicted_error
    return (
        f"with {limit.relaxed_text} ({limit.show(limit.relaxed().value)}): {one.relaxed} at "
        f"{limit.show(one.relaxed.quantities[limit.column])}, error {format_fraction(one.relaxed.predicted_error)}, "
        f"lower by {format_fraction(gain)}"
    )


def _limits(plan: Plan) -> Table:
    best, gpus = plan.best, plan.deployment.gpus_used(plan.best.tensor_parallel)
    table = new_table("limits", "limit", "allowed", "pick", "used", "")
    for one in plan.limits:
        limit = one.limit
        of_all = f" of {gpus} GPUs" if limit.kind.of_all_gpus and gpus > 1 else ""
        pick = limit.show(best.quantities[limit.column])
        sign = "at least " if limit.at_least else ""
        binds = "binds" if one.binds else ""
        add_row(table, limit.title + of_all, sign + limit.show(limit.value), pick, format_percent(one.used, 1.0), binds)
    return table


def _candidates(title: str, candidates: Iterable[Candidate], plan: Plan, width: int) -> Table:
    """Candidates with what is known of their error and what they take of the first limit.

    A column stands where rows differ in it, or where it is known; where room is short, odds, interval and cost go.
    """
    rows, limit = list(candidates), plan.limits[0].limit

    def differ(texts: list[str]) -> bool:
        return len(set(texts)) > 1

    setups = {
        "compressor": [row.compressor.name for row in rows],
        "tower": [row.vision.name for row in rows],
        "prompt": [_SHORT[row.prompt_order] for row in rows],
        "precision": [row.precision for row in rows],
        "GPUs": [str(row.tensor_parallel) for row in rows],
        "batch": [str(row.batch) for row in rows],
    }
    columns = {"LLM": [row.llm.name for row in rows], "tokens": [str(row.visual_tokens) for row in rows]}
    columns |= {name: texts for name, texts in setups.items() if differ(texts)}
    columns["error"] = [format_fraction(row.predicted_error) for row in rows]
    if all(row.interval is not None for row in rows):
        columns["95 % interval"] = ["-".join(map(format_fraction, row.interval or ())) for row in rows]
    if all(row.probability_best is not None for row in rows):
        columns["best"] = [format_probability(row.probability_best or 0.0) for row in rows]
    columns[limit.title] = [limit.show(row.quantities[limit.column]) for row in rows]
    for name in ("best", "95 % interval", limit.title):
        if _width(columns) > width:
            columns.pop(name, None)
    table = new_table(title, *columns)
    for cells in zip(*columns.values(), strict=True):
        add_row(table, *cells)
    return table


def _width(columns: dict[str, list[str]]) -> int:
    """Of a table, in characters: cells with a blank on each side, and a line between any two."""
    return sum(max(map(cell_len, (name, *texts))) + 3 for name, texts in columns.items()) + 1


def _each(candidates: Iterable[Candidate]) -> Table:
    """The best of each compressor and prompt order under the same limits."""
    rows = list(candidates)
    towers = len({row.vision.name for row in rows}) > 1
    table = new_table(
        "best of each, same limits", "compressor", *["tower"] * towers, "prompt", "LLM", "tokens", "error"
    )
    for row in rows:
        tower = [row.vision.name] if towers else []
        cells = (_SHORT[row.prompt_order], row.llm.name, str(row.visual_tokens), format_fraction(row.predicted_error))
        add_row(table, row.compressor.name, *tower, *cells)
    return table


def _sentences(console: Console, title: str, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        console.print(Text.assemble((f"{title}: ", "yellow"), plain(sentence)))
