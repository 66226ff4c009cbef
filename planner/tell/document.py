"""A page as data: sections of paragraphs, tables, charts and commands, in which every number is a Value.

A Value is a text as people read it beside what it stands for, so that the JSON of a page holds each number that the
page shows at full precision. Words between them hold no digits; a test reads every page for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any, TypeAlias

from planner.base.dataclass import dataclass
from planner.tell.chart import SHAPES, Axis, Bar, Chart, Curve, Mark, Rule, Tick
from planner.tell.inline import (
    TEXT_MAX,
    Code,
    Inline,
    Line,
    Value,
    foreign,
    joined,
    line,
    plain,
    raw_of,
    sentence,
    visible,
)

__all__ = [
    "SHAPES",
    "TEXT_MAX",
    "Axis",
    "Bar",
    "Block",
    "Bullets",
    "Chart",
    "Code",
    "Command",
    "Curve",
    "Document",
    "Facts",
    "Inline",
    "Line",
    "Mark",
    "Paragraph",
    "Rule",
    "Section",
    "Table",
    "Tick",
    "Value",
    "foreign",
    "joined",
    "line",
    "lines_of",
    "plain",
    "raw_of",
    "remarks",
    "sentence",
    "values_of",
    "visible",
]


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    line: Line
    tone: str = ""
    """"" or "good", "warn", "bad": how a box around it looks; the words say it too."""
    label: str = ""
    """A word before it, such as "note"; by default that of the tone."""
    strong: bool = False
    """Whether it is what the part under it is about."""


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Line, ...]


@dataclass(frozen=True)
class Facts:
    """Names and their values."""

    items: tuple[tuple[Inline, Line], ...]
    large: bool = False
    """Whether they are the figures that the page begins with."""


@dataclass(frozen=True)
class Table:
    """Rows under a caption; the first column names its row."""

    caption: Line
    columns: tuple[str | Value, ...]
    rows: tuple[tuple[Line, ...], ...]
    foot: tuple[tuple[Line, ...], ...] = ()
    words: frozenset[str] = frozenset()
    """Columns, beside the first one, that hold words and are set to the left."""
    marked: int | None = None
    """The row that is the pick."""
    tones: tuple[str, ...] = ()
    """Of each row: "bad" for one that fails, "faint" for one that is not judged; () where all are alike."""
    breaks: frozenset[int] = frozenset()
    """Rows that begin another group."""
    spare: tuple[str, ...] = ()
    """Columns that are left out where the table has no room, the first of them first."""
    names: str = ""
    """Column of long names, which are broken where the table has no room; "" of a table that has none."""
    beneath: str = ""
    """Column of words that are set under the names where the table has no room for a column of their own; a cell whose
    raw value is empty stands for nothing special and is left out there."""

    def is_named_by(self, column: str | Value) -> bool:
        """Whether a column is that of the names."""
        return self.names != "" and str(column) == self.names

    def without(self, column: str) -> Table:
        """The same table without a column."""
        kept = [i for i, name in enumerate(self.columns) if str(name) != column]

        def of(rows: tuple[tuple[Line, ...], ...]) -> tuple[tuple[Line, ...], ...]:
            return tuple(tuple(row[i] for i in kept) for row in rows)

        return replace(self, columns=tuple(self.columns[i] for i in kept), rows=of(self.rows), foot=of(self.foot))


@dataclass(frozen=True)
class Command:
    """What is typed in a shell."""

    lines: tuple[str, ...]
    title: str


Block: TypeAlias = "Paragraph | Bullets | Facts | Table | Command | Chart"


@dataclass(frozen=True)
class Section:
    """A part of the page under one heading."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole story: of a plan, a law, a cost, a verdict."""

    kind: str
    """What it is, in one word: "recommendation", "law"."""
    title: str
    heading: Line
    """The story in one sentence: the heading of the page."""
    opening: tuple[Block, ...]
    sections: tuple[Section, ...]
    opening_title: str = "Summary"
    tone: str = ""
    """Of the heading: "good", "warn", "bad" where it is a judgement."""
    sources: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the story was told of, as plain JSON types by name; the JSON of the page holds them whole."""


def remarks(label: str, texts: Iterable[str]) -> tuple[Paragraph, ...]:
    """Sentences from the data, each under a word such as "note" or "advice"."""
    return tuple(Paragraph((sentence(text, label),), "warn", label) for text in texts)


def values_of(document: Document) -> Iterator[Value]:
    """Every Value of a page, in the order in which it is read."""
    for parts in lines_of(document):
        yield from (part for part in parts if isinstance(part, Value))


def lines_of(document: Document) -> Iterator[Line]:
    """Every line of a page, in the order in which it is read."""
    yield document.heading
    for block in document.opening:
        yield from _lines(block)
    for section in document.sections:
        for block in section.blocks:
            yield from _lines(block)


def _lines(block: Block) -> Iterator[Line]:
    if isinstance(block, Paragraph):
        yield block.line
    elif isinstance(block, Bullets):
        yield from block.items
    elif isinstance(block, Facts):
        for name, content in block.items:
            yield (name,)
            yield content
    elif isinstance(block, Table):
        yield block.caption
        yield tuple(block.columns)
        for row in (*block.rows, *block.foot):
            yield from row
    elif isinstance(block, Command):
        yield tuple(Value(one, one, block.title) for one in block.lines)
    elif isinstance(block, Chart):
        yield from (block.caption, block.alt, block.x.label, block.y.label)
        for axis in (block.x, block.y):
            yield tuple(tick.value for tick in axis.ticks)
        yield tuple(curve.label for curve in block.curves if curve.label is not None)
        yield from (mark.tip for mark in block.marks)
        yield from (rule.label for rule in block.rules)
        yield from (meaning for _, meaning in block.legend)
