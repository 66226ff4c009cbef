"""The two pictures: the frontier of what fits, and the law with its runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from planner.base.quantities import format_params
from planner.laws.combined import MIX, CombinedLaw, Law, single_laws
from planner.laws.fitted import FittedLaw
from planner.planning.candidate import Candidate
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.axes import linear_axis, log_axis, thinned
from planner.tell.document import Chart, Curve, Line, Mark, Paragraph, Section, Value, joined, line
from planner.tell.plan.frontier import frontier_chart, has_frontier
from planner.tell.plan.sentences import error_line, named
from planner.tell.published import rests_on_published
from planner.tell.recommendation.wording import capital

_CURVES_MAX = 5
_POINTS = 33


def charts(plan: Plan) -> Section:
    """The section."""
    own = () if rests_on_published(plan.law) else (law_chart(plan),)
    return Section("pictures", "The choice in pictures", (_frontier(plan), *own))


def _frontier(plan: Plan) -> Chart | Paragraph:
    """A picture, or instead of one with hardly a point a sentence."""
    if has_frontier(plan):
        chart = frontier_chart(plan)
        return replace(chart, caption=capital(chart.caption))
    limit, best = plan.limits[0].limit, plan.best
    others = [one for one in plan.frontier if one != best]
    points = []
    for told, one in (*(("", one) for one in others), ("the pick, ", best)):
        cost = v.limited(limit, one.quantities[limit.column], f"{limit.title} of {one}")
        points.append(line(told, named(one), ", ", error_line(one), " at ", v.of(limit, cost)))
    few = "too few points for a picture" if others else "a single point, and no picture"
    return Paragraph(
        line(f"The frontier, the least {best.predicts} by {limit.title}, has {few}: ", joined(points), ".")
    )


def law_chart(plan: Plan) -> Chart:
    """The law over visual tokens, a line for each size that was measured, its runs, and the pick."""
    best, law = plan.best, plan.law
    pick_params = best.llm.nominal_params
    fitting_sizes, fitting_counts = (sorted(set(levels.tolist())) for levels in plan.tried.fitting_points)
    singles = single_laws(law)
    levels = sorted({size for one in singles for size in one.llm_params_levels})
    counts = sorted({number for one in singles for number in one.visual_tokens_levels})
    sizes = thinned(levels or fitting_sizes, _CURVES_MAX)
    tokens = [*(counts or fitting_counts), float(best.visual_tokens)]
    own = min(levels, key=lambda size: abs(size - pick_params)) if levels else math.nan
    is_level = abs(own - pick_params) <= 1e-6 * pick_params
    sizes = sorted({*(size for size in sizes if not (is_level and size == own)), own if is_level else pick_params})
    low, high = min(tokens), max(tokens)
    grid = np.geomspace(low, high, _POINTS) if high > low else np.array([low])
    curves = []
    for size in sizes:
        error = np.atleast_1d(np.asarray(law.predict(size, grid), float))
        mine = abs(size - pick_params) <= 1e-6 * pick_params
        label = Value(format_params(size), size, "size of a line of the law", "parameters")
        curves.append(Curve(tuple(zip(grid.tolist(), error.tolist(), strict=True)), "pick" if mine else "law", label))
    runs = _runs(law, sizes)
    low_end, high_end = best.interval or (None, None)
    tip = line("the pick: ", named(best), f", {best.predicts} ", v.predicted(best.error, best.predicts))
    hollow = bool(law.outside(pick_params, best.visual_tokens))
    pick = Mark(float(best.visual_tokens), best.error, "circle", tip, hollow, low_end, high_end, "pick")
    x = log_axis(
        line("visual tokens per image"),
        [low, high],
        lambda value: v.tokens(value, "on the axis: visual tokens"),
        at=_apart(sorted({*tokens})),
    )
    heights = [y for curve in curves for _, y in curve.points] + [mark.y for mark in runs] + [best.error]
    y = linear_axis(
        line(f"average {best.predicts}"),
        heights,
        lambda value: v.on_axis(value, best.predicts),
    )
    legend: list[tuple[str, Line]] = [("line", line("the law, a line for each size N"))]
    legend += [("dot", line("measured runs"))] * bool(runs)
    legend += [("ring", line("the pick"))]
    return Chart(
        key="law",
        caption=line("The law: what more visual tokens and a larger language model buy."),
        alt=_law_told(best, law, sizes, low, high),
        x=x,
        y=y,
        curves=tuple(curves),
        marks=(*runs, pick),
        legend=tuple(legend),
    )


def _law_told(best: Candidate, law: Law, sizes: list[float], low: float, high: float) -> Line:
    few, many = (float(law.predict(best.llm.nominal_params, end)) for end in (low, high))
    told = line(
        "With ", v.params(best.llm.nominal_params, "size of the pick"), " parameters the law falls from ",
        v.told(few, "of the law", law.predicts), " at ", v.tokens(low, "fewest visual tokens drawn"), " to ",
        v.told(many, "of the law", law.predicts), " at ", v.tokens(high, "most visual tokens drawn"),
        " visual tokens; the pick has ", v.tokens(best.visual_tokens, "visual tokens per image"), ".",
    )  # fmt: skip
    others = [size for size in sizes if size != best.llm.nominal_params]
    if others:
        parts = [
            line(
                v.error(
                    float(law.predict(size, best.visual_tokens)), f"{law.predicts} of the law", predicts=law.predicts
                ),
                " with ",
                v.params(size, "size"),
            )
            for size in others
        ]
        told = line(told, f" At as many tokens the {law.predicts} is ", joined(parts), ".")
    return told


def _runs(law: Law, sizes: list[float]) -> tuple[Mark, ...]:
    """The runs of the sizes that are drawn; those of a mix are of different tasks and belong to no line."""
    if isinstance(law, CombinedLaw):
        if law.kind == MIX:
            return ()
        law = single_laws(law)[0]
    if not isinstance(law, FittedLaw) or law.data is None:
        return ()
    found = []
    data = law.data.with_tokens
    for n, t, y in zip(data.n * law.n_unit_params, data.t, data.y, strict=True):
        if any(abs(n - size) <= 1e-6 * size for size in sizes):
            size, tokens = v.params(float(n), "size of a run"), v.tokens(float(t), "visual tokens of a run")
            tip = line(
                "measured: ",
                size,
                " with ",
                tokens,
                f", {law.predicts} ",
                v.error(float(y), f"measured {law.predicts}", predicts=law.predicts),
            )
            found.append(Mark(float(t), float(y), "dot", tip))
    return tuple(found)


def _apart(levels: list[float]) -> list[float]:
    """Levels with room for their numbers on a logarithmic axis: the first, and what is far enough behind the last."""
    reach = math.log(levels[-1] / levels[0]) or 1.0
    kept = [levels[0]]
    for level in levels[1:]:
        if math.log(level / kept[-1]) >= 0.09 * reach:
            kept.append(level)
    return kept
