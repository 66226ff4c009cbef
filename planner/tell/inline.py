"""Words and numbers as data: a number, a name or a sentence is a Value, its text beside what it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from planner.base.dataclass import dataclass

TEXT_MAX = 200
"""Characters of a foreign text that a page repeats; the JSON keeps it whole."""
SENTENCE_MAX = 10_000
"""Characters of a foreign sentence."""


@dataclass(frozen=True)
class Value:
    """A number, a name or a sentence from the data."""

    text: str
    """As it is read; a foreign text has its control characters shown and is cut where it is long."""
    raw: Any
    """What it stands for: a number in its base unit, or the whole text."""
    what: str
    """What it is, in words."""
    unit: str = ""
    strong: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Code:
    """A name that is typed as it stands: a file, a command."""

    text: str

    def __str__(self) -> str:
        return self.text


Inline: TypeAlias = "str | Value | Code"
Line: TypeAlias = tuple[Inline, ...]


def line(*parts: Inline | Line) -> Line:
    """Pieces as one line; lines among them are joined in."""
    found: list[Inline] = []
    for part in parts:
        found += part if isinstance(part, tuple) else [part]
    return tuple(found)


def joined(parts: Sequence[Line | Inline], last: str = " and ") -> Line:
    """Pieces with commas between them, and a word before the last."""
    found: list[Inline] = []
    for i, part in enumerate(parts):
        if i:
            found.append(last if i == len(parts) - 1 else ", ")
        found += part if isinstance(part, tuple) else [part]
    return tuple(found)


def visible(text: str, length_max: int = TEXT_MAX) -> str:
    """A foreign text on one line: control characters and marks of direction are shown, not obeyed; cut where long."""
    shown = text
    if not text.isprintable():
        shown = "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode("ascii") for ch in text)
    return shown if len(shown) <= length_max else shown[: length_max - 1] + "…"


def foreign(text: str, what: str, length_max: int = TEXT_MAX, strong: bool = False) -> Value:
    """A text from the data as a Value."""
    return Value(visible(text, length_max), text, what, strong=strong)


def sentence(text: str, what: str) -> Value:
    """A sentence from the data, which is not cut where a name would be."""
    return foreign(text, what, SENTENCE_MAX)


def plain(parts: Line) -> str:
    """A line as bare text."""
    return "".join(map(str, parts))


def raw_of(parts: Line) -> Any:
    """What the first Value of a line stands for; None where it has none."""
    return next((part.raw for part in parts if isinstance(part, Value)), None)
