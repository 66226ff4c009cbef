"""Rich tables for the terminal: a law, a plan, the catalogue. Everything fits 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.costs.stages import STAGES
from planner.laws.combined import CombinedLaw, Law
from planner.laws.fitted import CONVERGED, FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import Interval, identifiable
from planner.models.specs import CompressorSpec, LlmSpec, VisionSpec
from planner.planning.result import Candidate, ContinuousOptimum, Plan, error_text, law_title, tied_text
from planner.quantities import (
    format_flops,
    format_fraction,
    format_params,
    format_percent,
    format_significant,
    format_tokens,
)

_STAGE_TITLES = {
    "encoder": "vision encoder",
    "compressor": "compressor and projector",
    "query_pass": "query pass",
    "prefill": "prefill",
    "decode": "decode",
}


def print_law(console: Console, law: Law, intervals: dict[str, Interval] | None = None) -> None:
    """A law: whether to trust it, then its numbers, with 95 % intervals where they are given."""
    if isinstance(law, CombinedLaw):
        console.print(plain(f"{law.form}: {law.advice}"))
        for member in law.members:
            console.print()
            print_law(console, member)
        return
    style = "green" if law.status == CONVERGED else "yellow"
    head = Text(law.status, style=f"bold {style}")
    if law.at_bound:
        head.append(f" ({', '.join(law.at_bound)})")
    console.print(head)
    if law.advice:
        console.print(plain(law.advice))
    for remark in law.remarks:
        console.print(Text.assemble(("note: ", "yellow"), plain(remark)))
    ranges = ["95 % interval"] if intervals else []
    table = _table(f"{law.form}: {get_form(law.form).formula}", "parameter", "value", *ranges, "")
    for name, value in law.params.items():
        shown = [_range(intervals[name])] if intervals else []
        _row(table, name, format_significant(value), *shown, _parameter_note(law, name))
    console.print(table)
    for name, closed in identifiable(intervals or {}).items():
        if not closed:
            console.print(plain(f"{name} is not identified: the data only say {_range((intervals or {})[name])}"))
    if law.rss is not None and law.rmse is not None:
        sizes = f"RSS {format_significant(law.rss)}, RMSE {format_significant(law.rmse)}"
        console.print(plain(f"{law.n_runs} runs, {sizes}, {law.loss}, weights: {law.weighting}"))
    if law.llm_params_levels:
        sizes = ", ".join(format_params(size) for size in law.llm_params_levels)
        counts = ", ".join(format_tokens(count) for count in law.visual_tokens_levels)
        console.print(plain(f"measured at N = {sizes} and T = {counts}"))
    unit = "billion" if law.n_unit_params == 1e9 else f"{law.n_unit_params:g}"
    console.print(plain(f"N: {law.n_basis} LLM parameters in units of one {unit}; T: {law.t_convention}"))
    for title, values in (("LLMs", law.llms), ("task", law.tasks), ("compressor", law.compressors)):
        if values:
            console.print(plain(f"{title}: {', '.join(values)}"))


def print_plan(console: Console, plan: Plan, frontier: bool = False) -> None:
    """A plan: the pick, what it costs, what stands beside it, what it rests on."""
    best, budget = plan.best, plan.budget
    pick = plain(str(best))
    pick.stylize("bold green")
    console.print(Text.assemble("best under ", format_flops(budget.flops), ": ", pick))
    console.print(plain(f"predicted error {error_text(best)}"))
    console.print(plain(law_title(plan.law)))
    if best.interval is None:
        console.print(plain("no interval: the law was given or has constraints, so how sure it is, is not known"))
    if len(plan.tied) > 1:
        console.print(plain(tied_text(plan)))
    _sentences(console, "extrapolates", plan.extrapolates)
    _sentences(console, "assumes", plan.assumptions)
    table = _table(f"one request, {budget.convention} count", "stage", "FLOPs", "share")
    for stage in STAGES:
        flops = getattr(best.flops, stage)
        if flops == 0:
            continue  # it does not run, or is not counted
        _row(table, _STAGE_TITLES[stage], format_flops(flops), format_percent(flops, best.total_flops))
    table.add_section()
    share = f"{format_percent(best.total_flops, budget.flops)} of budget"
    _row(table, "total", format_flops(best.total_flops), share, style="bold")
    console.print(table)
    console.print(_candidates("best that fit", (best, *plan.runners_up)))
    if frontier:
        console.print(_candidates("frontier: least error for the FLOPs", plan.frontier))
    if plan.next_up is not None:
        console.print(
            plain(
                f"a larger budget: from {format_flops(plan.next_up.total_flops)} on {plan.next_up}, "
                f"error {format_fraction(plan.next_up.predicted_error)}"
            )
        )


def print_optimum(console: Console, optimum: ContinuousOptimum) -> None:
    """The continuous optimum."""
    console.print(plain(str(optimum)))
    if optimum.limit:
        side = "fewest" if optimum.limit == "min" else "most"
        console.print(plain(f"at the {side} visual tokens allowed"))
    if optimum.visual_tokens_interval is not None:
        low, high = optimum.visual_tokens_interval
        console.print(plain(f"95 % interval of the visual tokens: {format_tokens(low)} to {format_tokens(high)}"))
    console.print("closed form" if optimum.closed_form else "root of the optimality condition")


def print_catalog(
    console: Console,
    llms: Iterable[LlmSpec],
    towers: Iterable[VisionSpec],
    compressors: Iterable[CompressorSpec],
    laws: Iterable[FittedLaw],
) -> None:
    """Everything that can be named on the command line."""
    table = _table("language models", "name", "family", "nominal", "exact", "layers", "width", "heads (KV)")
    for llm in llms:
        heads = f"{llm.num_heads} ({llm.num_kv_heads})"
        sizes = (format_params(llm.nominal_params), format_params(llm.params))
        _row(table, llm.name, llm.family, *sizes, str(llm.num_layers), str(llm.hidden_size), heads)
    console.print(table)
    table = _table("vision towers", "name", "patches", "visual tokens of QueCC")
    quecc = next(iter(compressors))
    for tower in towers:
        counts = ", ".join(map(str, quecc.visual_tokens(tower)))
        _row(table, tower.name, f"{tower.grid_side} x {tower.grid_side}", counts)
    console.print(table)
    table = _table("compressors", "name", "", "query-aware")
    for compressor in compressors:
        _row(table, compressor.name, compressor.title, "yes" if compressor.query_aware else "no")
    console.print(table)
    table = _table("shipped laws", "name", "form", "runs", "status", "task")
    for law in laws:
        _row(table, law.name, law.form, str(law.n_runs), law.status, ", ".join(law.tasks))
    console.print(table)


def _range(interval: Interval) -> str:
    """An interval in words: "0.0681 to 0.096", "at most 0.14" where only a bound closes it below."""
    low, high = interval.low, interval.high
    if math.isnan(low) and math.isnan(high):
        return "any value"
    if math.isnan(low):
        return f"at most {format_significant(high)}"
    if math.isnan(high):
        return f"at least {format_significant(low)}"
    return f"{format_significant(low)} to {format_significant(high)}"


def _parameter_note(law: FittedLaw, name: str) -> str:
    imposed = law.constraints.get(name, {})
    if "value" in imposed:
        return "shared" if law.joint else "fixed"
    if "expr" in imposed:
        return f"tied: {imposed['expr']}"
    return "at its bound" if name in law.at_bound else ""


def _candidates(title: str, candidates: Iterable[Candidate]) -> Table:
    """Candidates with what is known of their error; the columns of the unknown are left out."""
    rows = list(candidates)
    bounded = all(row.interval is not None for row in rows)
    drawn = all(row.probability_best is not None for row in rows)
    table = _table(title, "LLM", "tokens", "error", *["95 % interval"] * bounded, *["best"] * drawn, "FLOPs")
    for row in rows:
        doubt = ["-".join(map(format_fraction, row.interval))] if bounded and row.interval else []
        doubt += [format_percent(row.probability_best or 0.0, 1.0)] if drawn else []
        error = format_fraction(row.predicted_error)
        _row(table, row.llm.name, str(row.visual_tokens), error, *doubt, format_flops(row.total_flops))
    return table


def _table(title: str, first: str, *others: str) -> Table:
    """A table whose cells are plain text: names come from files and must not be read as markup."""
    table = Table(title=plain(title), title_justify="left", title_style="bold", header_style="")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right" if name not in ("", "family", "task", "form", "status") else "left")
    return table


def _row(table: Table, *cells: str, style: str | None = None) -> None:
    table.add_row(*map(plain, cells), style=style)


def plain(text: str) -> Text:
    """A text as it is: no markup is read in it, and control characters are shown, not obeyed."""
    return Text("".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode() for ch in text))


def _sentences(console: Console, title: str, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        console.print(Text.assemble((f"{title}: ", "yellow"), plain(sentence)))
