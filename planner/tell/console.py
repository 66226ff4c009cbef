"""Rich tables for the terminal: a law, the continuous optimum, the catalogue. Everything fits 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.base.quantities import (
    format_params,
    format_significant,
    format_tokens,
)
from planner.laws.combined import CombinedLaw, Law
from planner.laws.fitted import CONVERGED, FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import Interval, identifiable
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.continuous import ContinuousOptimum


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
    console.print(plain(f"{law.form}: {get_form(law.form).formula}"), style="bold")  # wider than the table is
    table = new_table("", "parameter", "value", *ranges, "")
    for name, value in law.params.items():
        shown = [_range(intervals[name])] if intervals else []
        add_row(table, name, format_significant(value), *shown, _parameter_note(law, name))
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
    llms: Iterable[Llm],
    towers: Iterable[Tower],
    compressors: Iterable[Compressor],
    laws: Iterable[FittedLaw],
) -> None:
    """Everything that can be named on the command line."""
    table = new_table("language models", "name", "family", "nominal", "exact", "layers", "width", "heads (KV)")
    for llm in llms:
        sizes = (format_params(llm.nominal_params), format_params(llm.params))
        add_row(table, llm.name, llm.family, *sizes, str(llm.num_layers), str(llm.hidden_size), llm.heads_text)
    console.print(table)
    table = new_table("vision towers", "name", "patches", "visual tokens of QueCC")
    quecc = next(iter(compressors))
    for tower in towers:
        counts = ", ".join(map(str, quecc.visual_tokens(tower)))
        add_row(table, tower.name, tower.grid_text, counts)
    console.print(table)
    table = new_table("compressors", "name", "", "query-aware")
    for compressor in compressors:
        add_row(table, compressor.name, compressor.title, "yes" if compressor.query_aware else "no")
    console.print(table)
    table = new_table("shipped laws", "name", "form", "runs", "status", "task")
    for law in laws:
        add_row(table, law.name, law.form, str(law.n_runs), law.status, ", ".join(law.tasks))
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


def new_table(title: str, first: str, *others: str) -> Table:
    """A table whose cells are plain text: names come from files and must not be read as markup."""
    table = Table(title=plain(title) if title else None, title_justify="left", title_style="bold", header_style="")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right" if name not in ("", "family", "task", "form", "status") else "left")
    return table


def add_row(table: Table, *cells: str, style: str | None = None) -> None:
    """A row of plain texts."""
    table.add_row(*map(plain, cells), style=style)


def plain(text: str) -> Text:
    """A text as it is: no markup is read in it, and control characters are shown, not obeyed."""
    return Text("".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode() for ch in text))
