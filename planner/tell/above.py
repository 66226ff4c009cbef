"""What results show of themselves, for `planner.base.result`: their story in a notebook, their picture, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from html import escape
from typing import TYPE_CHECKING, Any

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.bench.calibration.result import Calibration
from planner.laws.combined import CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import Interval
from planner.laws.parameters import intervals
from planner.planning.capacity_result import Capacity
from planner.planning.result import Plan
from planner.tell.document import Document
from planner.tell.plan import plan_story
from planner.tell.render.html import html
from planner.tell.render.renderer import suffixes
from planner.tell.stories import story_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TO_ITS_HEIGHT = "this.style.height = this.contentDocument.documentElement.scrollHeight + 'px'"
"""Where scripts run, a frame grows to what stands in it; elsewhere it scrolls."""


def html_of(result: Any) -> str | None:
    """The page of a story in a frame of its own: neither its style nor that of the notebook touches the other.

    None where nothing is told of such a result.
    """
    if story_of.dispatch(type(result)) is story_of.dispatch(object):
        return None
    page, name = escape(html(_story(result)), quote=True), escape(repr(result), quote=True)
    style = "width: 100%; height: 36em; border: 0; color-scheme: light dark"
    return f'<iframe title="{name}" style="{style}" onload="{_TO_ITS_HEIGHT}" srcdoc="{page}"></iframe>'


def _story(result: Any) -> Document:
    return plan_story(result) if isinstance(result, Plan) else story_of(result)


@singledispatch
def picture_of(result: Any, **options: Any) -> Figure:
    """The picture of a result. Raises InputError where there is none of such a result."""
    raise InputError(f"there is no picture of {shown(result)}; expected a plan, a law, a capacity or a calibration")


@picture_of.register(FittedLaw)
@picture_of.register(CombinedLaw)
def _picture_of_law(law: FittedLaw | CombinedLaw, **options: Any) -> Figure:
    from planner.tell.plots.law import law_over_flops

    return law_over_flops(law, **options)


@picture_of.register(Plan)
def _picture_of_plan(plan: Plan) -> Figure:
    from planner.tell.plots.frontier import frontier

    return frontier(plan)


@picture_of.register(Capacity)
def _picture_of_capacity(found: Capacity) -> Figure:
    from planner.tell.plots.load import load

    return load(found)


@picture_of.register(Calibration)
def _picture_of_calibration(found: Calibration) -> Figure:
    from planner.tell.plots.calibration import plot

    return plot(found)


def page_suffixes() -> tuple[str, ...]:
    """Of every file that a story can be written to."""
    return suffixes()


def intervals_of(law: FittedLaw, level: float) -> Mapping[str, Interval]:
    """Intervals of a law's parameters. Raises FitError, InputError."""
    return intervals(law, level)
