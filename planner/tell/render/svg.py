"""A Chart as an SVG picture. Colours are the page's own, so that it is read in light, in dark and in print."""

from __future__ import annotations

import math
from html import escape

from planner.tell.axes import share
from planner.tell.document import Axis, Bar, Chart, Curve, Line, Mark, Rule, Tick, plain, visible

WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 26, 42
_LABEL_ROOM = 52  # beside curves that are named at their end
_STANDINGS = ("beside", "next", "over")
_FILLED = ("decode", "prefill")
_CROSS = "-1.5,-4.5 1.5,-4.5 1.5,-1.5 4.5,-1.5 4.5,1.5 1.5,1.5 1.5,4.5 -1.5,4.5 -1.5,1.5 -4.5,1.5 -4.5,-1.5 -1.5,-1.5"
_CORNERS = {
    "square": "-3.6,-3.6 3.6,-3.6 3.6,3.6 -3.6,3.6",
    "up": "0,-4.8 4.6,3.6 -4.6,3.6",
    "down": "0,4.8 4.6,-3.6 -4.6,-3.6",
    "left": "-4.8,0 3.6,-4.6 3.6,4.6",
    "right": "4.8,0 -3.6,-4.6 -3.6,4.6",
    "diamond": "0,-5.2 5.2,0 0,5.2 -5.2,0",
    "cross": _CROSS,
    "saltire": _CROSS,
    "star": "0,-5.6 1.4,-1.9 5.3,-1.7 2.2,0.7 3.3,4.5 0,2.3 -3.3,4.5 -2.2,0.7 -5.3,-1.7 -1.4,-1.9",
    "hourglass": "-4.2,-4.6 4.2,-4.6 0.8,0 4.2,4.6 -4.2,4.6 -0.8,0",
    "bow": "-4.6,-4.2 0,-0.8 4.6,-4.2 4.6,4.2 0,0.8 -4.6,4.2",
}
"""Around the place of a mark, in pixels; a saltire is a cross turned by 45 degrees."""
_LETTER = 6.6  # mean width of a digit of 12 pixels


def draw(chart: Chart) -> str:
    """The picture; its title and what it tells are read out in its place."""
    right = RIGHT + (_LABEL_ROOM if any(curve.label for curve in chart.curves) else 0)
    plot = _Plot(chart.x, chart.y, WIDTH - right)
    title, told = f"{chart.key}-picture-title", f"{chart.key}-picture-told"
    body = [*_axes(chart, plot)]
    body += [_filled(bar, plot) for bar in chart.bars]
    across = [rule for rule in chart.rules if rule.axis == "x"]
    for i, rule in enumerate(across):
        body += _rule(rule, chart.x, plot, i)
    for rule in chart.rules:
        body += [] if rule in across else _level(rule, chart.y, plot)
    body += [_curve(curve, plot) for curve in chart.curves]
    body += _curve_labels(chart.curves, plot)
    body += [_mark(mark, plot) for mark in chart.marks if not mark.ring]
    body += [_mark(mark, plot) for mark in chart.marks if mark.ring]
    inside = "\n".join(body)
    return f"""<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{title} {told}">
<title id="{title}">{_text(chart.caption)}</title>
<desc id="{told}">{_text(chart.alt)}</desc>
{inside}
</svg>"""


def symbol(shape: str) -> str:
    """A sign of the legend."""
    if shape == "line":
        inside = '<line class="law" x1="1" x2="19" y1="10" y2="10"/>'
    elif shape in _FILLED:
        inside = f'<rect class="filled {shape}" x="3" y="4" width="14" height="12"/>'
    elif shape == "bar":
        inside = _bar(10, 2, 18)
    elif shape in ("ring", "ring-tied"):
        inside = f'<circle class="{shape}" cx="10" cy="10" r="{7 if shape == "ring" else 6}"/>'
    elif shape in ("hollow", *_STANDINGS):
        inside = _shape("circle", 10, 10, shape)
    else:
        inside = _shape(shape, 10, 10, "")
    return f'<svg class="symbol" viewBox="0 0 20 20" aria-hidden="true">{inside}</svg>'


class _Plot:
    """Where values stand, in pixels."""

    def __init__(self, x: Axis, y: Axis, right: float) -> None:
        self._x, self._y, self.right = x, y, right

    def x(self, value: float) -> float:
        return LEFT + share(self._x, value) * (self.right - LEFT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - share(self._y, value) * (HEIGHT - BOTTOM - TOP)


def _axes(chart: Chart, plot: _Plot) -> list[str]:
    bottom, found = HEIGHT - BOTTOM, []
    for tick in chart.y.ticks:
        at = plot.y(tick.at)
        found.append(f'<line class="grid" x1="{LEFT}" x2="{plot.right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        found.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_words(tick.value.text)}</text>')
    for tick in _with_room(chart.x.ticks, plot):
        at = plot.x(tick.at)
        found.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        found.append(f'<text x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{_words(tick.value.text)}</text>')
    found.append(f'<line class="axis" x1="{LEFT}" x2="{plot.right}" y1="{bottom}" y2="{bottom}"/>')
    middle = (LEFT + plot.right) / 2
    label = _text(chart.x.label) + (", logarithmic" if chart.x.log else "")
    found.append(f'<text class="label" x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{label}</text>')
    found.append(
        f'<text class="label" x="0" y="12">{_text(chart.y.label)}{", logarithmic" if chart.y.log else ""}</text>'
    )
    return found


def _with_room(ticks: tuple[Tick, ...], plot: _Plot) -> list[Tick]:
    """The ticks whose numbers do not touch the one before."""
    kept: list[Tick] = []
    end = -math.inf
    for tick in ticks:
        half = _LETTER * len(tick.value.text) / 2
        at = plot.x(tick.at)
        if at - half >= end + 6:
            kept.append(tick)
            end = at + half
    return kept


def _curve(curve: Curve, plot: _Plot) -> str:
    points = " ".join(f"{plot.x(x):.1f},{plot.y(y):.1f}" for x, y in curve.points)
    return f'<polyline class="{curve.kind}" points="{points}"/>'


def _filled(bar: Bar, plot: _Plot) -> str:
    left, right, top, bottom = plot.x(bar.start), plot.x(bar.end), plot.y(bar.high), plot.y(bar.low)
    place = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
    return f'<rect class="filled {bar.kind}" {place}/>'


def _level(rule: Rule, y: Axis, plot: _Plot) -> list[str]:
    """A line at a height with its label over it; beyond the axis an arrow says so."""
    below, above = rule.at < y.low, rule.at > y.high
    at = plot.y(min(max(rule.at, y.low), y.high))
    label = f"{_text(rule.label)} ↓" if below else f"{_text(rule.label)} ↑" if above else _text(rule.label)
    x, anchor = (LEFT + 4.0, "start") if rule.at_start else (plot.right - 4, "end")
    place = f'x="{x:.1f}" y="{at + (12 if above else -4):.1f}" text-anchor="{anchor}"'
    text = f'<text class="rule-label" {place}>{label}</text>'
    if below or above:
        return [text]
    return [f'<line class="rule" x1="{LEFT}" x2="{plot.right}" y1="{at:.1f}" y2="{at:.1f}"/>', text]


def _rule(rule: Rule, x: Axis, plot: _Plot, row: int = 0) -> list[str]:
    """A line with its label, one under the other; beyond the axis an arrow says so."""
    left, right = rule.at < x.low, rule.at > x.high
    at = plot.x(min(max(rule.at, x.low), x.high))
    anchor, shift = ("end", -4) if at > (LEFT + plot.right) / 2 else ("start", 4)
    label = f"← {_text(rule.label)}" if left else f"{_text(rule.label)} →" if right else _text(rule.label)
    place = f'x="{at + shift:.1f}" y="{TOP + 10 + 14 * row}" text-anchor="{anchor}"'
    text = f'<text class="rule-label" {place}>{label}</text>'
    if left or right:
        return [text]
    return [f'<line class="rule" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>', text]


def _curve_labels(curves: tuple[Curve, ...], plot: _Plot) -> list[str]:
    """Names at the right ends, moved apart where they would touch."""
    named = sorted(((plot.y(curve.points[-1][1]), curve) for curve in curves if curve.label), key=lambda pair: pair[0])
    found, last = [], -math.inf
    for height, curve in named:
        at = max(height, last + 13)
        last = at
        assert curve.label is not None
        x = plot.x(curve.points[-1][0]) + 12
        found.append(f'<text class="{curve.kind}-label" x="{x:.1f}" y="{at + 4:.1f}">{_words(curve.label.text)}</text>')
    return found


def _mark(mark: Mark, plot: _Plot) -> str:
    x, y = plot.x(mark.x), plot.y(mark.y)
    parts = [f"<title>{_text(mark.tip)}</title>"]
    if mark.low is not None and mark.high is not None:
        parts.append(_bar(x, plot.y(mark.high), plot.y(mark.low)))
    parts.append(_shape(mark.shape, x, y, " ".join(filter(None, ("hollow" if mark.hollow else "", mark.standing)))))
    if mark.ring:
        name, radius = ("ring", 9) if mark.ring == "pick" else ("ring-tied", 7.5)
        parts.append(f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>')
    return f"<g>{''.join(parts)}</g>"


def _bar(x: float, top: float, bottom: float) -> str:
    ends = "".join(f"M{x - 3:.1f} {at:.1f}h6" for at in (top, bottom))
    return f'<path class="bar" d="M{x:.1f} {top:.1f}V{bottom:.1f}{ends}"/>'


def _shape(shape: str, x: float, y: float, kind: str) -> str:
    name = f"mark {kind}".strip()
    if shape == "dot":
        return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
    if shape == "circle":
        return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    place = f"translate({x:.1f} {y:.1f})" + (" rotate(45)" if shape == "saltire" else "")
    return f'<polygon class="{name}" points="{_CORNERS[shape]}" transform="{place}"/>'


def _text(parts: Line) -> str:
    return _words(plain(parts))


def _words(text: str) -> str:
    return escape(visible(text, 10**9), quote=True)
