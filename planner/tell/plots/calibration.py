"""Predicted against measured seconds, stage by stage, before and after a calibration."""

from __future__ import annotations

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from planner.base.errors import InputError
from planner.base.quantities import format_percent, format_seconds
from planner.bench.calibration.pool import QUANTITIES
from planner.bench.calibration.result import Calibration, ShapeTimes
from planner.tell.calibration import TITLES
from planner.tell.plots.style import STYLE, FloatArray, Rows, add_legend, literal, new_figure, size_colours

_TICKS_MAX = 4  # labels such as "300 ms", side by side
BAND = 0.10
"""Relative width of the grey band on either side."""
_BEFORE = "0.55"


@style.context(["default", STYLE])
def plot(found: Calibration) -> Figure:
    """A panel for each stage and total: every shape as the start predicts it and as a fit without it does.

    Raises:
        InputError: a calibration without shapes.
    """
    quantities = [name for name in QUANTITIES if found.errors("left_out", name)]
    if not quantities:
        raise InputError("this calibration predicts nothing that was measured: there is nothing to draw")
    sizes: dict[str, int] = {}
    for shape in found.shapes:
        sizes[shape.llm] = min(shape.params, sizes.get(shape.llm, shape.params))
    llms = sorted(sizes, key=lambda name: sizes[name])
    colours = dict(zip(llms, size_colours(len(llms)), strict=True))
    columns = 4 if len(quantities) > 4 else len(quantities)
    rows = -(-len(quantities) // columns)
    title = f"{found.hardware.title}: shapes that the fit did not see; median error before → after"
    figure, grid = new_figure((2.75 * columns, 0.8 + 2.9 * rows), literal(title, 100), rows, columns)
    for axes, name in zip(grid, quantities, strict=False):
        _panel(axes, found, name, colours)
    for axes in grid[len(quantities) :]:
        axes.set_axis_off()
    for place, axes in enumerate(grid[: len(quantities)]):
        if place + columns >= len(quantities):
            axes.set_xlabel("measured")
        if place % columns == 0:
            axes.set_ylabel("predicted")
    marks: Rows = [(_mark(colours[name], "o"), literal(name, 24)) for name in llms]
    further: Rows = [
        (_mark(_BEFORE, "x"), f"before: {found.start.efficiency.source} efficiencies"),
        (Line2D([], [], color="0.4", linestyle="--"), "predicted = measured"),
        (Rectangle((0, 0), 1, 1, color="0.9", linewidth=0), f"within {format_percent(BAND, 1.0)}"),
    ]
    add_legend(figure, [("", marks + further)], below=True)
    return figure


def _panel(axes: Axes, found: Calibration, name: str, colours: dict[str, FloatArray]) -> None:
    own = [shape for shape in found.shapes if shape.error("left_out", name) is not None]
    measured = np.array([shape.measured_s[name] for shape in own])
    before, after = (_predicted(own, way, name) for way in ("before", "left_out"))
    everything = np.concatenate([measured, before, after])
    ends = np.array([everything.min() / 1.3, everything.max() * 1.3])
    axes.fill_between(ends, (1 - BAND) * ends, (1 + BAND) * ends, color="0.9", linewidth=0, zorder=1)
    axes.plot(ends, ends, color="0.4", linestyle="--", linewidth=1, label="identity", zorder=2)
    axes.scatter(measured, before, s=18, marker="x", color=_BEFORE, linewidths=0.9, label="before", zorder=3)
    shades = np.array([colours[shape.llm] for shape in own])
    axes.scatter(measured, after, s=30, color=shades, edgecolors="white", linewidths=0.6, label="calibrated", zorder=4)
    axes.set(xscale="log", yscale="log", xlim=tuple(ends), ylim=tuple(ends))
    ticks = _ticks(ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FuncFormatter(lambda seconds, _: format_seconds(seconds)))
        axis.set_minor_formatter(NullFormatter())
    errors = [found.errors(way, name) for way in ("before", "left_out")]
    texts = [format_percent(one.median, 1.0) for one in errors if one]
    axes.set_title(f"{TITLES[name]}: {' → '.join(texts)}", loc="left")


def _ticks(ends: FloatArray) -> list[float]:
    """Two to four round numbers in a range."""
    decades = 10.0 ** np.arange(np.floor(np.log10(ends[0])), np.ceil(np.log10(ends[1])) + 1)
    found: list[float] = []
    for steps in ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        found = sorted(float(step * decade) for decade in decades for step in steps)
        found = [tick for tick in found if ends[0] <= tick <= ends[1]]
        if len(found) <= _TICKS_MAX:
            return found
    return found[:: -(-len(found) // _TICKS_MAX)]


def _predicted(shapes: list[ShapeTimes], way: str, name: str) -> FloatArray:
    return np.array([shape.predicted_s[way][name] for shape in shapes])


def _mark(colour: object, marker: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=6)  # type: ignore[arg-type]
