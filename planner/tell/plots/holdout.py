"""Predictions against measurements that the fit did not see."""

from __future__ import annotations

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from planner.base.errors import InputError
from planner.base.quantities import format_params, format_tokens
from planner.runs.table import ERROR, in_words
from planner.tell.plots.style import (
    STYLE,
    FloatArray,
    Rows,
    add_legend,
    literal,
    new_figure,
    size_colours,
    size_rows,
    token_areas,
    token_rows,
)


@style.context(["default", STYLE])
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
    predicts: str = ERROR,
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
        predicts: "error" or "loss": what was measured.

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
    colours = size_colours(len(sizes))
    figure, (axes,) = new_figure((8.2, 5.4), literal(title, 90))
    reach = [np.nan_to_num(np.maximum(side, 0.0)) for side in (model - ends[0], ends[1] - model)]
    bars = low is not None or high is not None
    for size, colour in zip(sizes, colours, strict=True):
        own = n == size
        if bars:
            yerr = np.stack(reach)[:, own]
            axes.errorbar(y[own], model[own], yerr=yerr, fmt="none", ecolor=colour, elinewidth=1.2, capsize=3, zorder=2)
        areas = token_areas(t[own], levels)
        axes.scatter(
            y[own], model[own], s=areas, color=colour, edgecolors="white", linewidths=0.7, label="runs", zorder=4
        )
    everything = np.concatenate([y, model - reach[0], model + reach[1]])
    margin = 0.06 * float(np.ptp(everything)) or 0.05
    limits = (float(everything.min()) - margin, float(everything.max()) + margin)
    axes.plot(limits, limits, color="0.4", linestyle="--", linewidth=1, label="identity", zorder=1)
    axes.set(xlim=limits, ylim=limits)
    of = f"average {predicts}{' (0 to 1)' if predicts == ERROR else ''}"
    axes.set_xlabel(f"measured {of}")
    axes.set_ylabel(f"predicted {of}")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    lines: Rows = [(Line2D([], [], color="0.4", linestyle="--"), "predicted = measured")]
    if bars:
        lines.append((Line2D([], [], color="0.4", marker="_", linewidth=1.2), interval))
    inside = int(np.sum(~((y < ends[0]) | (y > ends[1])))) if bars else None  # an open end holds everything
    axes.set_title(_verdict(n, t, y, model, inside, predicts), loc="left", fontsize=9.5)
    add_legend(figure, [("LLM size N", size_rows(sizes, colours)), ("visual tokens", token_rows(levels)), ("", lines)])
    return figure


def _verdict(
    llm_params: FloatArray,
    visual_tokens: FloatArray,
    measured: FloatArray,
    predicted: FloatArray,
    inside: int | None,
    predicts: str,
) -> str:
    relative = np.abs(predicted - measured) / np.where(measured > 0, measured, np.nan)
    if np.isnan(relative).all():
        return ""
    worst = int(np.nanargmax(relative))
    where = f"{format_params(llm_params[worst])}, T = {format_tokens(visual_tokens[worst])}"
    text = f"relative error: mean {100 * float(np.nanmean(relative)):.2f} %, "
    text += f"largest {100 * relative[worst]:.2f} % ({where})"
    return (
        text
        if inside is None
        else f"{text}\n{inside} of {len(measured)} measured {in_words('errors', predicts)} lie inside the intervals"
    )
