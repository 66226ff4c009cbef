"""The two pictures: the frontier of what fits, and the law with its runs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from planner.base.quantities import format_params
from planner.configuration import Model, Run
from planner.laws.combined import MIX, CombinedLaw, Law, single_laws
from planner.planning.candidate import Candidate
from planner.planning.limits import Limit
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import (
    Axis,
    Chart,
    Curve,
    Line,
    Mark,
    Paragraph,
    Rule,
    Section,
    Tick,
    Value,
    joined,
    line,
)
from planner.tell.recommendation.candidates import cost_of, error_of, key_of, name_of, title_of

SHAPES = ("circle", "square", "up", "diamond", "down", "cross")
_FAR = 4.0  # a budget beyond this many times the dearest candidate would press all points to one side
_CURVES_MAX = 5
_POINTS = 33
_FRONTIER_MIN = 3  # points


def charts(plan: Plan) -> Section:
    """The section."""
    first = frontier(plan) if len(plan.frontier) >= _FRONTIER_MIN else _few(plan)
    return Section("pictures", "The choice in pictures", (first, law_chart(plan)))


def _few(plan: Plan) -> Paragraph:
    """Instead of a picture with hardly a point."""
    limit, best = plan.limits[0].limit, plan.best
    others = [one for one in plan.frontier if key_of(one) != key_of(best)]
    points = [
        line(told, title_of(one), ", error ", error_of(one), " at ", v.of(limit, cost_of(one, limit)))
        for told, one in (*(("", one) for one in others), ("the pick, ", best))
    ]
    few = "too few points for a picture" if others else "a single point, and no picture"
    return Paragraph(line(f"The frontier, the least error by {limit.title}, has {few}: ", joined(points), "."))


def frontier(plan: Plan) -> Chart:
    """Error against the first limit: what nothing cheaper beats, the pick, the limit, and the next one up."""
    limit, best = plan.limits[0].limit, plan.best
    steps = sorted(plan.frontier, key=lambda one: one.quantities[limit.column], reverse=limit.at_least)
    tied = {key_of(one) for one in plan.tied}
    after = [] if plan.next_up is None else [plan.next_up]
    # one of equal error may need less of this limit than the pick, which is then not on the frontier
    off = [best] * all(key_of(one) != key_of(best) for one in steps)
    drawn = [*steps, *off, *after]
    models = list(dict.fromkeys(one.llm.name for one in sorted(drawn, key=lambda one: one.llm.nominal_params)))
    shape = {name: SHAPES[i % len(SHAPES)] for i, name in enumerate(models)}
    marks = tuple(_mark(one, plan, shape[one.llm.name], tied) for one in drawn)
    costs = [one.quantities[limit.column] for one in drawn]
    far = not min(costs) / _FAR <= limit.value <= max(costs) * _FAR
    x = _axis(
        line(f"{limit.title} of a request" if limit.kind.names_itself else limit.title, ", logarithmic"),
        [*costs, *([] if far else [limit.value])],
        lambda value: v.limited(limit, value, f"on the axis: {limit.title}"),
        log=True,
        unit=2.0**30 if limit.column.endswith("_bytes") else 1.0,
    )
    ends = [end for one in drawn for end in (one.interval or (one.predicted_error, one.predicted_error))]
    y = _axis(line("predicted error"), ends, lambda value: v.error(value, "on the axis: error"))
    corners: list[tuple[float, float]] = []
    for one in steps:
        if corners:
            corners.append((one.quantities[limit.column], corners[-1][1]))
        corners.append((one.quantities[limit.column], one.predicted_error))
    allowed = v.limited(limit, limit.value, f"limit: {limit.title}")
    rules = () if far else (Rule(limit.value, line("limit ", allowed)),)
    legend = [(shape[name], line(name_of(one))) for name, one in _firsts(models, drawn)]
    legend += [("ring", line("the pick"))]
    legend += [("ring-tied", line("tied with the pick"))] * (len(tied) > 1)
    legend += [("hollow", line("outside of the law's data"))] * any(mark.hollow for mark in marks)
    legend += [("bar", line(v.level(), " interval"))] * any(mark.low is not None for mark in marks)
    caption = line(
        f"The frontier: the least error by {limit.title}. Each mark is a configuration that none beats in both.",
        _others_bind(plan),
    )
    return Chart(
        key="frontier",
        caption=caption,
        alt=_frontier_told(steps, best, after, limit),
        x=x,
        y=y,
        curves=(Curve(tuple(corners), "steps"),),
        marks=marks,
        rules=rules,
        legend=tuple(legend),
    )


def _others_bind(plan: Plan) -> Line:
    """Which limits keep better configurations out, where the one that the frontier runs along does not."""
    first, *others = plan.limits
    binding = [one.limit.title for one in others if one.binds]
    if first.binds or not binding:
        return ()
    verb = "keeps" if len(binding) == 1 else "keep"
    return line(" Not ", first.limit.title, " but ", joined(binding), f" {verb} better configurations out.")


def _firsts(models: list[str], drawn: list[Candidate]) -> list[tuple[str, Candidate]]:
    return [(name, next(one for one in drawn if one.llm.name == name)) for name in models]


def _mark(one: Candidate, plan: Plan, shape: str, tied: set[tuple[Model, Run]]) -> Mark:
    limit = plan.limits[0].limit
    low, high = one.interval or (None, None)
    ring = "pick" if key_of(one) == key_of(plan.best) else "tied" if key_of(one) in tied else ""
    tip = line(title_of(one), ": error ", error_of(one), f", {limit.title} ", cost_of(one, limit))
    hollow = bool(plan.laws[one.compressor.name].outside(one.llm.nominal_params, one.visual_tokens))
    return Mark(one.quantities[limit.column], one.predicted_error, shape, tip, hollow, low, high, ring)


def _frontier_told(steps: list[Candidate], best: Candidate, after: list[Candidate], limit: Limit) -> Line:
    first = steps[0]
    allowed = v.limited(limit, limit.value, f"limit: {limit.title}")
    if len(steps) == 1:
        told = line("One configuration stands on the frontier: ", title_of(best), ", error ", error_of(best), ".")
    else:
        told = line(
            "The error falls from ", error_of(first), " at ", v.of(limit, cost_of(first, limit)), " to ",
            error_of(best), " at ", cost_of(best, limit), ", which is the pick. The limit is ", allowed, ".",
        )  # fmt: skip
    for one in after:
        told = line(told, " Beyond it ", title_of(one), " would have ", error_of(one), " at ", cost_of(one, limit), ".")
    return told


def law_chart(plan: Plan) -> Chart:
    """The law over visual tokens, a line for each size that was measured, its runs, and the pick."""
    best, law = plan.best, plan.law
    pick_params = best.llm.nominal_params
    fitting_sizes, fitting_counts = (sorted(set(levels.tolist())) for levels in plan.tried.fitting_points)
    singles = single_laws(law)
    levels = sorted({size for one in singles for size in one.llm_params_levels})
    counts = sorted({number for one in singles for number in one.visual_tokens_levels})
    sizes = _thinned(levels or fitting_sizes, _CURVES_MAX)
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
    tip = line("the pick: ", title_of(best), ", error ", error_of(best))
    hollow = bool(law.outside(pick_params, best.visual_tokens))
    pick = Mark(float(best.visual_tokens), best.predicted_error, "circle", tip, hollow, low_end, high_end, "pick")
    x = _axis(
        line("visual tokens per image, logarithmic"),
        [low, high],
        lambda value: v.tokens(value, "on the axis: visual tokens"),
        log=True,
        at=_apart(sorted({*tokens})),
    )
    heights = [y for curve in curves for _, y in curve.points] + [mark.y for mark in runs] + [best.predicted_error]
    y = _axis(line("average error"), heights, lambda value: v.error(value, "on the axis: error"))
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
        v.error(few, "error of the law"), " at ", v.tokens(low, "fewest visual tokens drawn"), " to ",
        v.error(many, "error of the law"), " at ", v.tokens(high, "most visual tokens drawn"),
        " visual tokens; the pick has ", v.tokens(best.visual_tokens, "visual tokens per image"), ".",
    )  # fmt: skip
    others = [size for size in sizes if size != best.llm.nominal_params]
    if others:
        parts = [
            line(
                v.error(float(law.predict(size, best.visual_tokens)), "error of the law"),
                " with ",
                v.params(size, "size"),
            )
            for size in others
        ]
        told = line(told, " At as many tokens the error is ", joined(parts), ".")
    return told


def _runs(law: Law, sizes: list[float]) -> tuple[Mark, ...]:
    """The runs of the sizes that are drawn; those of a mix are of different tasks and belong to no line."""
    if isinstance(law, CombinedLaw):
        if law.kind == MIX:
            return ()
        law = single_laws(law)[0]
    if law.data is None:
        return ()
    found = []
    for n, t, y in zip(law.data.n * law.n_unit_params, law.data.t, law.data.y, strict=True):
        if any(abs(n - size) <= 1e-6 * size for size in sizes):
            size, tokens = v.params(float(n), "size of a run"), v.tokens(float(t), "visual tokens of a run")
            tip = line("measured: ", size, " with ", tokens, ", error ", v.error(float(y), "measured error"))
            found.append(Mark(float(t), float(y), "dot", tip))
    return tuple(found)


def _thinned(levels: list[float], kept_max: int) -> list[float]:
    return [levels[round(i)] for i in np.linspace(0, len(levels) - 1, min(len(levels), kept_max)).tolist()]


def _apart(levels: list[float]) -> list[float]:
    """Levels with room for their numbers on a logarithmic axis: the first, and what is far enough behind the last."""
    reach = math.log(levels[-1] / levels[0]) or 1.0
    kept = [levels[0]]
    for level in levels[1:]:
        if math.log(level / kept[-1]) >= 0.09 * reach:
            kept.append(level)
    return kept


def _axis(
    label: Line,
    values: list[float],
    show: Callable[[float], Value],
    log: bool = False,
    at: list[float] | None = None,
    unit: float = 1.0,
) -> Axis:
    """An axis that holds all values, with a margin and few ticks at round numbers of a unit."""
    low, high = min(values), max(values)
    if log:
        spread = max(math.log(high / low), 0.2)
        low, high = low * math.exp(-0.06 * spread), high * math.exp(0.06 * spread)
        places = at if at is not None else [unit * place for place in _log_ticks(low / unit, high / unit)]
    else:
        spread = (high - low) or 0.02
        low, high = low - 0.07 * spread, high + 0.07 * spread
        places = _linear_ticks(low, high)
    return Axis(label, low, high, tuple(Tick(place, show(place)) for place in places), log)


def _linear_ticks(low: float, high: float) -> list[float]:
    """Four to eight multiples of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers, the coarsest kind that gives at least three."""
    for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [place for place in found if low <= place <= high]
        if len(found) >= 3:
            return _thinned(found, 6)
    return _linear_ticks(low, high)
