"""A recommendation as a Document: what is said, in which order, without how it looks."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.base.errors import InputError
from planner.tell.document import Document
from planner.tell.recommendation.candidates import Pick
from planner.tell.recommendation.charts import charts
from planner.tell.recommendation.costs import costs
from planner.tell.recommendation.fields import Fields
from planner.tell.recommendation.measured import measured
from planner.tell.recommendation.next_steps import assumptions, next_steps
from planner.tell.recommendation.opening import heading, opening
from planner.tell.recommendation.plan_file import AGAIN, PlanLike, law_of, read_plan
from planner.tell.recommendation.reproduce import again, measure_commands, reproduce
from planner.tell.recommendation.verdict_file import Verdict, read_verdict
from planner.tell.recommendation.why import why

TITLE = "Deployment recommendation"


def tell(plan: PlanLike, verdict: Any = None) -> Document:
    """The page of a plan, with what was measured if there is a verdict.

    Raises:
        InputError: a plan or a verdict that cannot be read, or is damaged.
    """
    content = read_plan(plan)
    found = read_verdict(verdict)
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            return _told(content, found)
    except InputError:
        raise
    except (ArithmeticError, ValueError, LookupError) as error:  # a file of a right hash, made by hand
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"{content.origin} is damaged: it holds numbers that cannot be ({reason}); {AGAIN}") from None


def _told(content: Fields, found: Verdict | None) -> Document:
    law, best = law_of(content), Pick.of(content.part("best"))
    command = again(content, law)
    return Document(
        kind="recommendation",
        title=TITLE,
        heading=heading(best),
        opening=opening(content, best, found),
        sections=(
            why(content, best, law),
            costs(content, best, found),
            charts(content, best, law),
            measured(content, best, found, measure_commands()),
            assumptions(content),
            reproduce(content, command, law),
            next_steps(content, best, law, found is not None),
        ),
        opening_title="The pick",
        sources={
            "plan": dict(content.content),
            "verdict": None if found is None else dict(found.fields.content),
        },
    )
