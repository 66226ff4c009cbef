"""A picture as data: axes, curves, marks, lines across. A renderer for each medium draws any of them."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.tell.inline import Line, Value


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


SHAPES = (
    "circle", "square", "up", "diamond", "down", "cross", "left", "star", "right", "saltire", "hourglass", "bow",
)  # fmt: skip
"""Of the marks of a series."""


@dataclass(frozen=True)
class Mark:
    """One point."""

    x: float
    y: float
    shape: str
    """One of SHAPES, or "dot" (a measured run)."""
    tip: Line
    """What it is."""
    hollow: bool = False
    """Outside of the law's data."""
    low: float | None = None
    """Ends of an error bar."""
    high: float | None = None
    ring: str = ""
    """"pick" or "tied"."""
    series: str = ""
    """Which of the chart's series it belongs to; "" of none, then it looks as `shape` says in every medium."""
    standing: str = ""
    """"" of what the chart is about, "beside" of what else there is, "next" of what comes after a rule, "over" of what
    lies beyond it."""
    weight: float | None = None
    """What its area grows with, where the medium has areas: visual tokens."""


@dataclass(frozen=True)
class Bar:
    """A filled stretch: from one x to another, from one y up to another."""

    start: float
    end: float
    low: float
    high: float
    kind: str
    """"decode" or "prefill": how it looks."""


@dataclass(frozen=True)
class Rule:
    """A line across the chart at one x or one y; beyond the end of the axis its label alone stands at the edge."""

    at: float
    label: Line
    axis: str = "x"
    at_start: bool = False
    """Whether the label of a line at one y stands at its left end."""


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
    bars: tuple[Bar, ...] = ()
    rules: tuple[Rule, ...] = ()
    legend: tuple[tuple[str, Line], ...] = ()
    """(shape, line, bar's kind, ring or standing, what it means); shapes are those of series, or of groups of them."""
    series: tuple[Value, ...] = ()
    """What marks belong to by `Mark.series`, the raw name. A medium may have signs of its own for them: letters,
    colours; their shapes are `SHAPES`, from the first again where there are more."""
    weight: str = ""
    """What the areas of marks stand for."""
