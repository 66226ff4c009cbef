"""What an importer makes of a file or a table: raw cells by column, and what each row is called in messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import RunsError
from planner.base.quantities import shown


@dataclass(frozen=True)
class Sheet:
    """A table of raw cells; the columns that stand in `planner.runs` are read, the others are remarked on."""

    columns: Mapping[str, list[Any]]
    """Cells by column name: texts as they stand ("7B"), numbers, or None for no value; all of one length."""
    origin: str
    """What the table is called in messages: a file's name."""
    rows: Sequence[str]
    """What each row is called in messages: "line 7"."""
    decimal_comma: bool = False
    """Whether a comma in a number is its decimal point: in files whose columns are separated by semicolons."""


def refuse_twins(names: Sequence[str], origin: str) -> None:
    """Raise RunsError where a column name stands twice."""
    twice = next((name for i, name in enumerate(names) if name and name in names[:i]), None)
    if twice is not None:
        raise RunsError(f"{origin}: the column {shown(twice)} stands twice in the header; keep one", column=twice)


def stripped(cell: Any) -> Any:
    """A text without the blanks around it; an empty text is no value."""
    return (cell.strip() or None) if isinstance(cell, str) else cell
