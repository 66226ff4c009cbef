"""The load of a plan in pictures: TTFT and throughput against the rate, and a second of one engine."""

from __future__ import annotations

from collections.abc import Iterator

from planner.planning.result import Plan
from planner.planning.under_load.pictures import timeline_of
from planner.tell.document import Section
from planner.tell.load_curve import curve_table, of_plan, throughput_chart, ttft_chart
from planner.tell.timeline import timeline_chart


def load_pictures(plan: Plan) -> Iterator[Section]:
    """Nothing where no load was asked for."""
    if plan.carried is None:
        return
    told = of_plan(plan)
    pictures = (ttft_chart(told), throughput_chart(told), timeline_chart(timeline_of(plan)))
    yield Section("load-pictures", "The load in pictures", (curve_table(told), *pictures))
