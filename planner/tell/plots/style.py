"""What all pictures share: settings, figure, title, colours, marker areas, axes and legends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from planner.base.quantities import format_flops, format_params, format_tokens
from planner.laws.combined import Law
from planner.planning.words import law_title

FloatArray = NDArray[np.float64]
Rows = list[tuple[Artist, str]]

STYLE: dict[str, Any] = {
    "text.parse_math": False,
    "font.size": 10,
    "axes.titlesize": 10,
    "figure.labelsize": 10,
    "figure.titlesize": 10.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.92",
    "savefig.dpi": 130,
    "svg.hashsalt": "planner",  # the same picture is the same file
}
POINTS = 161  # of a curve
ACCENT = "#d55e00"  # the vermilion of Okabe and Ito, told from all of viridis
ROWS_MAX = 10  # of sizes or models, in a legend
_TOKEN_ROWS_MAX = 7  # of token counts, in a legend
_AREAS = (18.0, 150.0)  # square points, for the fewest and the most visual tokens


def new_figure(
    size: tuple[float, float], title: str, rows: int = 1, columns: int = 1, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure (inches) that no window owns, and its panels, row by row."""
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure, list(grid.ravel())


def picture_title(law: Law) -> str:
    """`law_title` with a name that cannot run off the picture, on two lines where it is long."""
    short = replace(law, name=literal(law.name, 36))
    title, head = law_title(short), f"law {short.name}" if short.name else "law"
    return title if len(title) <= 55 else f"{head}\n{title[len(head) + 2 :]}"


def literal(text: str, length_max: int) -> str:
    """A foreign text in one line of printable characters, cut where it is long."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return line if len(line) <= length_max else line[: length_max - 1] + "…"


def size_colours(count: int) -> FloatArray:
    """Dark to light with size, RGBA (count, 4); the lightest end of the map is too faint on white."""
    rgba: FloatArray = np.asarray(colormaps["viridis"](np.linspace(0.0, 0.86, count)), float)
    return rgba


def token_areas(tokens: FloatArray, levels: FloatArray) -> FloatArray:
    """Marker areas by visual tokens, growing with their logarithm over the range of `levels`."""
    fewest, most = np.log(levels.min()), np.log(levels.max())
    share = (np.log(tokens) - fewest) / (most - fewest) if most > fewest else np.full(np.shape(tokens), 0.3)
    areas: FloatArray = _AREAS[0] + (_AREAS[1] - _AREAS[0]) * share
    return areas


def flops_axis(axes: Axes, label: str, show: Callable[[float], str] = format_flops) -> None:
    """A logarithmic axis with ticks such as "200 G", or as `show` writes them."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = math.log10(high / low)
    subs = (1.0,) if decades > 2.5 else (1.0, 2.0, 5.0) if decades > 0.8 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    if decades < 0.3:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda cost, _: show(cost).removesuffix("FLOPs")))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)


def level_axis(axes: Axes, levels: FloatArray, text: Callable[[float], str], label: str) -> None:
    """A logarithmic axis with ticks at measured levels, as many as there is room for."""
    axes.set_xscale("log")
    axes.margins(x=0.07)
    logs, kept = np.log(levels), [0]
    apart = (0.02 + 0.02 * max(len(text(level)) for level in levels)) * (logs[-1] - logs[0])
    for i in range(1, len(levels)):
        if logs[i] - logs[kept[-1]] >= apart:
            kept.append(i)
    axes.xaxis.set_major_locator(FixedLocator(levels[kept].tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label)


def add_legend(figure: Figure, sections: Sequence[tuple[str, Rows]], below: bool = False) -> None:
    """A legend beside all panels, which makes the picture as high as it needs, or below; headings are bold."""
    rows: list[tuple[Artist, str, str]] = []
    for heading, entries in sections:
        rows += [(Line2D([], [], linestyle="none"), heading, "bold")] if heading else []
        rows += [(handle, text, "normal") for handle, text in entries]
    legend = figure.legend(
        [handle for handle, _, _ in rows],
        [str(i) for i in range(len(rows))],  # set below: matplotlib leaves out names that begin with _
        loc="outside lower center" if below else "outside right upper",
        ncols=len(rows) if below else 1,
    )
    if not below:
        figure.set_figheight(max(figure.get_figheight(), 0.19 * len(rows) + 0.35))  # a row of 9 points with its gap
    for entry, (_, text, weight) in zip(legend.get_texts(), rows, strict=True):
        entry.set_text(text)
        entry.set_fontweight(weight)


def size_rows(sizes: FloatArray, colours: FloatArray) -> Rows:
    """Of a legend: LLM sizes, smallest first."""
    return [(dot(colours[i]), format_params(sizes[i])) for i in thinned(len(sizes), ROWS_MAX)]


def token_rows(levels: FloatArray, scale: float = 1.0) -> Rows:
    """Of a legend: visual tokens by marker area."""
    areas = scale * token_areas(levels, levels)
    edge = "white" if scale == 1.0 else "0.4"
    return [(dot("0.4", areas[i], edge), format_tokens(levels[i])) for i in thinned(len(levels), _TOKEN_ROWS_MAX)]


def dot(colour: Any, area: float = 45.0, edge: str = "white") -> Line2D:
    """A marker in a legend, of an area in square points."""
    size = math.sqrt(area)
    return Line2D([], [], color=colour, marker="o", linestyle="none", markersize=size, markeredgecolor=edge)


def thinned(count: int, kept_max: int) -> list[int]:
    """At most so many positions out of `count`, evenly, with the first and the last."""
    return [round(i) for i in np.linspace(0, count - 1, min(count, kept_max)).tolist()]
