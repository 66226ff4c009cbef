"""The story of a comparison of measurements: what changed beyond doubt, then every number before and after."""

from __future__ import annotations

from collections.abc import Iterator

from planner.base.quantities import format_flops
from planner.bench.comparison import EQUAL, SAME, Change, MeasurementComparison, ShapeChange
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Document,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    joined,
    line,
    remarks,
)

_TONES = {"slower": "bad", "more": "bad", SAME: "faint", EQUAL: "faint"}


def changes_story(found: MeasurementComparison, fail_above: float | None = None) -> Document:
    """A table for each shape: before, after, ratio with its interval.

    Args:
        found: the comparison.
        fail_above: share that is allowed; None: nothing is judged.
    """
    clear = [one for shape in found.shapes for one in shape.changes if one.word not in (SAME, EQUAL)]
    worse = [one for one in clear if one.sure[0] > 1]
    count, better = v.count(len(worse), "quantities that take more"), v.count(len(clear) - len(worse), "that take less")
    total = v.count(sum(len(shape.changes) for shape in found.shapes), "quantities compared")
    failed = fail_above is not None and bool(found.above(fail_above))
    return Document(
        kind="comparison of measurements",
        title="Before and after",
        heading=line(count, " of ", total, " quantities are worse beyond doubt, ", better, " better"),
        opening=tuple(_opening(found, fail_above)),
        sections=tuple(
            Section(f"shape-{i}", shape.title, tuple(_shape(shape))) for i, shape in enumerate(found.shapes)
        ),
        opening_title="What changed",
        tone="bad" if failed else "warn" if not found.stable else "",
        sources={"comparison": found.to_dict()},
    )


def _opening(found: MeasurementComparison, fail_above: float | None) -> Iterator[Block]:
    if fail_above is not None:
        limit = v.share(fail_above, 1.0, "allowed")
        above = found.above(fail_above)
        for shape in found.shapes:
            named = [_failed(one) for other, one in above if other is shape]
            if named:
                text = line(foreign(shape.title, "shape"), ": ", joined(named), ", with ", limit, " more allowed")
                yield Paragraph(text, "bad", "failed")
        proved = found.proved(fail_above)
        if len(proved) < len(above):
            what = "nothing is proved" if not proved else "the times prove nothing"
            doubt = f"times were unstable, so that {what}: measure both sides again on an idle machine"
            yield Paragraph(line(doubt), "warn")
        if not above:
            yield Paragraph(line("nothing takes more than ", limit, " more beyond doubt"), "good")
    if found.unlike:
        told = [line(foreign(one.name.replace("_", " "), "name"), " ", foreign(one.before or "-", "before"), " -> ",
                     foreign(one.after or "-", "after")) for one in found.unlike]  # fmt: skip
        yield Paragraph(line("not the same on both sides: ", joined(told)), "warn")
    yield from remarks("left out", found.left_out)
    yield from remarks("advice", dict.fromkeys(text for shape in found.shapes for text in shape.unstable))


def _failed(one: Change) -> Line:
    """ "TTFT x 1.079 (at least 1.060)"."""
    ratio = v.fine_ratio(one.ratio, f"{one.title}, after over before")
    least = v.fine_ratio(one.sure[0], f"lower end of the interval of {one.title}")
    return line(
        foreign(one.title, "quantity"), " x ", ratio, *((" (at least ", least, ")") if one.low is not None else ())
    )


def _shape(shape: ShapeChange) -> Iterator[Block]:
    rows = [(line(foreign(one.title, "quantity")), *_amounts(one), *_ratio(one), (one.word,)) for one in shape.changes]
    interval = line(v.level(), " interval")
    columns = ("quantity", "before", "after", "ratio", "interval", "")
    caption = line("ratio: after over before, with its ", interval)
    if shape.runs != (1, 1):
        runs = line(v.count(shape.runs[0], "runs before"), " and ", v.count(shape.runs[1], "runs after"))
        caption = line(caption, ", over ", runs, " runs")
    yield Table(caption, columns, tuple(rows), words=frozenset({"quantity"}),
                tones=tuple(_TONES.get(one.word, "") for one in shape.changes))  # fmt: skip


def _amounts(one: Change) -> tuple[Line, Line]:
    def told(value: float, when: str) -> Line:
        what = f"{one.title}, {when}"
        if one.unit == "flops":
            return (Value(format_flops(value), value, what, "FLOPs"),)
        return (v.BY_UNIT[one.unit](value, what),)

    return told(one.before, "before"), told(one.after, "after")


def _ratio(one: Change) -> tuple[Line, Line]:
    ratio = v.fine_ratio(one.ratio, f"{one.title}, after over before")
    if one.low is None or one.high is None:
        return (ratio,), ("exact",)
    low = v.fine_ratio(one.low, f"lower end of the interval of {one.title}")
    return (ratio,), line(low, " to ", v.fine_ratio(one.high, f"upper end of the interval of {one.title}"))
