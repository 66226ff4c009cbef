"""Any Chart as a matplotlib Figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis as MatplotlibAxis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from planner.tell.axes import share
from planner.tell.chart import SHAPES, Axis, Bar, Chart, Curve, Mark, Rule
from planner.tell.inline import Line, Value
from planner.tell.plots.style import (
    ACCENT,
    ROWS_MAX,
    STYLE,
    FloatArray,
    Rows,
    add_legend,
    dot,
    literal,
    new_figure,
    size_colours,
    thinned,
    token_areas,
    token_rows,
)

_SMALL = 0.45  # of the marker areas of other pictures: marks are many
_AREA = 30.0  # of a mark without weight, square points
_STRIP = 0.22  # share of the height that is kept free under all marks, for the label of the pick
_NAME_MAX, _LABEL_MAX = 28, 34
_GREY: dict[str, Any] = {"linestyle": "none", "color": "0.4", "marker": "o"}
_FILLED: dict[str, tuple[Any, float]] = {"decode": ("0.55", 0.55), "prefill": ("#31688e", 1.0)}
"""Colours of bars, by kind; the second is of viridis."""
_RING: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": ACCENT, "markerfacecolor": "none"}


@style.context(["default", STYLE])
def picture(chart: Chart, title: str = "") -> Figure:
    """A chart: its series in the colours of viridis in their order, areas by weight, the pick with its label."""
    figure, (axes,) = new_figure((8.6, 5.2), title)
    draw(axes, chart)
    names = _series(chart)
    colours = size_colours(len(names))
    kept: Rows = [(dot(colours[i]), literal(names[i], _NAME_MAX)) for i in thinned(len(names), ROWS_MAX)]
    what = chart.series[0].what if names else ""
    heading = what if len(kept) == len(names) else f"{what} ({len(kept)} of {len(names)})"
    weights = _weights(chart)
    areas = [(chart.weight, token_rows(weights, _SMALL))] if len(weights) else []
    add_legend(figure, [*([(heading, kept)] if kept else []), *areas, ("", signs(chart))])
    return figure


def draw(axes: Axes, chart: Chart) -> None:
    """A chart into a panel, without its legend."""
    names, weights = _series(chart), _weights(chart)
    colours = dict(zip(names, size_colours(len(names)), strict=True))
    _curves(axes, chart.curves)
    _bars(axes, chart.bars)
    for mark in chart.marks:
        _mark(axes, mark, colours.get(mark.series, "0.4"), weights)
    picks = [mark for mark in chart.marks if mark.ring == "pick"]
    axes.set_xscale("log" if chart.x.log else "linear")  # before the ticks: a scale brings its own
    axes.set_yscale("log" if chart.y.log else "linear")
    _scale(axes.xaxis, chart.x)
    _scale(axes.yaxis, chart.y)
    axes.set_xlim(chart.x.low, chart.x.high)
    axes.set_ylim(_low(chart.y, _STRIP * bool(picks)), chart.y.high)
    for rule in chart.rules:
        (_rule if rule.axis == "x" else _level)(axes, rule, chart)
    for mark in picks:
        _label(axes, mark, share(chart.x, mark.x))


def _series(chart: Chart) -> list[str]:
    return [str(one.raw) for one in chart.series]


def _weights(chart: Chart) -> FloatArray:
    return np.unique([mark.weight for mark in chart.marks if mark.weight is not None])


def _low(axis: Axis, strip: float) -> float:
    """The low end with a share of the height below it."""
    if axis.log:
        return float(axis.low * (axis.high / axis.low) ** -strip)
    return axis.low - strip * (axis.high - axis.low)


def _scale(axis: MatplotlibAxis, told: Axis) -> None:
    """The ticks of the chart and no others."""
    texts = {tick.at: tick.value.text for tick in told.ticks}
    axis.set_major_locator(FixedLocator(list(texts)))
    axis.set_major_formatter(FuncFormatter(lambda at, _: texts[min(texts, key=lambda one: abs(one - at))]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_label_text(_words(told.label))


def _curves(axes: Axes, curves: tuple[Curve, ...]) -> None:
    styles = {"steps": ("0.55", 1.2), "pick": (ACCENT, 2.2)}
    for curve in curves:
        colour, width = styles.get(curve.kind, ("0.4", 1.4))
        axes.plot(*np.transpose(curve.points), color=colour, linewidth=width, label=curve.kind, zorder=1)
        if curve.label is not None:
            place: dict[str, Any] = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
            place["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            axes.annotate(literal(curve.label.text, _NAME_MAX), curve.points[-1], color=colour, **place)


def _bars(axes: Axes, bars: tuple[Bar, ...]) -> None:
    for kind, (colour, alpha) in _FILLED.items():
        own = np.array([(bar.start, bar.end, bar.low, bar.high) for bar in bars if bar.kind == kind])
        if own.size:
            start, end, low, high = own.T
            look: dict[str, Any] = {
                "color": colour,
                "alpha": alpha,
                "edgecolor": "white",
                "linewidth": 0.3,
                "label": kind,
            }
            axes.bar(start, high - low, width=end - start, bottom=low, align="edge", zorder=1, **look)


def _mark(axes: Axes, mark: Mark, colour: Any, weights: FloatArray) -> None:
    alpha = {"beside": 0.4, "over": 0.25}.get(mark.standing, 1.0)
    area = _AREA if mark.weight is None else _SMALL * float(token_areas(np.array(mark.weight), weights))
    bar = _bar(mark)
    if bar is not None:
        look: dict[str, Any] = {"color": colour, "elinewidth": 1, "capsize": 2.5, "fmt": "none", "alpha": alpha}
        axes.errorbar(mark.x, mark.y, yerr=bar, zorder=2, **look)
    axes.scatter(
        mark.x,
        mark.y,
        s=area,
        facecolors="white" if mark.hollow else [colour],
        edgecolors=[colour],
        linewidths=1.3,
        alpha=alpha,
        marker="D" if mark.standing == "next" else "o",
        label="mark",
        zorder=3,
    )
    if mark.ring:
        ring, width = (2.0 * area + 90, 2.2) if mark.ring == "pick" else (1.6 * area + 40, 1.0)
        axes.scatter(
            mark.x, mark.y, s=ring, facecolors="none", edgecolors=ACCENT, linewidths=width, label=mark.ring, zorder=4
        )


def _bar(mark: Mark) -> FloatArray | None:
    """Lengths of a mark's error bar, down and up, (2, 1); None where it has none."""
    if mark.low is None or mark.high is None:
        return None
    bar: FloatArray = np.maximum(np.array([mark.y - mark.low, mark.high - mark.y], float), 0.0)[:, None]
    return bar


def _level(axes: Axes, rule: Rule, chart: Chart) -> None:
    """A line at a height with its label over it; beyond the axis an arrow says so."""
    below, above = rule.at < chart.y.low, rule.at > chart.y.high
    label = _words(rule.label)
    if not (below or above):
        axes.axhline(rule.at, color="black", linewidth=1.2, linestyle="--", label="rule", zorder=1)
    axes.annotate(
        f"{label} ↓" if below else f"{label} ↑" if above else label,
        (0.0 if rule.at_start else 1.0, min(max(rule.at, chart.y.low), chart.y.high)),
        xycoords=("axes fraction", "data"),
        xytext=(6 if rule.at_start else -6, -3 if above else 3),
        textcoords="offset points",
        ha="left" if rule.at_start else "right",
        va="top" if above else "bottom",
        fontsize=9,
    )


def _rule(axes: Axes, rule: Rule, chart: Chart) -> None:
    """A line at a place of the axis with its label on top; beyond the axis an arrow says so."""
    x = chart.x
    left, right = rule.at < x.low, rule.at > x.high
    place, label = min(max(share(x, rule.at), 0.0), 1.0), _words(rule.label)
    if not (left or right):
        axes.axvline(rule.at, color="black", linewidth=1.2, linestyle="--", label="rule", zorder=1)
    axes.annotate(
        f"← {label}" if left else f"{label} →" if right else label,
        (place, 1.0),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        ha="right" if place > 0.5 else "left",
        fontsize=9,
    )


def _label(axes: Axes, mark: Mark, place: float) -> None:
    """What the pick is, in the strip under all marks."""
    bar, to_the_left = _bar(mark), place > 0.5
    axes.annotate(
        _words(mark.tip).replace(": ", "\n", 1),
        (mark.x, mark.y - (0.0 if bar is None else float(bar[0, 0]))),
        xytext=(place, 0.02),
        textcoords="axes fraction",
        ha="right" if to_the_left else "left",
        va="bottom",
        label="label",
        arrowprops={
            "arrowstyle": "-",
            "color": ACCENT,
            "relpos": (float(to_the_left), 1.0),
            "shrinkB": 10 if bar is None else 3,
        },
    )


def signs(chart: Chart) -> Rows:
    """The part of the legend that says what lines, rings and shades mean."""
    handles: dict[str, Artist] = {
        "line": Line2D([], [], color="0.4", linewidth=1.4),
        "ring": Line2D([], [], **_RING | {"markersize": 10.0, "markeredgewidth": 2.2}),
        "ring-tied": Line2D([], [], **_RING | {"markersize": 9.0}),
        "beside": Line2D([], [], **_GREY, alpha=0.4),
        "over": Line2D([], [], **_GREY, alpha=0.25),
        "next": Line2D([], [], **_GREY | {"marker": "D"}),
        "hollow": Line2D([], [], **_GREY, markerfacecolor="white"),
        "dot": Line2D([], [], **_GREY),
        "bar": Line2D([], [], color="0.4", linewidth=1, marker="|", markersize=9),
        **{kind: Patch(color=colour, alpha=alpha, linewidth=0) for kind, (colour, alpha) in _FILLED.items()},
    }
    return [(handles[sign], _words(told)) for sign, told in chart.legend if sign not in SHAPES]


def _words(parts: Line) -> str:
    """A line as it is drawn; names from files are cut and shown as they are."""
    return "".join(
        literal(part.raw, _LABEL_MAX) if isinstance(part, Value) and isinstance(part.raw, str) else str(part)
        for part in parts
    )
