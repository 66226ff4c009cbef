"""A Chart in characters: letters for its series, signs for what else there is, in as many columns as there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from rich.cells import cell_len
from rich.text import Text

from planner.base.dataclass import dataclass
from planner.tell.axes import share
from planner.tell.chart import SHAPES, Axis, Chart, Mark
from planner.tell.inline import Value, plain

WIDTH_MIN = 60
WIDTH_MAX = 80
_HEIGHT = 10
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PICK_STYLE = "bold green"


@dataclass(frozen=True)
class Signs:
    """The characters of a chart."""

    pick: str
    beside: str
    next: str
    over: str
    run: str
    rule: str
    level: str
    decode: str
    prefill: str
    corner: str
    down: str
    across: str
    tick: str
    under: str


UNICODE = Signs("●", "·", "+", "×", "o", "┆", "╌", "░", "▓", "└", "│", "─", "┤", "┴")
ASCII = Signs("@", ".", "+", "x", "o", ":", "-", ",", "#", "+", "|", "-", "|", "+")


def draw(chart: Chart, width: int, signs: Signs = UNICODE) -> list[Text]:
    """The picture, line by line; at least `WIDTH_MIN` columns are needed, more than `WIDTH_MAX` are not used."""
    letters = _letters(chart)
    picks = [mark for mark in chart.marks if mark.ring == "pick"]
    heights = [*(tick.value for tick in chart.y.ticks), *filter(None, map(_height, picks))]
    margin = max(cell_len(value.text) for value in heights) + 2
    columns = min(width, WIDTH_MAX) - margin - 1
    curves = [(letters[str(curve.label.raw)], curve.points) for curve in chart.curves if curve.label]
    rules = [rule for rule in chart.rules if rule.axis == "x" and chart.x.low <= rule.at <= chart.x.high]
    levels = [rule for rule in chart.rules if rule.axis == "y" and chart.y.low <= rule.at <= chart.y.high]
    places = [*((mark.x, mark.y) for mark in chart.marks), *(point for _, points in curves for point in points)]
    places += [place for bar in chart.bars for place in ((bar.start, bar.low), (bar.end, bar.high))]
    across = _closer(chart.x, [*(x for x, _ in places), *(rule.at for rule in rules)])
    up = _closer(chart.y, [*(y for _, y in places), *(rule.at for rule in levels)])

    def column(x: float) -> int:
        return round((columns - 1) * share(across, x))

    def row(y: float) -> int:
        return round((_HEIGHT - 1) * (1 - share(up, y)))

    grid = [[" "] * columns for _ in range(_HEIGHT)]
    for rule in rules:
        for line in grid:
            line[column(rule.at)] = signs.rule
    for rule in levels:
        grid[row(rule.at)] = [signs.level] * columns
    for bar in chart.bars:
        for line in grid[row(bar.high) : row(bar.low) + 1]:
            for at in range(column(bar.start), column(bar.end) + 1):
                line[at] = signs.prefill if signs.prefill in (line[at], getattr(signs, bar.kind)) else signs.decode
    for letter, points in curves:
        for at, height in _between(points, across, columns):
            grid[row(height)][at] = letter
    for mark in chart.marks:
        grid[row(mark.y)][column(mark.x)] = _sign(mark, signs, letters)
    said = {row(tick.at): tick.value.text for tick in up.ticks}
    said |= {row(mark.y): value.text for mark in picks if (value := _height(mark))}
    lines = [Text(" " * (margin - 1) + plain(chart.y.label))]
    for i, line in enumerate(grid):
        left = said.get(i, "")
        text = Text(f"{left:>{margin - 1}}{signs.tick if left else signs.down}{''.join(line)}".rstrip())
        for j, found in enumerate(line):
            if found == signs.pick:
                text.stylize(_PICK_STYLE, margin + j, margin + j + 1)
        lines.append(text)
    marks, numbers = _ticks(across, columns, signs)
    lines.append(Text(" " * (margin - 1) + signs.corner + marks))
    lines.append(Text((" " * margin + numbers).rstrip()))
    lines.append(Text((" " * margin + plain(chart.x.label).center(columns)).rstrip()))
    drawn = "".join(map("".join, grid))
    return [*lines, *_legend(chart, letters, signs, drawn, width)]


def _closer(axis: Axis, values: list[float]) -> Axis:
    """The axis without its margins, which take whole rows and columns here."""
    low, high = min(values), max(values)
    if low == high:
        return axis
    return replace(axis, low=low, high=high, ticks=tuple(tick for tick in axis.ticks if low <= tick.at <= high))


def _height(mark: Mark) -> Value | None:
    """The height of a mark as its tip has it."""
    return next((part for part in mark.tip if isinstance(part, Value) and part.raw == mark.y), None)


def _sign(mark: Mark, signs: Signs, letters: dict[str, str]) -> str:
    if mark.ring == "pick":
        return signs.pick
    standing = {"beside": signs.beside, "next": signs.next, "over": signs.over}
    return standing.get(mark.standing) or letters.get(mark.series, signs.run)


def _letters(chart: Chart) -> dict[str, str]:
    """Series and labelled curves -> their letters; all beyond z share a sign."""
    names = [str(value.raw) for value in _named(chart)]
    return {name: _LETTERS[i] if i < len(_LETTERS) else "*" for i, name in enumerate(names)}


def _named(chart: Chart) -> list[Value]:
    """What letters stand for: curves, and series of which a mark has no sign of its own."""
    lettered = {mark.series for mark in chart.marks if not mark.standing and mark.ring != "pick"}
    series = [one for one in chart.series if one.raw in lettered]
    return [*series, *(curve.label for curve in chart.curves if curve.label is not None)]


def _between(points: tuple[tuple[float, float], ...], x: Axis, columns: int) -> Iterator[tuple[int, float]]:
    """(column, height) of a curve in each column that it crosses."""
    places = [((columns - 1) * share(x, at), height) for at, height in points]
    for (left, start), (right, end) in pairwise(places):
        for column in range(round(left), round(right) + 1):
            part = min(max((column - left) / (right - left), 0.0), 1.0) if right > left else 0.0
            yield min(max(column, 0), columns - 1), start + part * (end - start)


def _ticks(axis: Axis, columns: int, signs: Signs) -> tuple[str, str]:
    """The line of the axis, and the numbers under it, of which none touches another."""
    line, numbers, end = [signs.across] * columns, [" "] * columns, 0
    for tick in axis.ticks:
        at, text = round((columns - 1) * share(axis, tick.at)), tick.value.text
        line[at] = signs.under
        start = min(max(at - len(text) // 2, 0), columns - len(text))
        if start >= end:
            numbers[start : start + len(text)] = text
            end = start + len(text) + 2
    return "".join(line), "".join(numbers)


def _legend(chart: Chart, letters: dict[str, str], signs: Signs, drawn: str, width: int) -> list[Text]:
    """What the characters mean, of those that are seen."""
    known = {"ring": signs.pick, "beside": signs.beside, "next": signs.next, "over": signs.over, "dot": signs.run}
    known |= {"decode": signs.decode, "prefill": signs.prefill}
    told = {sign: plain(meaning) for sign, meaning in chart.legend if sign not in SHAPES}
    parts = [(signs.pick, told.pop("ring"))] if "ring" in told else []
    parts += [(letters[str(one.raw)], str(one)) for one in _named(chart)]
    parts += [(known[sign], meaning) for sign, meaning in told.items() if sign in known]
    parts += [(signs.rule if rule.axis == "x" else signs.level, plain(rule.label)) for rule in chart.rules]
    lines = [Text()]
    for sign, meaning in parts:
        if sign not in drawn:
            continue
        entry = Text.assemble((sign, _PICK_STYLE if sign == signs.pick else ""), f" {meaning}")
        if lines[-1] and lines[-1].cell_len + 2 + entry.cell_len > width:
            lines.append(Text())
        lines[-1].append("  " if lines[-1] else "").append_text(entry)
    return lines
