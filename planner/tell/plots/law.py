"""Pictures of one law and its runs: over FLOPs, and residuals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.base.quantities import format_params, format_tokens, shown
from planner.costs.stages import Workload
from planner.laws.combined import Law
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.intervals import profiler
from planner.planning.optimum import optimum
from planner.tell.plots.style import (
    POINTS,
    STYLE,
    FloatArray,
    Rows,
    add_legend,
    flops_axis,
    level_axis,
    new_figure,
    picture_title,
    size_colours,
    size_rows,
    token_areas,
    token_rows,
)


@style.context(["default", STYLE])
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
    law = single_form(law)
    if not law.llm_params_levels or not law.visual_tokens_levels:
        raise InputError("a picture over FLOPs needs a law that names its measured sizes and visual token counts")
    sizes, levels = np.array(law.llm_params_levels), np.array(law.visual_tokens_levels)
    tokens = np.unique(np.concatenate([np.geomspace(min(1.0, levels[0]), levels[-1], POINTS), levels]))
    workload = Workload(query_tokens, generated_tokens)
    text = workload.query_tokens + workload.generated_tokens
    figure, (axes,) = new_figure((8.6, 5.2), picture_title(law))
    limits = _bands(law, sizes[:, None], tokens) if bands else None
    colours = size_colours(len(sizes))
    for i, (size, colour) in enumerate(zip(sizes, colours, strict=True)):
        flops, error = _paper_flops(size, tokens, text), np.asarray(law.predict(size, tokens))
        if limits is not None:
            axes.fill_between(flops, limits[0][i], limits[1][i], color=colour, alpha=0.22, linewidth=0, zorder=1)
        if tokens[0] < levels[0]:
            axes.plot(flops, error, color=colour, linewidth=1.2, linestyle="--", label="extrapolated", zorder=2)
        inside = tokens >= levels[0]
        axes.plot(flops[inside], error[inside], color=colour, linewidth=1.6, label="law", zorder=2)
    if law.data is not None:
        data = law.data.with_tokens
        n, t, error = data.n * law.n_unit_params, data.t, data.y
        areas, which = token_areas(t, levels), np.searchsorted(sizes, n * (1 - 1e-9))
        axes.scatter(
            _paper_flops(n, t, text), error, s=areas, c=colours[which], edgecolors="white", linewidths=0.7,
            label="runs", zorder=4,
        )  # fmt: skip
    best = _optimal_line(law, sizes, tokens, workload)
    if best is not None:
        axes.plot(best[0], best[1], color="black", linestyle=":", linewidth=2.0, label="optimum", zorder=3)
    axes.set_ylim(*_error_limits(law, limits, np.asarray(law.predict(sizes[:, None], tokens)), tokens >= levels[0]))
    flops_axis(axes, f"FLOPs of one request, 2 N (Q + V + G) with Q = {query_tokens}, G = {generated_tokens}")
    axes.set_ylabel("average error, 1 - score (0 to 1)" if law.predicts == "error" else f"average {law.predicts}")
    lines: Rows = [(Line2D([], [], color="0.3", linewidth=1.6), "law")]
    if tokens[0] < levels[0]:
        lines.append((Line2D([], [], color="0.3", linewidth=1.2, linestyle="--"), "law, V not measured"))
    if limits is not None:
        lines.append((Patch(color="0.3", alpha=0.25, linewidth=0), "95 % interval of the law"))
    if best is not None:
        lines.append((Line2D([], [], color="black", linestyle=":", linewidth=2.0), f"best N and V: {best[2]}"))
    sections: list[tuple[str, Rows]] = [("LLM size N", size_rows(sizes, colours)), ("", lines)]
    if law.data is not None:
        sections.insert(1, ("measured, V tokens", token_rows(levels)))
    add_legend(figure, sections)
    return figure


@style.context(["default", STYLE])
def residuals(law: Law) -> Figure:
    """Relative residuals, (measured - law) / law in per cent, against T for each size, and against N.

    The grey band is twice the root mean square of the relative residuals.

    Raises:
        InputError: a law without runs.
    """
    law = single_form(law)
    data = _data(law)
    n, model = data.n * law.n_unit_params, np.asarray(law.predict(data.n * law.n_unit_params, data.t))
    positive = model > 0  # a straight line in ln N can fall below
    if not positive.any():
        raise InputError("relative residuals need a law that predicts errors above 0: this one predicts none")
    relative = 100 * np.where(positive, data.y - model, np.nan) / np.where(positive, model, 1.0)
    spread = float(np.sqrt(np.nanmean(relative**2)))
    sizes, levels = np.unique(n), np.unique(data.t)
    colours = size_colours(len(sizes))
    figure, (by_tokens, by_size) = new_figure((9.4, 4.4), picture_title(law), 1, 2, sharey=True)
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
            n[own], relative[own], s=token_areas(data.t[own], levels), color=colour, alpha=0.75, edgecolors="white",
            linewidths=0.7, label="runs", zorder=3,
        )  # fmt: skip
    level_axis(by_tokens, levels, format_tokens, "visual tokens per image, T")
    level_axis(by_size, sizes, format_params, "LLM size, N (parameters)")
    by_tokens.set_ylabel("(measured - law) / law, %")
    band: Rows = [(Patch(color="0.5", alpha=0.2), f"± 2 RMSE = ± {2 * spread:.2g} %")]
    add_legend(
        figure,
        [("LLM size N", size_rows(sizes, colours)), ("T, right panel", token_rows(levels)), ("", band)],
    )
    return figure


def single_form(law: Law) -> FittedLaw:
    """The law, if it is one of a single form; else InputError."""
    if not isinstance(law, FittedLaw):
        raise InputError(f"this picture is of one form of one law, got form {shown(law.form)}; name a form")
    return law


def _data(law: FittedLaw) -> FitData:
    if law.data is None:
        raise InputError("residuals need a fitted law: this one was given, it has no runs")
    return law.data.with_tokens


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
