"""The frontier of a plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from planner.base.quantities import format_fraction
from planner.planning.candidate import Candidate
from planner.planning.limits import Limit
from planner.planning.result import Plan
from planner.tell.plots.style import (
    ACCENT,
    ROWS_MAX,
    STYLE,
    FloatArray,
    Rows,
    add_legend,
    dot,
    flops_axis,
    literal,
    new_figure,
    picture_title,
    size_colours,
    thinned,
    token_areas,
    token_rows,
)

_SMALL = 0.45  # of the marker areas of other pictures: candidates are many
_FAR = 4.0  # a budget beyond this many times the dearest candidate is named at the edge, not drawn to scale
_STRIP = 0.22  # share of the height that is kept free under all points, for the label of the pick


@style.context(["default", STYLE])
def frontier(plan: Plan) -> Figure:
    """Predicted error against what is limited first, FLOPs if they are: the frontier, what comes near it, the pick, the
    budget and the next one up.

    Runners-up and tied candidates off the frontier are faint, candidates outside the law's data hollow. Bars are the
    intervals of the candidates that carry one.
    """
    beside = [one for one in dict.fromkeys((*plan.runners_up, *plan.tied)) if one not in plan.frontier]
    after = [] if plan.next_up is None else [plan.next_up]
    drawn = [*plan.frontier, *beside, *after]
    models = {one.llm.name: one.llm.nominal_params for one in sorted(drawn, key=lambda one: one.llm.nominal_params)}
    colours = dict(zip(models, size_colours(len(models)), strict=True))
    levels = np.unique([float(one.visual_tokens) for one in drawn])
    outside = {
        one for one in drawn if plan.laws[one.compressor.name].outside(one.llm.nominal_params, one.visual_tokens)
    }
    figure, (axes,) = new_figure((8.6, 5.2), picture_title(plan.law))
    steps = [[_cost(plan, one), one.predicted_error] for one in plan.frontier]
    steps.append([min(_limit(plan).value, _FAR * steps[-1][0]), steps[-1][1]])
    axes.plot(*np.transpose(steps), color="0.55", linewidth=1.2, drawstyle="steps-post", label="frontier", zorder=1)
    for one in drawn:
        x, y, colour = _cost(plan, one), one.predicted_error, colours[one.llm.name]
        area, faint = _SMALL * float(token_areas(np.array(float(one.visual_tokens)), levels)), one in beside
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
            axes.scatter(x, y, s=ring, facecolors="none", edgecolors=ACCENT, linewidths=width, label=label, zorder=4)
    _view(axes, plan, drawn)
    limit = _limit(plan)
    if limit.kind.names_itself:
        flops_axis(axes, f"FLOPs of one request ({plan.budget.convention} count)")
    else:
        flops_axis(axes, limit.title, limit.show)
    axes.set_ylabel("predicted average error, 1 - score (0 to 1)")
    names = list(models)
    kept: Rows = [(dot(colours[names[i]]), literal(names[i], 28)) for i in thinned(len(names), ROWS_MAX)]
    heading = "LLM" if len(kept) == len(names) else f"LLM ({len(kept)} of {len(names)})"
    marks = _marks(plan, beside, bool(after), bool(outside), any(_bar(one) is not None for one in drawn))
    add_legend(figure, [(heading, kept), ("visual tokens", token_rows(levels, _SMALL)), ("", marks)])
    return figure


def _marks(plan: Plan, beside: list[Candidate], after: bool, outside: bool, bars: bool) -> Rows:
    """The part of the legend that says what marks mean, of those that are drawn."""
    grey: dict[str, Any] = {"linestyle": "none", "color": "0.4", "marker": "o"}
    ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": ACCENT, "markerfacecolor": "none"}
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


def _limit(plan: Plan) -> Limit:
    """The limit along which the frontier runs."""
    return plan.limits[0].limit


def _cost(plan: Plan, candidate: Candidate) -> float:
    return candidate.quantities[_limit(plan).column]


def _bar(candidate: Candidate) -> FloatArray | None:
    """Lengths of a candidate's error bar, down and up, (2, 1); None where it carries no interval."""
    if candidate.interval is None:
        return None
    low, high = candidate.interval
    ends = [candidate.predicted_error - low, high - candidate.predicted_error]
    bar: FloatArray = np.maximum(np.array(ends, float), 0.0)[:, None]
    return bar


def _view(axes: Axes, plan: Plan, drawn: Sequence[Candidate]) -> None:
    """Limits that hold all candidates, with a strip free below them; the budget; the label of the pick in the strip."""
    costs, errors = np.array([_cost(plan, one) for one in drawn]), np.array([one.predicted_error for one in drawn])
    bars = np.hstack([np.zeros((2, 1)) if (bar := _bar(one)) is None else bar for one in drawn])
    bottom, top = float((errors - bars[0]).min()), float((errors + bars[1]).max())
    height = (top - bottom) or 0.02
    axes.set_ylim(bottom - _STRIP * height, top + 0.06 * height)
    far = _limit(plan).value > _FAR * costs.max()
    right = float(costs.max()) if far else max(float(costs.max()), _limit(plan).value)
    margin = max((right / costs.min()) ** 0.07, 1.1)
    left, right = float(costs.min()) / margin, right * margin
    axes.set_xlim(left, right)

    def share(cost: float) -> float:
        """Of the axis' width that lies left of it."""
        return math.log(cost / left) / math.log(right / left)

    budget = f"budget {_limit(plan).show(_limit(plan).value)}"
    place = 1.0 if far else share(_limit(plan).value)
    if not far:
        axes.axvline(_limit(plan).value, color="black", linewidth=1.2, linestyle="--", label="budget", zorder=1)
    axes.annotate(
        f"{budget} →" if far else budget,
        (place, 1.0),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        ha="right" if place > 0.5 else "left",
        fontsize=9,
    )
    best, bar, place = plan.best, _bar(plan.best), share(_cost(plan, plan.best))
    tokens = "1 visual token" if best.visual_tokens == 1 else f"{best.visual_tokens} visual tokens"
    to_the_left = place > 0.5
    axes.annotate(
        f"{literal(best.llm.name, 34)}\n{tokens}, error {format_fraction(best.predicted_error)}",
        (_cost(plan, best), best.predicted_error - (0.0 if bar is None else float(bar[0, 0]))),
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
