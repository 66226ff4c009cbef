"""Rich tables of verdicts: predicted beside measured, and whether they agree. Everything fits 80 columns."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from planner.base.quantities import (
    format_bytes,
    format_flops,
    format_params,
    format_percent,
    format_seconds,
    format_significant,
)
from planner.bench.grid import GridVerdict
from planner.bench.samples import merged_advice
from planner.bench.verdict import SMALL, Check, Verdict
from planner.tell.console import add_row, new_table, plain

_SHOWN: dict[str, Callable[[float], str]] = {
    "s": format_seconds,
    "bytes": format_bytes,
    "FLOPs": format_flops,
    "parameters": format_params,
    "joules": lambda joules: f"{format_significant(joules)} J",
}
_ANY = 100.0
"""A tolerance of so much judges nothing."""
_ORDER_TITLES = {"ttft_s": "TTFT", "tpot_s": "TPOT"}


def print_verdict(console: Console, verdict: Verdict) -> None:
    """The judgement first, then every number."""
    console.print(_headline(verdict))
    measured = verdict.measurement
    console.print(plain(f"{measured.model.precision}, batch {measured.batch}, {measured.mode}; {measured.method.text}"))
    if verdict.hardware is not None:
        card = verdict.hardware
        console.print(plain(f"times predicted for {card['title']} ({card['source']})"))
    table = new_table("predicted and measured", "", "predicted", "measured", "error", "at most", "")
    groups = ("parameters", "FLOPs", "bytes", "s", "joules")
    for unit in groups:
        for check in verdict.checks:
            if check.unit == unit and (check.predicted, check.measured) != (None, None):
                add_row(table, *check_cells(check), style=_STYLES[check.passed])
        table.add_section()
    console.print(table)
    for title, name in (("prefill reaches", "prefill_mfu"), ("decode step reads at", "decode_mbu")):
        told = verdict.utilisation
        parts = [
            f"{format_percent(told[key], 1.0)} of {what}"
            for key, what in ((name, "the profile's peak"), (f"{name}_measured", "what was reached here"))
            if told.get(key, 2.0) <= 1.0  # a profile's peak that is passed says nothing
        ]
        if parts:
            console.print(plain(f"{title} {', '.join(parts)}"))
    if any(check.note == SMALL and check.passed for check in verdict.checks):
        console.print(plain(f"* off by more, but {SMALL}"))
    console.print(plain("FLOPs: torch count, one request; peak memory: without what a plan reserves for the driver"))
    for check in verdict.checks:
        if check.unit == "":
            console.print(Text.assemble(("not as planned: ", "red"), plain(f"{check.title}: {check.note}")))
    for note in measured.notes:
        console.print(Text.assemble(("note: ", "yellow"), plain(note)))
    for advice in verdict.advice:
        console.print(Text.assemble(("advice: ", "yellow"), plain(advice)))


_STYLES = {True: "", False: "red", None: "dim"}


def check_cells(check: Check) -> tuple[str, ...]:
    """A check in words: title, predicted, measured, error, tolerance, verdict."""
    show = _SHOWN[check.unit]
    numbers = ["-" if one is None else show(one) for one in (check.predicted, check.measured)]
    error = check.error
    if error is None:
        off = ""
    elif error == 0:
        off = "equal"
    else:
        off = f"{'+' if error > 0 else '-'}{format_percent(abs(error), 1.0)}"
    most = "" if check.tolerance is None else _tolerance(check.tolerance)
    said = {True: "pass", False: "FAIL", None: "shown"}[check.passed]
    if check.passed and check.note == SMALL:
        said = "pass *"
    return check.title, *numbers, off, most, said


def _tolerance(tolerance: float) -> str:
    if tolerance == 0:
        return "equal"
    return format_percent(tolerance, 1.0) if tolerance < _ANY else "any"


def print_grid(console: Console, grid: GridVerdict) -> None:
    """The pick and its neighbours: a line each, and whether their order is as predicted."""
    head = "as predicted" if grid.passed else "NOT as predicted"
    console.print(plain(f"the pick and {len(grid.cells) - 1} neighbours: {head}"), style="bold")
    table = new_table("", "LLM", "tokens", "TTFT", "predicted", "TPOT", "predicted", "checks")
    for cell in grid.cells:
        model = cell.measurement.model
        times = []
        for name in ("ttft_s", "tpot_s"):
            found = [cell.check(name).measured, cell.check(name).predicted] if name in cell.names else [None, None]
            times += ["-" if one is None else format_seconds(one) for one in found]
        judged = sum(check.passed is not None for check in cell.checks)
        failed = f"{judged} pass" if cell.passed else f"{len(cell.failed)} of {judged} FAIL"
        add_row(table, model.llm, str(model.visual_tokens), *times, failed, style="" if cell.passed else "red")
    console.print(table)
    for order in grid.orders:
        title = _ORDER_TITLES[order.name]
        console.print(
            plain(f"{title}: {order.agreeing} of {order.pairs} pairs that can be told apart stand as predicted")
        )
        for text in order.inverted:
            console.print(Text.assemble(("not as predicted: ", "red"), plain(text)))
    if not grid.stable:
        for text in merged_advice(text for cell in grid.cells for text in cell.measurement.advice):
            console.print(Text.assemble(("advice: ", "yellow"), plain(text)))


def _headline(verdict: Verdict) -> Text:
    word, style = ("verified", "bold green") if verdict.passed else ("NOT verified", "bold red")
    steady = Text() if verdict.stable else Text(" (unstable)", "bold yellow")
    return Text.assemble((word, style), steady, ": ", plain(str(verdict)))
