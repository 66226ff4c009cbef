"""The table of a law's parameters, with their intervals where they are known, and what is imposed on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from planner.base.errors import FitError, InputError
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import Interval, identifiable
from planner.laws.memo import remembered
from planner.laws.parameters import intervals
from planner.tell import values as v
from planner.tell.document import Inline, Line, Table, Value, foreign, line


@remembered
def known_intervals(law: FittedLaw) -> Mapping[str, Interval]:
    """Of every parameter; {} of a law that has none: it was given, or has constraints, or too few runs."""
    try:
        return intervals(law)
    except (FitError, InputError):
        return {}


def parameter_table(law: FittedLaw, known: Mapping[str, Interval] | None, caption: Line = ()) -> Table:
    """A row for each parameter: its value, its interval, and how the law came to it.

    Args:
        law: the law.
        known: 95 % intervals by name; nothing where they are not known.
        caption: of the table.
    """
    determined = identifiable(dict(known or {}))
    rows = []
    for name, value in law.params.items():
        title, number = foreign(name, "parameter of the law"), v.significant(value, f"law parameter {name}")
        ends = [between(known[name], name)] if known else []
        notes = [*_imposed(law, name), *([] if determined.get(name, True) else ["not identified"])]
        said = [part for note in notes for part in (", ", note)][1:]
        rows.append((line(title), line(number), *ends, line(*said)))
    columns: list[str | Value] = ["parameter", "value", *([v.interval_title()] if known else []), ""]
    return Table(caption, tuple(columns), tuple(rows), words=frozenset({""}))


def not_identified(known: Mapping[str, Interval] | None) -> Iterator[Line]:
    """A sentence for each parameter that the runs do not determine."""
    for name, closed in identifiable(dict(known or {})).items():
        if not closed:
            title = foreign(name, "parameter of the law")
            yield line(title, " is not identified: the data only say ", between((known or {})[name], name))


def between(interval: Interval, name: str) -> Line:
    """An interval in words: "0.0681 to 0.096", "at most 0.14" where only a bound closes it below."""
    low = v.significant(interval.low, f"lower end of the interval of {name}")
    high = v.significant(interval.high, f"upper end of the interval of {name}")
    if math.isnan(interval.low) and math.isnan(interval.high):
        return line("any value")
    if math.isnan(interval.low):
        return line("at most ", high)
    return line("at least ", low) if math.isnan(interval.high) else line(low, " to ", high)


def _imposed(law: FittedLaw, name: str) -> Iterator[Inline]:
    imposed = law.constraints.get(name, {})
    if "value" in imposed:
        yield "shared" if law.joint else "fixed"
    elif "expr" in imposed:
        yield foreign(f"tied: {imposed['expr']}", "constraint")
    if name in law.at_bound:
        yield "at its bound"
