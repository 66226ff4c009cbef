"""The story of a calibration: how well it predicts what it did not see, then its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from planner.base.quantities import format_factor, format_percent
from planner.bench.calibration.pool import QUANTITIES
from planner.bench.calibration.result import Calibration, Errors, Parameter
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Document,
    Inline,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    line,
    remarks,
    sentence,
)

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


def calibration_story(found: Calibration) -> Document:
    """Errors before and after, parameters with intervals, what to keep in mind."""
    origin = sentence(found.hardware.efficiency.origin, "origin of the efficiencies")
    return Document(
        kind="calibration",
        title="Calibration",
        heading=line(foreign(found.hardware.title, "hardware")),
        opening=(Paragraph(line(origin)), *remarks("note", found.notes)),
        sections=(
            Section("errors", "How well it predicts", tuple(_errors(found))),
            Section("reached", "What kernels reach", (_parameters(found),)),
        ),
        sources={"calibration": found.to_dict()},
    )


def title_of(parameter: str) -> str:
    """An entry of Efficiency in words."""
    return parameter.removesuffix("_s").replace("_", " ")


def _errors(found: Calibration) -> Iterator[Block]:
    columns = [name for name in _COLUMNS if any(found.errors(name, what) for what in QUANTITIES)]
    rows: list[tuple[Line, ...]] = []
    breaks: set[int] = set()
    for quantity in QUANTITIES:
        errors = {name: found.errors(name, quantity) for name in columns}
        if quantity == "ttft":
            breaks.add(len(rows))
        if any(errors.values()):
            cells = (sizes(errors[name], f"{TITLES[quantity]}, {_COLUMNS[name]}") for name in columns)
            rows.append((line(TITLES[quantity]), *cells))
    shapes = v.count(len(found.shapes), "measurements")
    several = "" if len(found.shapes) == 1 else "s"
    caption = line("size of errors over ", shapes, f" measurement{several}: median (nine of ten)")
    yield Table(caption, ("", *(_COLUMNS[name] for name in columns)), tuple(rows), breaks=frozenset(breaks - {0}))
    source = foreign(found.start.efficiency.source, "source of the efficiencies before")
    others = "; other LLMs: by a fit to the other language models" if "left_out_llm" in columns else ""
    yield Paragraph(
        line(
            "roofline: max(FLOPs / peak, bytes / bandwidth); uncalibrated: ", source,
            " efficiencies; calibrated: each shape by a fit to all others", others,
        )
    )  # fmt: skip


def _parameters(found: Calibration) -> Table:
    rows = []
    for one in found.parameters:
        title = title_of(one.name)
        start, value = _value(one, one.start, f"{title} before"), _value(one, one.value, title)
        interval = range_of(one, title, _value)
        rows.append((line(foreign(title, "parameter")), line(start), line(value), interval, line(note_of(one))))
    columns = ("", "before", "value", v.interval_title(), "note")
    return Table(line("efficiencies of the profile"), columns, tuple(rows), words=frozenset({"note"}))


def sizes(errors: Errors | None, what: str) -> Line:
    """Median and nine of ten; "-" where nothing was compared."""
    if errors is None:
        return ("-",)
    return line(_size(errors.median, f"median error of {what}"), " (", _size(errors.p90, f"nine of ten, {what}"), ")")


def _size(error: float, what: str) -> Value:
    text = format_percent(error, 1.0) if error < _LARGEST else f"{format_factor(error + 1)}x"
    return Value(text, error, what, "relative error")


def _value(one: Parameter, value: float, what: str) -> Value:
    return v.seconds(value, what) if one.name.endswith("_s") else v.significant(value, what)


def range_of(one: Parameter, title: str, show: Callable[[Parameter, float, str], Value]) -> Line:
    """The interval of a number, as `show` writes its values; () where the measurements give none."""
    if not (one.identified or one.at_bound):
        return ()
    low = show(one, one.low, f"lower end of the interval of {title}")
    high = show(one, one.high, f"upper end of the interval of {title}")
    return line(low, " to ", high)


def note_of(one: Parameter) -> Inline:
    """What keeps a number from being known."""
    if one.at_bound:
        return "at its bound"
    return "" if one.identified else "not identified"
