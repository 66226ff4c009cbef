"""Pictures: a law over FLOPs, the frontier of a plan, profile curves, residuals, a hold-out.

Each function takes what is to be shown and returns a matplotlib Figure that no window owns; `save` writes it. Colours
are the sequential, colour-blind-safe viridis by LLM size, marker areas grow with visual tokens, legends stand beside
the data, and names are shown as they are: no mathtext.
"""

from __future__ import annotations

import io
import itertools
import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from planner.costs.stages import Workload
from planner.errors import InputError
from planner.files import refuse_existing, write_bytes
from planner.laws.combined import Law
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import LEVEL, Interval, profiler
from planner.laws.solve import EXPONENT_MAX
from planner.planning.optimum import optimum
from planner.planning.result import Candidate, Plan, law_title
from planner.quantities import (
    format_flops,
    format_fraction,
    format_params,
    format_significant,
    format_tokens,
    shown,
)

FloatArray = NDArray[np.float64]
Rows = list[tuple[Artist, str]]

SUFFIXES = (".png", ".svg", ".pdf")
PROFILE_LEVELS = (0.1, 0.3, 0.5, 0.68, 0.8, 0.9, LEVEL, 0.99)
"""Levels at which `profiles` traces a profile curve."""

_STYLE: dict[str, Any] = {
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
_POINTS = 161  # of a curve
_ROWS_MAX, _TOKEN_ROWS_MAX = 10, 7  # of sizes or models, and of token counts, in a legend
_CURVE, _ACCENT = "#31688e", "#d55e00"  # a blue of viridis; the vermilion of Okabe and Ito, told from all of viridis
_AREAS = (18.0, 150.0)  # square points, for the fewest and the most visual tokens
_SMALL = 0.45  # of those, for the frontier's many candidates
_FAR = 4.0  # a budget beyond this many times the dearest candidate is named at the edge, not drawn to scale
_STRIP = 0.22  # share of the frontier's height that is kept free under all points, for the label of the pick
_PROFILE_TOP = 1.5  # of the profile panels, in thresholds

_UNITS = {
    "A": "error at N = {unit}",
    "B": "error at T = 1",
    "alpha": "exponent of N, no unit",
    "beta": "exponent of T, no unit",
    "D": "error that stays",
    "c0": "error at N = {unit}, T = 1",
    "c1": "error per unit of ln N",
    "c2": "error per unit of ln T",
}


# ---- a law -----------------------------------------------------------------------------------------------------------


@style.context(["default", _STYLE])
def law_over_flops(law: Law, query_tokens: int = 50, generated_tokens: int = 0, bands: bool = True) -> Figure:
    """Measured runs and law over inference FLOPs in the paper's count, 2 N (Q + V + G).

    Solid where V was measured, dashed elsewhere; dotted the continuous optimum, for sizes between the measured ones.

    Args:
        law: a law with measured sizes; one that was given shows no runs.
        query_tokens: text tokens that are prefilled (Q).
        generated_tokens: answer tokens (G).
        bands: draw 95 % intervals of the mean error, where the law can give them.

    Raises:
        InputError: a law that names no measured sizes or token counts, or counts of tokens that are none.
    """
    law = _single(law)
    if not law.llm_params_levels or not law.visual_tokens_levels:
        raise InputError("a picture over FLOPs needs a law that names its measured sizes and visual token counts")
    sizes, levels = np.array(law.llm_params_levels), np.array(law.visual_tokens_levels)
    tokens = np.unique(np.concatenate([np.geomspace(min(1.0, levels[0]), levels[-1], _POINTS), levels]))
    workload = Workload(query_tokens, generated_tokens)
    text = workload.query_tokens + workload.generated_tokens
    figure, (axes,) = _figure((8.6, 5.2), _title(law))
    limits = _bands(law, sizes[:, None], tokens) if bands else None
    colours = _colours(len(sizes))
    for i, (size, colour) in enumerate(zip(sizes, colours, strict=True)):
        flops, error = _paper_flops(size, tokens, text), np.asarray(law.predict(size, tokens))
        if limits is not None:
            axes.fill_between(flops, limits[0][i], limits[1][i], color=colour, alpha=0.22, linewidth=0, zorder=1)
        if tokens[0] < levels[0]:
            axes.plot(flops, error, color=colour, linewidth=1.2, linestyle="--", label="extrapolated", zorder=2)
        inside = tokens >= levels[0]
        axes.plot(flops[inside], error[inside], color=colour, linewidth=1.6, label="law", zorder=2)
    if law.data is not None:
        n, t, error = law.data.n * law.n_unit_params, law.data.t, law.data.y
        areas, which = _areas(t, levels), np.searchsorted(sizes, n * (1 - 1e-9))
        axes.scatter(
            _paper_flops(n, t, text), error, s=areas, c=colours[which], edgecolors="white", linewidths=0.7,
            label="runs", zorder=4,
        )  # fmt: skip
    best = _optimal_line(law, sizes, tokens, workload)
    if best is not None:
        axes.plot(best[0], best[1], color="black", linestyle=":", linewidth=2.0, label="optimum", zorder=3)
    axes.set_ylim(*_error_limits(law, limits, np.asarray(law.predict(sizes[:, None], tokens)), tokens >= levels[0]))
    _flops_axis(axes, f"FLOPs of one request, 2 N (Q + V + G) with Q = {query_tokens}, G = {generated_tokens}")
    axes.set_ylabel("average error, 1 - score (0 to 1)")
    lines: Rows = [(Line2D([], [], color="0.3", linewidth=1.6), "law")]
    if tokens[0] < levels[0]:
        lines.append((Line2D([], [], color="0.3", linewidth=1.2, linestyle="--"), "law, V not measured"))
    if limits is not None:
        lines.append((Patch(color="0.3", alpha=0.25, linewidth=0), "95 % interval of the law"))
    if best is not None:
        lines.append((Line2D([], [], color="black", linestyle=":", linewidth=2.0), f"best N and V: {best[2]}"))
    sections: list[tuple[str, Rows]] = [("LLM size N", _size_rows(sizes, colours)), ("", lines)]
    if law.data is not None:
        sections.insert(1, ("measured, V tokens", _token_rows(levels)))
    _legend(figure, sections)
    return figure


@style.context(["default", _STYLE])
def profiles(law: Law) -> Figure:
    """The profile curve of each parameter: how much worse the best fit gets when that parameter is held elsewhere.

    Traced by the ends of the intervals at `PROFILE_LEVELS`, and smooth in between. The curve is the rise in RSS in
    units of the 95 % threshold, so that the interval is where it stays below 1. An arrow marks an end that only a bound
    cuts off: the data leave it open.

    Raises:
        InputError: a law without runs.
        FitError: too few runs for an interval, or a law with constraints that profiles do not cover.
    """
    law = _single(law)
    at_level = {level: profiler(law, level) for level in PROFILE_LEVELS}
    heights = np.array([at_level[level].t_squared / at_level[LEVEL].t_squared for level in PROFILE_LEVELS])
    intervals = [at_level[level].parameters() for level in PROFILE_LEVELS]
    columns = 2 if len(law.params) == 4 else 3
    rows = -(-len(law.params) // columns)
    figure, grid = _figure((3.3 * columns, 0.9 + 2.7 * rows), _title(law), rows, columns)
    for axes, name in zip(grid, law.params, strict=False):
        _profile(axes, law, name, heights, [interval[name] for interval in intervals])
    for axes in grid[len(law.params) :]:
        axes.set_axis_off()
    figure.supylabel("rise in RSS, in 95 % thresholds")
    marks: Rows = [
        (Line2D([], [], color=_CURVE, marker="o", markersize=4), "profile"),
        (Line2D([], [], color="0.4", linestyle="--"), "95 % cut"),
        (Line2D([], [], color=_ACCENT, linewidth=3), "95 % interval"),
    ]
    if not all(
        math.isfinite(end) for one in intervals[PROFILE_LEVELS.index(LEVEL)].values() for end in (one.low, one.high)
    ):
        marks.append((Line2D([], [], color=_ACCENT, marker="<", linestyle="none"), "open: only a bound ends it"))
    _legend(figure, [("", marks)], below=True)
    return figure


@style.context(["default", _STYLE])
def residuals(law: Law) -> Figure:
    """Relative residuals, (measured - law) / law in per cent, against T for each size, and against N.

    The grey band is twice the root mean square of the relative residuals.

    Raises:
        InputError: a law without runs.
    """
    law = _single(law)
    data = _data(law)
    n, model = data.n * law.n_unit_params, np.asarray(law.predict(data.n * law.n_unit_params, data.t))
    positive = model > 0  # a straight line in ln N can fall below
    if not positive.any():
        raise InputError("relative residuals need a law that predicts errors above 0: this one predicts none")
    relative = 100 * np.where(positive, data.y - model, np.nan) / np.where(positive, model, 1.0)
    spread = float(np.sqrt(np.nanmean(relative**2)))
    sizes, levels = np.unique(n), np.unique(data.t)
    colours = _colours(len(sizes))
    figure, (by_tokens, by_size) = _figure((9.4, 4.4), _title(law), 1, 2, sharey=True)
    for axes in (by_tokens, by_size):
        axes.axhspan(-2 * spread, 2 * spread, color="0.5", alpha=0.15, linewidth=0, zorder=0)
        axes.axhline(0, color="black", linewidth=1, zorder=1)
    for size, colour in zip(sizes, colours, strict=True):
        own = np.flatnonzero(n == size)
        own = own[np.argsort(data.t[own], kind="stable")]
        by_tokens.plot(
            data.t[own], relative[own], color=colour, marker="o", markersize=5, linewidth=1, label="runs", zorder=3
        )
        by_size.scatter(
            n[own], relative[own], s=_areas(data.t[own], levels), color=colour, alpha=0.75, edgecolors="white",
            linewidths=0.7, label="runs", zorder=3,
        )  # fmt: skip
    _level_axis(by_tokens, levels, format_tokens, "visual tokens per image, T")
    _level_axis(by_size, sizes, format_params, "LLM size, N (parameters)")
    by_tokens.set_ylabel("(measured - law) / law, %")
    band: Rows = [(Patch(color="0.5", alpha=0.2), f"± 2 RMSE = ± {2 * spread:.2g} %")]
    _legend(
        figure,
        [("LLM size N", _size_rows(sizes, colours)), ("T, right panel", _token_rows(levels)), ("", band)],
    )
    return figure


# ---- a plan ----------------------------------------------------------------------------------------------------------


@style.context(["default", _STYLE])
def frontier(plan: Plan) -> Figure:
    """Predicted error against FLOPs: the frontier, what else comes near it, the pick, the budget and the next one up.

    Runners-up and tied candidates off the frontier are faint, candidates outside the law's data hollow. Bars are the
    intervals of the candidates that carry one.
    """
    beside = [one for one in dict.fromkeys((*plan.runners_up, *plan.tied)) if one not in plan.frontier]
    after = [] if plan.next_up is None else [plan.next_up]
    drawn = [*plan.frontier, *beside, *after]
    models = {one.llm.name: one.llm.nominal_params for one in sorted(drawn, key=lambda one: one.llm.nominal_params)}
    colours = dict(zip(models, _colours(len(models)), strict=True))
    levels = np.unique([float(one.visual_tokens) for one in drawn])
    outside = {one for one in drawn if plan.law.outside(one.llm.nominal_params, one.visual_tokens)}
    figure, (axes,) = _figure((8.6, 5.2), _title(plan.law))
    steps = [[one.total_flops, one.predicted_error] for one in plan.frontier]
    steps.append([min(plan.budget.flops, _FAR * steps[-1][0]), steps[-1][1]])
    axes.plot(*np.transpose(steps), color="0.55", linewidth=1.2, drawstyle="steps-post", label="frontier", zorder=1)
    for one in drawn:
        x, y, colour = one.total_flops, one.predicted_error, colours[one.llm.name]
        area, faint = _SMALL * float(_areas(np.array(float(one.visual_tokens)), levels)), one in beside
        bar = _bar(one)
        if bar is not None:
            alpha = 0.45 if faint else 1.0
            axes.errorbar(x, y, yerr=bar, color=colour, elinewidth=1, capsize=2.5, fmt="none", alpha=alpha, zorder=2)
        axes.scatter(
            x,
            y,
            s=area,
            facecolors="white" if one in outside else [colour],
            edgecolors=[colour],
            linewidths=1.3,
            alpha=0.4 if faint else 1.0,
            marker="D" if one in after else "o",
            label="candidate",
            zorder=3,
        )
        is_pick = one == plan.best
        if is_pick or one in plan.tied:
            ring, width, label = (2.0 * area + 90, 2.2, "pick") if is_pick else (1.6 * area + 40, 1.0, "tied")
            axes.scatter(x, y, s=ring, facecolors="none", edgecolors=_ACCENT, linewidths=width, label=label, zorder=4)
    _frontier_view(axes, plan, drawn)
    _flops_axis(axes, f"FLOPs of one request ({plan.budget.convention} count)")
    axes.set_ylabel("predicted average error, 1 - score (0 to 1)")
    names = list(models)
    kept: Rows = [(_dot(colours[names[i]]), _literal(names[i], 28)) for i in _thinned(len(names), _ROWS_MAX)]
    heading = "LLM" if len(kept) == len(names) else f"LLM ({len(kept)} of {len(names)})"
    marks = _frontier_marks(plan, beside, bool(after), bool(outside), any(_bar(one) is not None for one in drawn))
    _legend(figure, [(heading, kept), ("visual tokens", _token_rows(levels, _SMALL)), ("", marks)])
    return figure


# ---- a hold-out ------------------------------------------------------------------------------------------------------


@style.context(["default", _STYLE])
def holdout(
    llm_params: ArrayLike,
    visual_tokens: ArrayLike,
    measured: ArrayLike,
    predicted: ArrayLike,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    title: str = "",
    interval: str = "95 % interval",
) -> Figure:
    """Predicted against measured errors of runs that the fit did not see, with the line on which both agree.

    Args:
        llm_params: size of each held-out run, in parameters, shape (n,).
        visual_tokens: per image, shape (n,).
        measured: average errors between 0 and 1, shape (n,).
        predicted: what the fit to the other runs says, shape (n,).
        low: lower ends of the predictions' intervals, shape (n,); NaN for an open one.
        high: upper ends, shape (n,).
        title: what was held out.
        interval: what the bars are.

    Raises:
        InputError: columns of different lengths, or empty ones.
    """
    columns = [np.asarray(column, float) for column in (llm_params, visual_tokens, measured, predicted)]
    n, t, y, model = columns
    ends = [np.full(y.shape, np.nan) if end is None else np.asarray(end, float) for end in (low, high)]
    if n.ndim != 1 or not len(n) or any(column.shape != n.shape for column in (*columns, *ends)):
        shapes = ", ".join(str(column.shape) for column in (*columns, *ends))
        raise InputError(f"a hold-out picture needs columns of one length with at least one run, got shapes {shapes}")
    sizes, levels = np.unique(n), np.unique(t)
    colours = _colours(len(sizes))
    figure, (axes,) = _figure((8.2, 5.4), _literal(title, 90))
    reach = [np.nan_to_num(np.maximum(side, 0.0)) for side in (model - ends[0], ends[1] - model)]
    bars = low is not None or high is not None
    for size, colour in zip(sizes, colours, strict=True):
        own = n == size
        if bars:
            yerr = np.stack(reach)[:, own]
            axes.errorbar(y[own], model[own], yerr=yerr, fmt="none", ecolor=colour, elinewidth=1.2, capsize=3, zorder=2)
        areas = _areas(t[own], levels)
        axes.scatter(
            y[own], model[own], s=areas, color=colour, edgecolors="white", linewidths=0.7, label="runs", zorder=4
        )
    everything = np.concatenate([y, model - reach[0], model + reach[1]])
    margin = 0.06 * float(np.ptp(everything)) or 0.05
    limits = (float(everything.min()) - margin, float(everything.max()) + margin)
    axes.plot(limits, limits, color="0.4", linestyle="--", linewidth=1, label="identity", zorder=1)
    axes.set(xlim=limits, ylim=limits)
    axes.set_xlabel("measured average error (0 to 1)")
    axes.set_ylabel("predicted average error (0 to 1)")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    lines: Rows = [(Line2D([], [], color="0.4", linestyle="--"), "predicted = measured")]
    if bars:
        lines.append((Line2D([], [], color="0.4", marker="_", linewidth=1.2), interval))
    inside = int(np.sum(~((y < ends[0]) | (y > ends[1])))) if bars else None  # an open end holds everything
    axes.set_title(_holdout_verdict(n, t, y, model, inside), loc="left", fontsize=9.5)
    _legend(figure, [("LLM size N", _size_rows(sizes, colours)), ("visual tokens", _token_rows(levels)), ("", lines)])
    return figure


# ---- files -----------------------------------------------------------------------------------------------------------


def save(figure: Figure, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write a picture as PNG, SVG or PDF, by the suffix; whole or not at all.

    Raises:
        InputError: another suffix, or a folder that does not exist or cannot be written to.
        OutputExistsError: the file exists and `overwrite` is false.
    """
    target = Path(path)
    kind = picture_kind(target)
    refuse_existing(target, overwrite)
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # the same picture is the same file
    content = io.BytesIO()
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the picture shows a box there
        figure.savefig(content, format=kind, metadata=dates.get(kind))
    write_bytes(target, content.getvalue(), overwrite=overwrite)
    return target


def picture_kind(path: Path) -> str:
    """ "png", "svg" or "pdf", by the suffix. Raises InputError for another one."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"a picture's file name ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {shown(str(path))}"
        )
    return path.suffix.lower()[1:]


# ---- parts -----------------------------------------------------------------------------------------------------------


def _figure(
    size: tuple[float, float], title: str, rows: int = 1, columns: int = 1, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure (inches) that no window owns, and its panels, row by row."""
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure, list(grid.ravel())


def _title(law: Law) -> str:
    """`law_title` with a name that cannot run off the picture, on two lines where it is long."""
    short = replace(law, name=_literal(law.name, 36))
    title, head = law_title(short), f"law {short.name}" if short.name else "law"
    return title if len(title) <= 55 else f"{head}\n{title[len(head) + 2 :]}"


def _literal(text: str, length_max: int) -> str:
    """A foreign text in one line of printable characters, cut where it is long."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return line if len(line) <= length_max else line[: length_max - 1] + "…"


def _single(law: Law) -> FittedLaw:
    if not isinstance(law, FittedLaw):
        raise InputError(f"this picture is of one form of one law, got form {shown(law.form)}; name a form")
    return law


def _data(law: FittedLaw) -> FitData:
    if law.data is None:
        raise InputError("residuals need a fitted law: this one was given, it has no runs")
    return law.data


def _colours(count: int) -> FloatArray:
    """Dark to light with size, RGBA (count, 4); the lightest end of the map is too faint on white."""
    rgba: FloatArray = np.asarray(colormaps["viridis"](np.linspace(0.0, 0.86, count)), float)
    return rgba


def _areas(tokens: FloatArray, levels: FloatArray) -> FloatArray:
    """Marker areas by visual tokens, growing with their logarithm over the range of `levels`."""
    fewest, most = np.log(levels.min()), np.log(levels.max())
    share = (np.log(tokens) - fewest) / (most - fewest) if most > fewest else np.full(np.shape(tokens), 0.3)
    areas: FloatArray = _AREAS[0] + (_AREAS[1] - _AREAS[0]) * share
    return areas


def _paper_flops(llm_params: FloatArray | float, visual_tokens: FloatArray, text_tokens: int) -> FloatArray:
    return 2.0 * llm_params * (text_tokens + visual_tokens)


def _bands(law: FittedLaw, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """95 % intervals of the mean error; None where the law was given or has constraints."""
    try:
        return profiler(law).predictions(llm_params, visual_tokens)
    except InputError:
        return None


def _error_limits(
    law: FittedLaw, bands: tuple[FloatArray, FloatArray] | None, error: FloatArray, measured: NDArray[np.bool_]
) -> tuple[float, float]:
    """Errors to show: all runs and the law between them, and of what extrapolates no more than twice their range."""
    sure = np.concatenate([error[:, measured].ravel(), [] if law.data is None else law.data.y])
    low, high = float(sure.min()), float(sure.max())
    room = 2 * (high - low) or 0.05
    rest = np.concatenate([error.ravel(), *(() if bands is None else (band.ravel() for band in bands))])
    low, high = max(low - room, min(low, float(rest.min()))), min(high + room, max(high, float(rest.max())))
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _optimal_line(
    law: FittedLaw, sizes: FloatArray, tokens: FloatArray, workload: Workload
) -> tuple[FloatArray, FloatArray, str] | None:
    """FLOPs, error and V of the continuous optimum, as far as its size lies between the measured ones."""
    text = workload.query_tokens + workload.generated_tokens
    budgets = np.geomspace(_paper_flops(sizes[0], tokens[0], text), _paper_flops(sizes[-1], tokens[-1], text), 81)
    bare = replace(law, data=None)  # the interval of V, which runs allow, takes its time and is not drawn
    best = [
        optimum(
            bare,
            budget=float(flops),
            query_tokens=workload.query_tokens,
            generated_tokens=workload.generated_tokens,
            visual_tokens_min=float(tokens[0]),
            visual_tokens_max=float(tokens[-1]),
        )
        for flops in budgets
    ]
    inside = [sizes[0] * (1 - 1e-9) <= one.llm_params <= sizes[-1] * (1 + 1e-9) for one in best]
    if sum(inside) < 2:
        return None
    kept = [one for one, is_inside in zip(best, inside, strict=True) if is_inside]
    ends = [format_tokens(round(extreme(one.visual_tokens for one in kept), 1)) for extreme in (min, max)]
    label = f"V = {ends[0]}" if ends[0] == ends[1] else f"V = {ends[0]} to {ends[1]}"
    return budgets[inside], np.array([one.predicted_error for one in kept]), label


def _profile(axes: Axes, law: FittedLaw, name: str, heights: FloatArray, intervals: Sequence[Interval]) -> None:
    """One panel of `profiles`: intervals at rising levels, each reached at its height."""
    from scipy.interpolate import PchipInterpolator

    estimate, own = law.params[name], intervals[PROFILE_LEVELS.index(LEVEL)]
    axes.set_xlabel(f"{name} ({_UNITS[name].format(unit=format_params(law.n_unit_params))})")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(0, _PROFILE_TOP)
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
            fine = np.linspace(0, z[-1], _POINTS)
            curve.append(np.stack([PchipInterpolator(z, x)(fine), fine**2])[:, ::side])
            exact.append(np.stack([x, z**2]))
    if curve:
        axes.plot(*np.concatenate(curve, axis=1), color=_CURVE, linewidth=1.6, label="profile", zorder=3)
        points = np.concatenate(exact, axis=1)
        axes.plot(*points, color=_CURVE, marker="o", markersize=4, linestyle="none", label="exact", zorder=4)
    low, high = _ends_shown(estimate, intervals, EXPONENT_MAX if name in ("alpha", "beta") else math.inf)
    width = high - low
    if width < 1e-4 * abs(estimate):
        axes.xaxis.set_major_locator(MaxNLocator(2))  # long numbers need room
    left = low - 0.3 * width
    if name in get_form(law.form).non_negative:
        left = max(left, -0.05 * width)
    axes.set_xlim(left, high + (0.3 if math.isfinite(own.high) else 0.02) * width)
    axes.plot([low, high], [1, 1], color=_ACCENT, linewidth=3, solid_capstyle="butt", label="interval", zorder=2)
    for end, shown_at, marker in ((own.low, low, "<"), (own.high, high, ">")):
        if not math.isfinite(end):
            axes.plot(shown_at, 1, color=_ACCENT, marker=marker, markersize=8, clip_on=False, label="open", zorder=5)
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


def _frontier_marks(plan: Plan, beside: list[Candidate], after: bool, outside: bool, bars: bool) -> Rows:
    """The part of the legend that says what marks mean, of those that are drawn."""
    grey: dict[str, Any] = {"linestyle": "none", "color": "0.4", "marker": "o"}
    ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": _ACCENT, "markerfacecolor": "none"}
    rows: list[tuple[bool, Artist, str]] = [
        (True, Line2D([], [], color="0.55", linewidth=1.2), "frontier"),
        (True, Line2D([], [], **ring | {"markersize": 10.0, "markeredgewidth": 2.2}), "pick"),
        (len(plan.tied) > 1, Line2D([], [], **ring | {"markersize": 9.0}), "tied with it at 95 %"),
        (bool(beside), Line2D([], [], **grey, alpha=0.4), "off the frontier"),
        (after, Line2D([], [], **grey | {"marker": "D"}), "next, above the budget"),
        (outside, Line2D([], [], **grey, markerfacecolor="white"), "outside the law's data"),
        (bars, Line2D([], [], color="0.4", linewidth=1, marker="|", markersize=9), "95 % interval"),
    ]
    return [(handle, text) for drawn, handle, text in rows if drawn]


def _bar(candidate: Candidate) -> FloatArray | None:
    """Lengths of a candidate's error bar, down and up, (2, 1); None where it carries no interval."""
    if candidate.interval is None:
        return None
    low, high = candidate.interval
    ends = [candidate.predicted_error - low, high - candidate.predicted_error]
    bar: FloatArray = np.maximum(np.array(ends, float), 0.0)[:, None]
    return bar


def _frontier_view(axes: Axes, plan: Plan, drawn: Sequence[Candidate]) -> None:
    """Limits that hold all candidates, with a strip free below them; the budget; the label of the pick in the strip."""
    costs, errors = np.array([one.total_flops for one in drawn]), np.array([one.predicted_error for one in drawn])
    bars = np.hstack([np.zeros((2, 1)) if (bar := _bar(one)) is None else bar for one in drawn])
    bottom, top = float((errors - bars[0]).min()), float((errors + bars[1]).max())
    height = (top - bottom) or 0.02
    axes.set_ylim(bottom - _STRIP * height, top + 0.06 * height)
    far = plan.budget.flops > _FAR * costs.max()
    right = float(costs.max()) if far else max(float(costs.max()), plan.budget.flops)
    margin = max((right / costs.min()) ** 0.07, 1.1)
    left, right = float(costs.min()) / margin, right * margin
    axes.set_xlim(left, right)

    def share(flops: float) -> float:
        """Of the axis' width that lies left of it."""
        return math.log(flops / left) / math.log(right / left)

    budget = f"budget {format_flops(plan.budget.flops)}"
    place = 1.0 if far else share(plan.budget.flops)
    if not far:
        axes.axvline(plan.budget.flops, color="black", linewidth=1.2, linestyle="--", label="budget", zorder=1)
    axes.annotate(
        f"{budget} →" if far else budget,
        (place, 1.0),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        ha="right" if place > 0.5 else "left",
        fontsize=9,
    )
    best, bar, place = plan.best, _bar(plan.best), share(plan.best.total_flops)
    tokens = "1 visual token" if best.visual_tokens == 1 else f"{best.visual_tokens} visual tokens"
    to_the_left = place > 0.5
    axes.annotate(
        f"{_literal(best.llm.name, 34)}\n{tokens}, error {format_fraction(best.predicted_error)}",
        (best.total_flops, best.predicted_error - (0.0 if bar is None else float(bar[0, 0]))),
        xytext=(place, 0.02),
        textcoords="axes fraction",
        ha="right" if to_the_left else "left",
        va="bottom",
        label="label",
        arrowprops={
            "arrowstyle": "-",
            "color": _ACCENT,
            "relpos": (float(to_the_left), 1.0),
            "shrinkB": 10 if bar is None else 3,
        },
    )


def _holdout_verdict(
    llm_params: FloatArray, visual_tokens: FloatArray, measured: FloatArray, predicted: FloatArray, inside: int | None
) -> str:
    relative = np.abs(predicted - measured) / np.where(measured > 0, measured, np.nan)
    if np.isnan(relative).all():
        return ""
    worst = int(np.nanargmax(relative))
    where = f"{format_params(llm_params[worst])}, T = {format_tokens(visual_tokens[worst])}"
    text = f"relative error: mean {100 * float(np.nanmean(relative)):.2f} %, "
    text += f"largest {100 * relative[worst]:.2f} % ({where})"
    return text if inside is None else f"{text}\n{inside} of {len(measured)} measured errors lie inside the intervals"


def _flops_axis(axes: Axes, label: str) -> None:
    """A logarithmic axis with ticks such as "200 G"."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = math.log10(high / low)
    subs = (1.0,) if decades > 2.5 else (1.0, 2.0, 5.0) if decades > 0.8 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    if decades < 0.3:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda flops, _: format_flops(flops).removesuffix("FLOPs")))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)


def _level_axis(axes: Axes, levels: FloatArray, text: Callable[[float], str], label: str) -> None:
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


def _dot(colour: Any, area: float = 45.0, edge: str = "white") -> Line2D:
    size = math.sqrt(area)
    return Line2D([], [], color=colour, marker="o", linestyle="none", markersize=size, markeredgecolor=edge)


def _size_rows(sizes: FloatArray, colours: FloatArray) -> Rows:
    return [(_dot(colours[i]), format_params(sizes[i])) for i in _thinned(len(sizes), _ROWS_MAX)]


def _token_rows(levels: FloatArray, scale: float = 1.0) -> Rows:
    areas = scale * _areas(levels, levels)
    edge = "white" if scale == 1.0 else "0.4"
    return [(_dot("0.4", areas[i], edge), format_tokens(levels[i])) for i in _thinned(len(levels), _TOKEN_ROWS_MAX)]


def _thinned(count: int, kept_max: int) -> list[int]:
    """At most so many positions out of `count`, evenly, with the first and the last."""
    return [round(i) for i in np.linspace(0, count - 1, min(count, kept_max)).tolist()]


def _legend(figure: Figure, sections: Sequence[tuple[str, Rows]], below: bool = False) -> None:
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
