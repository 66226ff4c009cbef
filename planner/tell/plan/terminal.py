"""A plan on the terminal: the pick, how sure it is, its cost, its limits, the frontier. Fits 80 columns."""

from __future__ import annotations

import sys

from rich.console import Console

from planner.planning.result import Plan
from planner.tell.plan.story import plan_story
from planner.tell.plan.tables import frontier_table
from planner.tell.render.console import print_block, print_document


def print_plan(console: Console, plan: Plan, frontier: bool = False) -> None:
    """The story of a plan.

    The frontier is drawn where the console has room for it; `frontier` adds its table.
    """
    print_document(console, plan_story(plan), headings=False)
    if frontier and plan.by_cost:
        print("there is no frontier of costs alone: the pick costs least", file=sys.stderr)
    elif frontier:
        print_block(console, frontier_table(plan))
