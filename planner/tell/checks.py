"""The table of a verdict: each quantity, predicted beside measured, and whether it passed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from planner.bench.verdict import Check
from planner.tell import values as v
from planner.tell.document import Bullets, Line, Table, Value, foreign, joined, line

_TONES = {True: "", False: "bad", None: "faint"}
_NAME_MAX = 80  # characters of a title


def check_table(checks: Iterable[Check], caption: Line = ()) -> Table:
    """A row for each check, by what is counted; parameters to the last one."""
    units = list(v.BY_UNIT)
    ordered = sorted(checks, key=lambda one: units.index(one.unit) if one.unit in units else len(units))
    breaks = {i for i, (one, another) in enumerate(pairwise(ordered), 1) if one.unit != another.unit}
    return Table(
        caption,
        ("quantity", "predicted", "measured", "measured is", "at most", ""),
        tuple(_row(one) for one in ordered),
        words=frozenset({"quantity"}),  # all others are never broken
        tones=tuple(_TONES[one.passed] for one in ordered),
        breaks=frozenset(breaks),
    )


def check_notes(checks: Iterable[Check]) -> tuple[Bullets, ...]:
    """What is to be known of some of the checks, each note once; () where there is nothing."""
    titles: dict[str, list[Line]] = {}
    for one in checks:
        if one.note:
            titles.setdefault(one.note.removeprefix("not judged: "), []).append(
                line(foreign(one.title, "measured quantity", _NAME_MAX))
            )
    if not titles:
        return ()
    return (Bullets(tuple(line(joined(named), ": ", foreign(note, "note", 400)) for note, named in titles.items())),)


def _row(check: Check) -> tuple[Line, ...]:
    title = foreign(check.title, "measured quantity", _NAME_MAX)
    amounts = [_amount(check, check.predicted, "predicted"), _amount(check, check.measured, "measured")]
    return (title,), *amounts, off(check), _allowed(check), _judged(check)


def _amount(check: Check, value: float | None, which: str) -> Line:
    if value is None:
        return ("-",)
    what = f"{check.title}, {which}"
    if check.unit in v.BY_UNIT:
        return (v.BY_UNIT[check.unit](value, what),)
    return line(v.significant(value, what, check.unit), " ", foreign(check.unit, "unit", _NAME_MAX))


def off(check: Check) -> Line:
    """ "x 1.50 slower" of a time, "3 % less" than predicted of other numbers."""
    if not check.off or check.off == "equal":
        return (check.off or "-",)
    if check.off.startswith("x "):
        times = v.ratio(check.times_off or 0.0, "the larger of measured and predicted over the other")
        return _with_number(check.off, times)
    return _with_number(check.off, v.share(abs(check.error or 0.0), 1.0, "predicted / measured - 1, without its sign"))


def _allowed(check: Check) -> Line:
    if check.allowed in ("", "equal", "any"):
        return (check.allowed,)
    limit = check.tolerance or 0.0
    number = v.ratio(1 + limit, "longest ratio allowed") if check.unit == "s" else v.share(limit, 1.0, "tolerance")
    return _with_number(check.allowed, number)


def said(check: Check, noted: bool = True) -> Line:
    """ "TTFT x 1.50 slower, at most x 1.15"; of what has no numbers its title, and its note unless that stands
    elsewhere."""
    title = foreign(check.title, "measured quantity", _NAME_MAX)
    if not check.off:
        return line(title, " (", foreign(check.note, "note"), ")") if check.note and noted else (title,)
    limit = line(", at most ", _allowed(check)) if check.allowed not in ("", "equal", "any") else ()
    return line(title, " ", off(check), limit)


def _with_number(text: str, number: Value) -> Line:
    """A text of which one part is a number."""
    before, _, after = text.partition(number.text)
    return line(before, number, after)


def _judged(check: Check) -> Line:
    if check.passed is None:
        return ("-",)
    return ("passed",) if check.passed else (Value("FAILED", False, "result of the check", strong=True),)
