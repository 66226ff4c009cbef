"""The frontier of a plan."""

from __future__ import annotations

from matplotlib.figure import Figure

from planner.planning.result import Plan
from planner.tell.plan.frontier import frontier_chart
from planner.tell.plots.chart import picture
from planner.tell.plots.style import picture_title


def frontier(plan: Plan) -> Figure:
    """Predicted error against what is limited first, FLOPs if they are: the frontier, what comes near it, the pick, the
    limit and the next better.

    Runners-up and tied candidates off the frontier are faint, candidates outside the law's data hollow. Bars are the
    intervals of the candidates that carry one.
    """
    return picture(frontier_chart(plan), picture_title(plan.law))
