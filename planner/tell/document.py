"""A page as data: sections of paragraphs, tables, charts and commands, in which every number is a Value.

A Value is a text as people read it beside what it stands for, so that the JSON of a page holds each number that the
page shows at full precision. Words between them hold no digits; a test reads every page for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

TEXT_MAX = 200
"""Characters of a foreign text that a page repeats; the JSON keeps it whole."""


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


@dataclass(frozen=True)
class Tick:
    """A place on an axis with its number."""

    at: float
    value: Value


@dataclass(frozen=True)
class Axis:
    """One axis of a chart."""

    label: Line
    low: float
    high: float
    ticks: tuple[Tick, ...]
    log: bool = False


@dataclass(frozen=True)
class Curve:
    """A line through points, named at its right end."""

    points: tuple[tuple[float, float], ...]
    kind: str
    """"law", "pick" or "steps"."""
    label: Value | None = None


@dataclass(frozen=True)
class Mark:
    """One point."""

    x: float
    y: float
    shape: str
    """"circle", "square", "up", "diamond", "down", "cross", "dot" (a measured run)."""
    tip: Line
    """What it is."""
    hollow: bool = False
    """Outside of the law's data."""
    low: float | None = None
    """Ends of an error bar."""
    high: float | None = None
    ring: str = ""
    """"pick" or "tied"."""


@dataclass(frozen=True)
class Rule:
    """A line across the chart at one x or one y."""

    at: float
    label: Line
    axis: str = "x"


@dataclass(frozen=True)
class Chart:
    """A picture: what it shows in a caption, what it tells in words for those who do not see it."""

    key: str
    caption: Line
    alt: Line
    x: Axis
    y: Axis
    curves: tuple[Curve, ...] = ()
    marks: tuple[Mark, ...] = ()
    rules: tuple[Rule, ...] = ()
    legend: tuple[tuple[str, Line], ...] = ()
    """(shape or line, what it means)."""


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
    shown = "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode("ascii") for ch in text)
    return shown if len(shown) <= length_max else shown[: length_max - 1] + "…"


def foreign(text: str, what: str, length_max: int = TEXT_MAX, strong: bool = False) -> Value:
    """A text from the data as a Value."""
    return Value(visible(text, length_max), text, what, strong=strong)


def plain(parts: Line) -> str:
    """A line as bare text."""
    return "".join(map(str, parts))


def raw_of(parts: Line) -> Any:
    """What the first Value of a line stands for; None where it has none."""
    return next((part.raw for part in parts if isinstance(part, Value)), None)


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
