"""A small picture of a plan in characters: error against what is limited first, the pick marked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from planner.base.quantities import format_fraction
from planner.planning.candidate import Candidate
from planner.planning.result import Plan
from planner.tell.console import plain

WIDTH_MIN = 60
POINTS_MIN = 3
"""Fewer candidates on the frontier make no curve."""
_WIDTH_MAX, _HEIGHT = 80, 10
_FAR = 4.0  # a limit beyond this many times the dearest candidate is not drawn to scale
_NEAR = 1.5  # the next one above is drawn up to so many times the dearest
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PICK_STYLE = "bold green"


@dataclass(frozen=True)
class Signs:
    """The characters of a chart."""

    pick: str
    other: str
    above: str
    limit: str
    corner: str
    down: str
    across: str
    tick: str


UNICODE = Signs(pick="●", other="·", above="+", limit="┆", corner="└", down="│", across="─", tick="┤")
ASCII = Signs(pick="@", other=".", above="+", limit=":", corner="+", down="|", across="-", tick="|")


def has_chart(plan: Plan, width: int) -> bool:
    """Whether there is a curve to draw, and room for it."""
    costs = [_cost(plan, one) for one in plan.frontier]
    return width >= WIDTH_MIN and len(plan.frontier) >= POINTS_MIN and 0 < min(costs) < max(costs) < math.inf


def frontier_chart(plan: Plan, width: int, signs: Signs = UNICODE) -> list[Text]:
    """The frontier by language model (letters), what else fits (dots), the next one above, the limit, the pick.

    The axis of costs is logarithmic. Call it where `has_chart` says so.
    """
    limit = plan.limits[0].limit
    points = [(_cost(plan, one), one.predicted_error) for one in plan.frontier]
    # the pick may be dearer here than its twin on the frontier: of equal errors the fewer FLOPs or the lower price won
    costs_drawn = [*(x for x, _ in points), _cost(plan, plan.best)]
    left, right = min(costs_drawn), max(costs_drawn)
    near = plan.next_up is not None and left / _NEAR < _cost(plan, plan.next_up) < _NEAR * right
    above = plan.next_up if near else None
    shown_limit = left / _FAR <= limit.value <= _FAR * right
    left, right = (min(left, limit.value), max(right, limit.value)) if shown_limit else (left, right)
    if above is not None:
        left, right = min(left, _cost(plan, above)), max(right, _cost(plan, above))
    top = max(y for _, y in points)
    bottom = plan.best.predicted_error if above is None else above.predicted_error
    margin = len(format_fraction(top)) + 2
    columns = min(width, _WIDTH_MAX) - margin - 1

    def column(x: float) -> int:
        return round((columns - 1) * math.log(x / left) / math.log(right / left))

    def row(y: float) -> int:
        return round((_HEIGHT - 1) * (top - y) / (top - bottom))

    grid = [[" "] * columns for _ in range(_HEIGHT)]
    if shown_limit:
        for line in grid:
            line[column(limit.value)] = signs.limit
    costs, errors = _fitting(plan)
    for x, y in zip(costs, errors, strict=True):
        if left <= x <= right and bottom <= y <= top:
            grid[row(y)][column(x)] = signs.other
    letters = _letters(plan)
    for one, (x, y) in zip(plan.frontier, points, strict=True):
        grid[row(y)][column(x)] = letters[one.llm.name]
    if above is not None:
        grid[row(above.predicted_error)][column(_cost(plan, above))] = signs.above
    pick_row = row(plan.best.predicted_error)
    grid[pick_row][column(_cost(plan, plan.best))] = signs.pick
    lines = []
    for i, line in enumerate(grid):
        ends = {0: format_fraction(top), _HEIGHT - 1: format_fraction(bottom)}
        said = format_fraction(plan.best.predicted_error) if i == pick_row else ends.get(i, "")
        text = Text(f"{said:>{margin - 1}}{signs.tick if said else signs.down}{''.join(line)}".rstrip())
        if i == pick_row:
            text.stylize(_PICK_STYLE, margin + line.index(signs.pick), margin + line.index(signs.pick) + 1)
        lines.append(text)
    lines.append(Text(" " * (margin - 1) + signs.corner + signs.across * columns))
    low, high = limit.show(left), limit.show(right)
    lines.append(Text(" " * margin + low + high.rjust(columns - len(low))))
    drawn = "".join(map("".join, grid))
    return [*lines, _legend(letters, signs, drawn, limit.show(limit.value))]


def _legend(letters: dict[str, str], signs: Signs, drawn: str, allowed: str) -> Text:
    """What the characters mean, of those that are seen."""
    parts = [f"{letter} {name}" for name, letter in letters.items() if letter in drawn]
    meanings = {signs.other: "others that fit", signs.above: "next above", signs.limit: f"limit {allowed}"}
    parts += [f"{sign} {meaning}" for sign, meaning in meanings.items() if sign in drawn]
    return Text.assemble((signs.pick, _PICK_STYLE), " pick  ", plain("  ".join(parts)))


def _letters(plan: Plan) -> dict[str, str]:
    """Language models of the frontier by size -> their letters; all beyond z share a sign."""
    sizes = {one.llm.name: one.llm.nominal_params for one in plan.frontier}
    names = sorted(sizes, key=lambda name: (sizes[name], name))
    return {name: _LETTERS[i] if i < len(_LETTERS) else "*" for i, name in enumerate(names)}


def _fitting(plan: Plan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Costs and errors of everything that fits."""
    table = plan.table
    return table.quantities[plan.limits[0].limit.column][table.fits], table.predicted_error[table.fits]


def _cost(plan: Plan, candidate: Candidate) -> float:
    return candidate.quantities[plan.limits[0].limit.column]
