"""A calibration on the terminal: how well it predicts what it did not see, then its numbers. Fits 80 columns."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from planner.base.quantities import format_factor, format_percent, format_seconds, format_significant
from planner.bench.calibration.pool import QUANTITIES
from planner.bench.calibration.result import Calibration, Errors, Parameter
from planner.tell.answers import print_answers
from planner.tell.console import add_row, new_table, plain

TITLES = {
    "encoder": "encoder",
    "compressor": "compressor",
    "query_pass": "query pass",
    "prefill": "prefill",
    "decode_step": "decode step",
    "ttft": "TTFT",
    "tpot": "TPOT",
}
_LARGEST = 5.0
"""A larger error is shown as how many times too long."""
_COLUMNS = {
    "roofline": "roofline",
    "before": "uncalibrated",
    "left_out": "calibrated",
    "left_out_llm": "other LLMs",
}


def print_calibration(console: Console, found: Calibration) -> None:
    """Errors before and after, parameters with intervals, what to keep in mind."""
    console.print(plain(found.hardware.title), style="bold")
    console.print(plain(found.hardware.efficiency.origin))
    columns = [name for name in _COLUMNS if any(found.errors(name, what) for what in QUANTITIES)]
    title = f"size of errors over {len(found.shapes)} measurements: median (nine of ten)"
    table = new_table(title, "", *(_COLUMNS[name] for name in columns))
    for quantity in QUANTITIES:
        errors = {name: found.errors(name, quantity) for name in columns}
        if quantity == "ttft":
            table.add_section()
        if any(errors.values()):
            add_row(table, TITLES[quantity], *(_sizes(errors[name]) for name in columns))
    console.print(table)
    console.print(
        plain(
            "roofline: max(FLOPs / peak, bytes / bandwidth); uncalibrated: "
            f"{found.start.efficiency.source} efficiencies; calibrated: each shape by a fit to all others"
            + ("; other LLMs: by a fit to the other language models" if "left_out_llm" in columns else "")
        )
    )
    table = new_table("what kernels reach", "", "before", "value", "95 % interval", "note")
    for one in found.parameters:
        add_row(table, title_of(one.name), *(_value(one, x) for x in (one.start, one.value)), _range(one), _note(one))
    console.print(table)
    for note in found.notes:
        console.print(Text.assemble(("note: ", "yellow"), plain(note)))


def title_of(parameter: str) -> str:
    """An entry of Efficiency in words."""
    return parameter.removesuffix("_s").replace("_", " ")


def _sizes(errors: Errors | None) -> str:
    if errors is None:
        return "-"
    return f"{_size(errors.median)} ({_size(errors.p90)})"


def _size(error: float) -> str:
    return format_percent(error, 1.0) if error < _LARGEST else f"{format_factor(error + 1)}x"


def _value(one: Parameter, value: float) -> str:
    return format_seconds(value) if one.name.endswith("_s") else format_significant(value)


def _range(one: Parameter) -> str:
    return f"{_value(one, one.low)} to {_value(one, one.high)}" if one.identified or one.at_bound else ""


def _note(one: Parameter) -> str:
    if one.at_bound:
        return "at its bound"
    return "" if one.identified else "not told"


__all__ = ["TITLES", "print_answers", "print_calibration", "title_of"]
