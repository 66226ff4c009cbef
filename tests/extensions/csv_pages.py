"""A renderer from outside the package: every number of a story as a row of a CSV file, at full precision."""

from __future__ import annotations

import csv
import io

from planner.tell.document import Document, values_of
from planner.tell.render import Renderer


def rows(document: Document) -> str:
    """What each number is, its raw value, its unit and its text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("what", "value", "unit", "text"))
    for value in dict.fromkeys(values_of(document)):
        if isinstance(value.raw, int | float):
            writer.writerow((value.what, repr(value.raw), value.unit, value.text))
    return stream.getvalue()


CSV = Renderer("csv", ".csv", rows)
