"""Rich tables of a plan: the pick, what it costs, which limit holds it, what stands beside it. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.planning.limits import RELAXED_BY
from planner.planning.result import Candidate, Plan, SlackOfPick, error_text, law_title, tied_text
from planner.quantities import format_bytes, format_flops, format_fraction, format_percent
from planner.report.console import add_row, new_table, plain
from planner.report.cost import speed_limit_text, stage_table

_SHORT = {"image-first": "image", "text-first": "text"}


def print_plan(console: Console, plan: Plan, frontier: bool = False) -> None:
    """A plan: the pick, what it rests on, what it costs, what stands beside it."""
    best, budget = plan.best, plan.budget
    pick = plain(str(best))
    pick.stylize("bold green")
    asked = [one.limit for one in plan.limits if getattr(budget, one.limit.name) is not None]
    under = ", ".join(format_flops(limit.value) if limit.name == "flops" else str(limit) for limit in asked)
    console.print(Text.assemble("best under ", plain(under), ": ", pick))
    ways = way_to_run(plan)
    if ways:
        console.print(plain(ways))
    console.print(plain(f"predicted error {error_text(best)}"))
    console.print(plain(law_title(plan.law)))
    if best.interval is None:
        console.print(plain("no interval: the law was given or has constraints, so how sure it is, is not known"))
    if len(plan.tied) > 1:
        console.print(plain(tied_text(plan)))
    _sentences(console, "extrapolates", plan.extrapolates)
    _sentences(console, "assumes", plan.assumptions)
    console.print(stage_table(best.flops, best.latency, best.batch, budget.convention, budget.flops))
    if plan.speed_limit_tokens is not None:
        console.print(plain(speed_limit_text(plan.speed_limit_tokens)))
    console.print(plain(memory_text(best)))
    if len(plan.limits) > 1 or budget.flops is None:
        console.print(_limits(plan.limits, best))
    for one in plan.limits:
        if one.relaxed is not None:
            console.print(plain(relaxed_text(one, best)))
    if len(plan.limits) > 1 and not any(one.relaxed for one in plan.limits):
        console.print(plain(f"{format_percent(RELAXED_BY, 1.0)} more of any one limit buys nothing"))
    console.print(_candidates("best that fit", (best, *plan.runners_up), plan))
    if plan.best_of_each:
        console.print(_each(plan.best_of_each))
    if frontier:
        title = f"frontier: least error for the {plan.limits[0].limit.title}"
        console.print(_candidates(title, plan.frontier, plan))
    if plan.next_up is not None and budget.flops is not None:
        console.print(
            plain(
                f"a larger budget: from {format_flops(plan.next_up.total_flops)} on {plan.next_up}, "
                f"error {format_fraction(plan.next_up.predicted_error)}"
            )
        )


def way_to_run(plan: Plan) -> str:
    """Hardware, precision, GPUs and batch of the pick in a line; empty where none was asked for."""
    best, card = plan.best, plan.deployment.hardware
    parts = [card.title] if card is not None else []
    if best.tensor_parallel > 1:
        parts.append(f"{best.tensor_parallel} GPUs, tensor parallel")
    if parts or len(plan.deployment.precisions) > 1 or best.precision != "bf16":
        parts.append(best.precision)
    if parts and (best.batch > 1 or len(plan.deployment.batches) > 1):
        parts.append(f"batch {best.batch}")
    if len(plan.best_of_each) > 1:
        parts.append(f"{best.compressor.title}, {best.prompt_order}")
    return ", ".join(parts)


def memory_text(best: Candidate) -> str:
    """Peak memory in a sentence, with what takes the most of it."""
    memory = best.memory
    parts = f"weights {format_bytes(float(memory.weights))}, KV cache {format_bytes(float(memory.peak_kv_cache))}"
    return (
        f"memory of a device: {format_bytes(float(memory.peak))} at the peak ({parts}, "
        f"activations {format_bytes(memory.peak_activations)}, reserve {format_bytes(float(memory.reserve))}); "
        f"most of it: {memory.owner()}"
    )


def relaxed_text(one: SlackOfPick, best: Candidate) -> str:
    """What a little more of one limit would buy."""
    assert one.relaxed is not None
    gain, looser = best.predicted_error - one.relaxed.predicted_error, one.limit.relaxed()
    return (
        f"{format_percent(RELAXED_BY, 1.0)} looser {one.limit.title} ({looser.show(looser.value)}): "
        f"{one.relaxed}, error {format_fraction(one.relaxed.predicted_error)}, lower by {format_fraction(gain)}"
    )


def _limits(limits: Iterable[SlackOfPick], best: Candidate) -> Table:
    table = new_table("limits", "limit", "allowed", "pick", "used", "")
    for one in limits:
        limit = one.limit
        pick = limit.show(best.quantities[limit.column])
        sign = "at least " if limit.at_least else ""
        binds = "binds" if one.binds else ""
        add_row(table, limit.title, sign + limit.show(limit.value), pick, format_percent(one.used, 1.0), binds)
    return table


def _candidates(title: str, candidates: Iterable[Candidate], plan: Plan) -> Table:
    """Candidates with what is known of their error and what they take of the first limit.

    Columns of the unknown are left out; so are the odds where several compressors need the room for their names.
    """
    rows, limit = list(candidates), plan.limits[0].limit
    several = len({one.compressor.name for one in plan.best_of_each}) > 1
    bounded = all(row.interval is not None for row in rows)
    drawn = all(row.probability_best is not None for row in rows) and not several
    names = [*["compressor"] * several]
    doubts = [*["95 % interval"] * bounded, *["best"] * drawn]
    table = new_table(title, "LLM", "tokens", *names, "error", *doubts, limit.title)
    for row in rows:
        doubt = ["-".join(map(format_fraction, row.interval))] if bounded and row.interval else []
        doubt += [format_percent(row.probability_best or 0.0, 1.0)] if drawn else []
        name = [row.compressor.name] if several else []
        error, cost = format_fraction(row.predicted_error), limit.show(row.quantities[limit.column])
        add_row(table, row.llm.name, str(row.visual_tokens), *name, error, *doubt, cost)
    return table


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
