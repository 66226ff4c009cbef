"""Profile curves: how sharply the runs pin down each parameter of a law."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from planner.base.quantities import format_params, format_significant
from planner.laws.combined import Law
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import LEVEL, Interval, profiler
from planner.runs.table import in_words
from planner.tell.plots.law import single_form
from planner.tell.plots.style import (
    ACCENT,
    POINTS,
    STYLE,
    FloatArray,
    Rows,
    add_legend,
    new_figure,
    picture_title,
)

PROFILE_LEVELS = (0.1, 0.3, 0.5, 0.68, 0.8, 0.9, LEVEL, 0.99)
"""Levels at which `profiles` traces a profile curve."""

_CURVE = "#31688e"  # a blue of viridis
_TOP = 1.5  # of the panels, in thresholds


@style.context(["default", STYLE])
def profiles(law: Law) -> Figure:
    """The profile curve of each parameter: how much worse the best fit gets when that parameter is held elsewhere.

    Traced by the ends of the intervals at `PROFILE_LEVELS`, and smooth in between. The curve is the rise in RSS in
    units of the 95 % threshold, so that the interval is where it stays below 1. An arrow marks an end that only a bound
    cuts off: the data leave it open.

    Raises:
        InputError: a law without runs.
        FitError: too few runs for an interval, or a law with constraints that profiles do not cover.
    """
    law = single_form(law)
    at_level = {level: profiler(law, level) for level in PROFILE_LEVELS}
    heights = np.array([at_level[level].t_squared / at_level[LEVEL].t_squared for level in PROFILE_LEVELS])
    intervals = [at_level[level].parameters() for level in PROFILE_LEVELS]
    columns = 2 if len(law.params) == 4 else 3
    rows = -(-len(law.params) // columns)
    figure, grid = new_figure((3.3 * columns, 0.9 + 2.7 * rows), picture_title(law), rows, columns)
    for axes, name in zip(grid, law.params, strict=False):
        _panel(axes, law, name, heights, [interval[name] for interval in intervals])
    for axes in grid[len(law.params) :]:
        axes.set_axis_off()
    figure.supylabel("rise in RSS, in 95 % thresholds")
    marks: Rows = [
        (Line2D([], [], color=_CURVE, marker="o", markersize=4), "profile"),
        (Line2D([], [], color="0.4", linestyle="--"), "95 % cut"),
        (Line2D([], [], color=ACCENT, linewidth=3), "95 % interval"),
    ]
    if not all(
        math.isfinite(end) for one in intervals[PROFILE_LEVELS.index(LEVEL)].values() for end in (one.low, one.high)
    ):
        marks.append((Line2D([], [], color=ACCENT, marker="<", linestyle="none"), "open: only a bound ends it"))
    add_legend(figure, [("", marks)], below=True)
    return figure


def _panel(axes: Axes, law: FittedLaw, name: str, heights: FloatArray, intervals: Sequence[Interval]) -> None:
    """One panel of `profiles`: intervals at rising levels, each reached at its height."""
    from scipy.interpolate import PchipInterpolator

    estimate, own = law.params[name], intervals[PROFILE_LEVELS.index(LEVEL)]
    meaning = get_form(law.form).parameter(name).meaning.format(unit=format_params(law.n_unit_params))
    meaning = in_words(meaning, law.predicts)
    axes.set_xlabel(f"{name} ({meaning})" if meaning else name)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(0, _TOP)
    axes.axhline(1, color="0.4", linestyle="--", linewidth=1, zorder=1)
    if own.low == own.high:
        axes.set_title(f"{name} = {format_significant(estimate)}\nfixed")
        axes.axvline(estimate, color=_CURVE, linewidth=1.6)
        axes.set_xlim(estimate - (0.5 * abs(estimate) or 1.0), estimate + (0.5 * abs(estimate) or 1.0))
        return
    curve, exact = [], []
    for side, ends in ((-1, [one.low for one in intervals]), (1, [one.high for one in intervals])):
        closed = list(itertools.takewhile(math.isfinite, ends))
        x, z = np.array([estimate, *closed]), np.sqrt([0.0, *heights[: len(closed)]])
        if closed:  # over the root of the height x is smooth, at a bound too
            fine = np.linspace(0, z[-1], POINTS)
            curve.append(np.stack([PchipInterpolator(z, x)(fine), fine**2])[:, ::side])
            exact.append(np.stack([x, z**2]))
    if curve:
        axes.plot(*np.concatenate(curve, axis=1), color=_CURVE, linewidth=1.6, label="profile", zorder=3)
        points = np.concatenate(exact, axis=1)
        axes.plot(*points, color=_CURVE, marker="o", markersize=4, linestyle="none", label="exact", zorder=4)
    low, high = _ends_shown(estimate, intervals, get_form(law.form).parameter(name).high)
    width = high - low
    if width < 1e-4 * abs(estimate):
        axes.xaxis.set_major_locator(MaxNLocator(2))  # long numbers need room
    left = low - 0.3 * width
    if get_form(law.form).parameter(name).low == 0:
        left = max(left, -0.05 * width)
    axes.set_xlim(left, high + (0.3 if math.isfinite(own.high) else 0.02) * width)
    axes.plot([low, high], [1, 1], color=ACCENT, linewidth=3, solid_capstyle="butt", label="interval", zorder=2)
    for end, shown_at, marker in ((own.low, low, "<"), (own.high, high, ">")):
        if not math.isfinite(end):
            axes.plot(shown_at, 1, color=ACCENT, marker=marker, markersize=8, clip_on=False, label="open", zorder=5)
    texts = [format_significant(end) for end in (own.low, own.high)]
    between = f"{texts[0]} to {texts[1]}"
    if not math.isfinite(own.low):
        between = "open on both sides" if not math.isfinite(own.high) else f"at most {texts[1]}"
    elif not math.isfinite(own.high):
        between = f"at least {texts[0]}"
    axes.set_title(f"{name} = {format_significant(estimate)}\n{between}")


def _ends_shown(estimate: float, intervals: Sequence[Interval], largest: float) -> tuple[float, float]:
    """Where the 95 % interval is drawn to: its ends; of an open one the bound at zero, or beyond all that is known."""
    own = intervals[PROFILE_LEVELS.index(LEVEL)]
    closed_highs = [one.high for one in intervals if math.isfinite(one.high)]
    low = own.low if math.isfinite(own.low) else 0.0
    high = own.high if math.isfinite(own.high) else min(1.3 * max([estimate, *closed_highs]), largest)
    return low, high if high > low else low + 1.0
