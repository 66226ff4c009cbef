"""The table of a verdict: each quantity, predicted beside measured, and whether it passed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from planner.bench.verdict import Check
from planner.tell import values as v
from planner.tell.document import Inline, Line, Table, Value, foreign, line

_ANY = 100.0
"""A tolerance of so much judges nothing."""
_TONES = {True: "", False: "bad", None: "faint"}
_NAME_MAX = 80  # characters of a title


def check_table(checks: Iterable[Check], caption: Line = ()) -> Table:
    """A row for each check, by what is counted; parameters to the last one."""
    units = list(v.BY_UNIT)
    ordered = sorted(checks, key=lambda one: units.index(one.unit) if one.unit in units else len(units))
    breaks = {i for i, (one, another) in enumerate(pairwise(ordered), 1) if one.unit != another.unit}
    return Table(
        caption,
        ("quantity", "predicted", "measured", "error", "allowed", ""),
        tuple(_row(one) for one in ordered),
        words=frozenset({""}),
        tones=tuple(_TONES[one.passed] for one in ordered),
        breaks=frozenset(breaks),
    )


def _row(check: Check) -> tuple[Line, ...]:
    title = foreign(check.title, "measured quantity", _NAME_MAX)
    amounts = [_amount(check, check.predicted, "predicted"), _amount(check, check.measured, "measured")]
    return (title,), *amounts, _off(check.error), (_allowed(check.tolerance),), _judged(check)


def _amount(check: Check, value: float | None, which: str) -> Line:
    if value is None:
        return ("-",)
    what = f"{check.title}, {which}"
    if check.unit in v.BY_UNIT:
        return (v.BY_UNIT[check.unit](value, what),)
    return line(v.significant(value, what, check.unit), " ", foreign(check.unit, "unit", _NAME_MAX))


def _off(error: float | None) -> Line:
    """ "+3 %": the prediction is too high by so much."""
    if error is None:
        return ("-",)
    if error == 0:
        return ("equal",)
    size = v.share(abs(error), 1.0, "predicted / measured - 1, without its sign")
    return line("+" if error > 0 else "-", size)


def _allowed(tolerance: float | None) -> Inline:
    if tolerance is None:
        return ""
    if tolerance == 0:
        return "equal"
    return v.share(tolerance, 1.0, "tolerance") if tolerance < _ANY else "any"


def _judged(check: Check) -> Line:
    said: Inline = "passed" if check.passed else "not judged"
    if check.passed is False:
        said = Value("FAILED", False, "result of the check", strong=True)
    return line(said, " (", foreign(check.note, "note"), ")") if check.note else (said,)
