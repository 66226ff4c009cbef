"""How a table becomes as narrow as a terminal: names in several lines, words set under them, columns left out."""

from __future__ import annotations

import re
from dataclasses import replace

from rich.cells import cell_len

from planner.base.dataclass import dataclass
from planner.tell.document import Table
from planner.tell.inline import Code, Line, raw_of

_NAME_MIN = 16
"""Characters that a name keeps on one line."""
_PIECES = re.compile(r"[^-_=/ ]*[-_=/ ]*")
"""Of a name: it may be broken behind these signs."""


@dataclass(frozen=True)
class Fitted:
    """A table as it is drawn."""

    table: Table
    beneath: tuple[str, ...] = ()
    """What stands under the name of each row, "" where nothing does; () where nothing is set under names."""
    name_width: int | None = None
    """Characters of a line of a name; None: names are whole."""

    @property
    def head(self) -> str:
        """Over the column of names."""
        return f"{self.table.names}, {self.table.beneath}" if self.beneath else self.table.names

    def name(self, row: int, text: str) -> list[str]:
        """Lines of the name of a row, and those of what stands under it."""
        told = [text, *filter(None, self.beneath[row : row + 1])]
        return [line for one in told for line in broken(one, self.name_width)]


def fitted(block: Table, width: int) -> Fitted:
    """A table of so many columns at most, if that can be.

    Words that may stand under the names go there first; then long names are broken, and last the spare columns go.
    """
    found = Fitted(block)
    if _width(found) > width and block.beneath:
        at = list(map(str, block.columns)).index(block.beneath)
        under = tuple(shown(row[at]) if raw_of(row[at]) else "" for row in block.rows)
        found = Fitted(block.without(block.beneath), under)
    for name in (*block.spare, ""):
        if _width(found) <= width:
            break
        whole = _broken(found, width)
        if whole is not None:
            return whole
        found = replace(found, table=found.table.without(name)) if name else found
    return found


def table_width(block: Table) -> int:
    """Characters that a table needs: cells with a blank on each side, and a line between any two."""
    return _width(Fitted(block))


def broken(name: str, width: int | None) -> list[str]:
    """A name in lines of so many characters, broken behind its hyphens and blanks; a longer piece stays whole."""
    if width is None or cell_len(name) <= width:
        return [name]
    lines = [""]
    for piece in _PIECES.findall(name):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [one.strip() for one in lines]


def shown(parts: Line) -> str:
    """A line as it is: control characters are shown, not obeyed."""
    return literal("".join(part.text if isinstance(part, Code) else str(part) for part in parts)).strip()


def literal(words: str) -> str:
    """A text as it is: control characters are shown, not obeyed."""
    return "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode() for ch in words)


def cells(block: Table, column: int) -> list[str]:
    """Texts of a column, its foot among them."""
    return [shown(row[column]) for row in (*block.rows, *block.foot)]


def _broken(found: Fitted, width: int) -> Fitted | None:
    """With names in several lines, so that it has that width; None where they would be too short."""
    if not found.table.names:
        return None
    lines = _lines(found)
    room = width - _width(found) + max(map(cell_len, lines))
    longest = max(cell_len(piece.rstrip()) for line in lines for piece in _PIECES.findall(line))
    return replace(found, name_width=room) if room >= max(_NAME_MIN, longest) else None


def _lines(found: Fitted) -> list[str]:
    """All that stands in the column of names."""
    block = found.table
    at = list(map(str, block.columns)).index(block.names)
    return [found.head, *cells(block, at), *found.beneath]


def _width(found: Fitted) -> int:
    block = found.table
    columns = [
        _lines(found) if block.is_named_by(name) else [shown((name,)), *cells(block, i)]
        for i, name in enumerate(block.columns)
    ]
    return sum(max(map(cell_len, column)) + 3 for column in columns) + 1
