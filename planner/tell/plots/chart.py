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
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from planner.tell.axes import share
from planner.tell.chart import SHAPES, Axis, Chart, Curve, Mark, Rule
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
_RING: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": ACCENT, "markerfacecolor": "none"}


@style.context(["default", STYLE])
def picture(chart: Chart, title: str = "") -> Figure:
    """A chart: its series in the colours of viridis in their order, areas by weight, the pick with its label."""
    figure, (axes,) = new_figure((8.6, 5.2), title)
    names = [str(one.raw) for one in chart.series]
    colours = dict(zip(names, size_colours(len(names)), strict=True))
    weights = np.unique([mark.weight for mark in chart.marks if mark.weight is not None])
    _curves(axes, chart.curves)
    for mark in chart.marks:
        _mark(axes, mark, colours.get(mark.series, "0.4"), weights)
    picks = [mark for mark in chart.marks if mark.ring == "pick"]
    axes.set_xscale("log" if chart.x.log else "linear")  # before the ticks: a scale brings its own
    _scale(axes.xaxis, chart.x)
    _scale(axes.yaxis, chart.y)
    axes.set_xlim(chart.x.low, chart.x.high)
    axes.set_ylim(chart.y.low - _STRIP * (chart.y.high - chart.y.low) * bool(picks), chart.y.high)
    for rule in chart.rules:
        _rule(axes, rule, chart.x)
    for mark in picks:
        _label(axes, mark, share(chart.x, mark.x))
    kept: Rows = [(dot(colours[names[i]]), literal(names[i], _NAME_MAX)) for i in thinned(len(names), ROWS_MAX)]
    what = chart.series[0].what if names else ""
    heading = what if len(kept) == len(names) else f"{what} ({len(kept)} of {len(names)})"
    areas = [(chart.weight, token_rows(weights, _SMALL))] if len(weights) else []
    add_legend(figure, [*([(heading, kept)] if kept else []), *areas, ("", _signs(chart))])
    return figure


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
            axes.annotate(literal(curve.label.text, _NAME_MAX), curve.points[-1], color=colour, **place)


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


def _rule(axes: Axes, rule: Rule, x: Axis) -> None:
    """A line at a place of the axis with its label on top; beyond the axis an arrow says so."""
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


def _signs(chart: Chart) -> Rows:
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
    }
    return [(handles[sign], _words(told)) for sign, told in chart.legend if sign not in SHAPES]


def _words(parts: Line) -> str:
    """A line as it is drawn; names from files are cut and shown as they are."""
    return "".join(
        literal(part.raw, _LABEL_MAX) if isinstance(part, Value) and isinstance(part.raw, str) else str(part)
        for part in parts
    )
