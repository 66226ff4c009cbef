"""A recommendation as a Document: what is said, in which order, without how it looks."""

from __future__ import annotations

from typing import Any

from planner.report.recommendation.candidates import Pick
from planner.report.recommendation.charts import charts
from planner.report.recommendation.costs import costs
from planner.report.recommendation.document import Document
from planner.report.recommendation.measured import measured, read_verdict
from planner.report.recommendation.next_steps import assumptions, next_steps
from planner.report.recommendation.opening import heading, opening
from planner.report.recommendation.plan_file import PlanLike, law_of, read_plan
from planner.report.recommendation.reproduce import again, measure_commands, reproduce
from planner.report.recommendation.why import why

TITLE = "Deployment recommendation"


def tell(plan: PlanLike, verdict: Any = None) -> Document:
    """The page of a plan, with what was measured if there is a verdict.

    Raises:
        InputError: a plan or a verdict that cannot be read, or is damaged.
    """
    content = read_plan(plan)
    found = read_verdict(verdict)
    law, best = law_of(content), Pick.of(content.part("best"))
    command = again(content, law)
    return Document(
        title=TITLE,
        pick=heading(best),
        opening=opening(content, best, found),
        sections=(
            why(content, best, law),
            costs(content, best),
            charts(content, best, law),
            measured(content, best, found, measure_commands(content)),
            assumptions(content),
            reproduce(content, command, law),
            next_steps(content, best, law, found is not None),
        ),
        plan=dict(content.content),
        verdict=None if found is None else dict(found.fields.content),
    )
