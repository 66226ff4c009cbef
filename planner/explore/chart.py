"""The candidates of a plan as points, lines and ticks: predicted error against the first limit's quantity.

Numbers are in base units, x on a logarithmic scale; what people read is text already. The page only turns them into
pixels, so that the picture follows its width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.base.quantities import format_fraction, format_significant
from planner.planning.candidate import Candidate
from planner.planning.limits import Limit
from planner.planning.result import Plan

FloatArray = NDArray[np.float64]

OVER, FITS, TIED, PICK = "over", "fits", "tied", "pick"
"""Kinds of points: breaks a limit; keeps all; keeps all and cannot be told from the pick; the pick."""
MOST_TICKS = 7
_POINTS_MAX = 1500  # more would be slow to draw; those that fit come first


@dataclass(frozen=True)
class Tick:
    """A mark of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """One axis: what it measures, from where to where."""

    title: str
    low: float
    high: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Point:
    """One model with its visual tokens, in the way to run that costs least."""

    x: float
    error: float
    kind: str
    text: str


@dataclass(frozen=True)
class Chart:
    """All that is drawn."""

    x: Axis
    y: Axis
    points: tuple[Point, ...]
    """What breaks a limit first, so that the pick is drawn last."""
    frontier: tuple[tuple[float, float], ...]
    """(x, error), ascending in x: the least error for so much."""
    bars: tuple[tuple[float, float, float], ...]
    """(x, low, high): 95 % intervals of the frontier."""
    limit: Tick
    """Where the first limit stands."""


def chart_of(plan: Plan) -> Chart:
    """The picture of a plan."""
    limit, table = plan.limits[0].limit, plan.table
    along = table.quantities[limit.column]
    tied = {_place(one) for one in plan.tied} if len(plan.tied) > 1 else set()
    pick = _place(plan.best)
    several = len({one["compressor"] for one in table.setups}) > 1
    points = []
    for row in _rows(plan, limit, along):
        setup = table.setups[int(table.setup_index[row])]
        name, tokens = table.llms[int(table.llm_index[row])].name, int(table.visual_tokens[row])
        place = (name, tokens, setup["compressor"])
        kind = OVER if not table.fits[row] else PICK if place == pick else TIED if place in tied else FITS
        x, error = float(along[row]), float(table.predicted_error[row])
        if kind == PICK:  # where it runs as picked, which need not be the least of this quantity
            x = plan.best.quantities[limit.column]
        way = f" ({setup['compressor']})" if several else ""
        of = "1 visual token" if tokens == 1 else f"{tokens} visual tokens"
        text = f"{name}, {of}{way}: error {format_fraction(error)}, {limit.title} {limit.show(x)}"
        points.append(Point(x, error, kind, text))
    points.sort(key=lambda point: (OVER, FITS, TIED, PICK).index(point.kind))
    line = tuple((one.quantities[limit.column], one.predicted_error) for one in plan.frontier)
    bars = tuple((one.quantities[limit.column], *one.interval) for one in plan.frontier if one.interval is not None)
    xs = [point.x for point in points] + [limit.value]
    ys = [point.error for point in points] + [end for _, *ends in bars for end in ends]
    return Chart(
        x=_log_axis(_title(limit), min(xs), max(xs), limit),
        y=_linear_axis("predicted error", min(ys), max(ys)),
        points=tuple(points),
        frontier=tuple(sorted(line)),
        bars=bars,
        limit=Tick(limit.value, str(limit)),
    )


def _place(one: Candidate) -> tuple[str, int, str]:
    return one.llm.name, one.visual_tokens, one.compressor.name


def _title(limit: Limit) -> str:
    return f"{limit.title} of one request" if limit.kind.names_itself else limit.title


def _rows(plan: Plan, limit: Limit, along: FloatArray) -> list[int]:
    """One row for each model, visual tokens and compressor: one that fits if there is one, then the least costly."""
    table = plan.table
    names = list(dict.fromkeys(setup["compressor"] for setup in table.setups))
    compressor = np.array([names.index(setup["compressor"]) for setup in table.setups])[table.setup_index]
    order = np.lexsort((-along if limit.at_least else along, ~table.fits))
    highest = int(table.visual_tokens.max()) + 1
    key = (table.llm_index * highest + table.visual_tokens.astype(int)) * len(names) + compressor
    firsts = order[np.sort(np.unique(key[order], return_index=True)[1])]
    return [int(row) for row in firsts[:_POINTS_MAX]]


def _log_axis(title: str, low: float, high: float, limit: Limit) -> Axis:
    low, high = low / 1.15, high * 1.15
    steps = _powers_of_two(low, high) if limit.kind.unit == "bytes" else _decades(low, high)
    return Axis(title, low, high, tuple(Tick(at, limit.show(at)) for at in steps))


def _decades(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten between two numbers, or powers alone, as many as there is room for."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = 1
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [f * 10.0**power for power in range(first, last + 1) for f in factors]
        found = [at for at in found if low <= at <= high]
        if len(found) <= MOST_TICKS:
            return found
    while len(found[::every]) > MOST_TICKS:
        every += 1
    return found[::every]


def _powers_of_two(low: float, high: float) -> list[float]:
    found = [2.0**power for power in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]
    every = -(-len(found) // MOST_TICKS) or 1
    return found[::every]


def _linear_axis(title: str, low: float, high: float) -> Axis:
    margin = 0.04 * (high - low) or 0.01
    low, high = low - margin, high + margin
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    steps = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return Axis(title, low, high, _labelled(steps, format_significant))


def _labelled(steps: list[float], show: Callable[[float], str]) -> tuple[Tick, ...]:
    return tuple(Tick(at, show(at)) for at in steps)
