"""Rich tables for the terminal: a law, the continuous optimum, the catalogue. Everything fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.base.quantities import (
    format_params,
    format_tokens,
)
from planner.laws.fitted import FittedLaw
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.continuous import ContinuousOptimum


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
