"""A recommendation as a Document: what is said, in which order, without how it looks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from planner.base.errors import InputError
from planner.base.file_format import file_name
from planner.base.quantities import shown
from planner.bench.verdict import VERDICT_FILE, Verdict
from planner.planning.load_plan import PlanLike, as_plan
from planner.planning.plan_file import HASH, PLAN_FILE
from planner.planning.result import Plan
from planner.tell.asked import again
from planner.tell.document import Document
from planner.tell.plan.load import load_section
from planner.tell.recommendation.charts import charts
from planner.tell.recommendation.costs import costs
from planner.tell.recommendation.judgement import Judgement
from planner.tell.recommendation.load_pictures import load_pictures
from planner.tell.recommendation.measured import measured
from planner.tell.recommendation.next_steps import assumptions, next_steps
from planner.tell.recommendation.opening import heading, opening
from planner.tell.recommendation.reproduce import measure_commands, reproduce
from planner.tell.recommendation.why import why

TITLE = "Deployment recommendation"

VerdictLike: TypeAlias = "Verdict | Mapping[str, Any] | str | os.PathLike[str]"
"""What can be read as a verdict."""


def tell(plan: PlanLike, verdict: VerdictLike | None = None, origin: str = "the plan") -> Document:
    """The page of a plan, with what was measured if there is a verdict.

    Args:
        plan: a plan, its dictionary, or its file.
        verdict: what was measured of the pick: a Verdict, its dictionary, or its file.
        origin: how an error names the plan.

    Raises:
        InputError: a plan or a verdict that cannot be read, or is damaged; a verdict of something else than the pick.
    """
    found = as_plan(plan)
    judgement = None
    if verdict is not None:
        name = file_name(verdict) if isinstance(verdict, str | os.PathLike) else "the verdict"
        judgement = Judgement.of(as_verdict(verdict), found, name)
    origin = file_name(plan) if isinstance(plan, str | os.PathLike) else origin
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            return _told(found, judgement)
    except InputError:
        raise
    except (ArithmeticError, ValueError, LookupError) as error:  # a file of a right hash, made by hand
        reason = " ".join(str(error).split())[:80]
        told = f"{origin} is damaged: it holds numbers that cannot be ({reason})"
        raise InputError(f"{told}; make it again with {PLAN_FILE.written_by}") from None


def as_verdict(verdict: VerdictLike) -> Verdict:
    """The verdict of a verdict, of its dictionary, or of its file. Raises InputError."""
    if isinstance(verdict, Verdict):
        return verdict
    if isinstance(verdict, Mapping):
        return Verdict.from_dict(verdict)
    if isinstance(verdict, str | os.PathLike):
        return VERDICT_FILE.read(verdict)
    raise InputError(f"verdict: expected a Verdict, its dictionary or the path of its file, got {shown(verdict)}")


def _told(plan: Plan, judgement: Judgement | None) -> Document:
    content = plan.to_dict()
    return Document(
        kind="recommendation",
        title=TITLE,
        heading=heading(plan),
        opening=opening(plan, judgement),
        sections=(
            why(plan),
            costs(plan, judgement),
            *load_section(plan),
            *load_pictures(plan),
            *([] if plan.by_cost else [charts(plan)]),
            measured(plan, judgement, measure_commands(plan)),
            assumptions(plan),
            reproduce(plan, again(plan), content[HASH]),
            next_steps(plan, judgement is not None),
        ),
        opening_title="The pick",
        sources={"plan": content, "verdict": None if judgement is None else judgement.verdict.to_dict()},
    )
