"""The pick under its load, as the page takes it: simulated numbers, and pictures. Slower than a plan: once it rests."""

from __future__ import annotations

from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.explore.view import Table, table_of
from planner.planning.result import Plan
from planner.planning.under_load.pictures import timeline_of
from planner.planning.under_load.served import Served
from planner.tell.document import Chart, plain
from planner.tell.load_curve import curve_table, of_plan, throughput_chart, ttft_chart
from planner.tell.plan import load as say
from planner.tell.render.svg import draw, symbol
from planner.tell.timeline import timeline_chart


@dataclass(frozen=True)
class Simulated:
    """What the simulation says of the pick and of its rivals."""

    facts: tuple[str, ...]
    """How busy the GPUs are, how much more they carry, what becomes of it at more load; each with its level."""
    tables: tuple[Table, ...]
    """Times at their percentiles, and rivals."""


@dataclass(frozen=True)
class Picture:
    """A chart that is drawn already."""

    caption: str
    told: str
    """What it shows, in words."""
    svg: str
    legend: tuple[tuple[str, str], ...]
    """Signs as SVG with their meaning."""


@dataclass(frozen=True)
class Pictures:
    """The load curve and a while of one engine."""

    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]
    """The numbers of the curve."""


def simulated_of(plan: Plan) -> Simulated:
    """The pick under its load, simulated request by request. Raises InputError for a plan without a load."""
    served = _served(plan)
    lines = (
        say.carried_line(plan, served),
        say.headroom_line(served),
        say.scaled_line(served),
        say.engine_line(plan),
    )
    told = [say.times_table(served), *([say.rivals_table(served)] if served.rivals else [])]
    return Simulated(tuple(plain(one) for one in lines if one), tuple(map(table_of, told)))


def pictures_of(plan: Plan) -> Pictures:
    """TTFT and throughput against the rate, and a second of one engine. Raises InputError for a plan without a load."""
    _served(plan)
    curve = of_plan(plan)
    charts = (ttft_chart(curve), throughput_chart(curve), timeline_chart(timeline_of(plan)))
    return Pictures(tuple(map(_picture, charts)), (table_of(curve_table(curve)),))


def as_plain(found: Simulated | Pictures) -> dict[str, Any]:
    """As the page's script takes it."""
    return {
        name: [dict(vars(one)) if isinstance(one, Table | Picture) else one for one in value]
        for name, value in vars(found).items()
    }


def _served(plan: Plan) -> Served:
    if plan.traffic is None:
        raise InputError("the plan has no load: set requests per second, or requests at once")
    return plan.traffic


def _picture(chart: Chart) -> Picture:
    legend = tuple((symbol(shape), plain(meaning)) for shape, meaning in chart.legend)
    return Picture(plain(chart.caption), plain(chart.alt), draw(chart), legend)
