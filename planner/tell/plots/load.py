"""Pictures of a load: its curve over rates, and a second of an engine."""

from __future__ import annotations

from matplotlib import style
from matplotlib.figure import Figure

from planner.planning.capacity_result import Capacity
from planner.planning.result import Plan
from planner.planning.under_load.pictures import timeline_of, timeline_of_capacity
from planner.tell.inline import plain
from planner.tell.load_curve import of_capacity, of_plan, throughput_chart, ttft_chart
from planner.tell.plots.chart import draw, signs
from planner.tell.plots.style import STYLE, add_legend, literal, new_figure
from planner.tell.timeline import timeline_chart

_NAME_MAX, _CARD_MAX = 44, 14


@style.context(["default", STYLE])
def load(result: Plan | Capacity) -> Figure:
    """TTFT at p50, p95 and p99, and throughput, against the rate of requests, with the limit and the planned point.

    Hollow points are simulated request by request, the others solved numerically.

    Args:
        result: a plan with a load, or what a server carries within limits.

    Raises:
        InputError: a plan without a load, a closed loop, static batches.
    """
    told = of_plan(result) if isinstance(result, Plan) else of_capacity(result)
    figure, panels = new_figure((8.6, 6.6), _title(result), rows=2)
    charts = (ttft_chart(told), throughput_chart(told))
    for axes, chart in zip(panels, charts, strict=True):
        draw(axes, chart)
    add_legend(figure, [("", signs(charts[0]))])
    return figure


@style.context(["default", STYLE])
def timeline(result: Plan | Capacity) -> Figure:
    """A second of one engine: each iteration as a bar, as wide as it is long, as high as its tokens.

    Args:
        result: a plan with a load, or what a server carries.

    Raises:
        InputError: a plan without a load, static batches.
    """
    chart = timeline_chart(timeline_of(result) if isinstance(result, Plan) else timeline_of_capacity(result))
    figure, (axes,) = new_figure((10.5, 4.4), _title(result))
    draw(axes, chart)
    axes.grid(False)
    axes.set_title(plain(chart.alt), loc="left", fontsize=9)
    add_legend(figure, [("", signs(chart))], below=True)
    return figure


def _title(result: Plan | Capacity) -> str:
    if isinstance(result, Capacity):
        what, precision, card = str(result.model), result.run.precision, result.run.hardware
    else:
        what, precision, card = str(result.best), result.best.precision, result.deployment.hardware
    return f"{literal(what, _NAME_MAX)}, {precision}{f' on {literal(card.name, _CARD_MAX)}' if card else ''}"
