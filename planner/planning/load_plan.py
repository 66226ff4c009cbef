"""A plan from whatever stands for one: the plan, its dictionary, the path of its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from planner.base.errors import InputError
from planner.base.file_format import file_name
from planner.base.files import read_json
from planner.base.quantities import shown
from planner.planning.among import plan_among
from planner.planning.choices import admissible
from planner.planning.plan_file import PLAN_FILE
from planner.planning.result import Plan
from planner.planning.space import Axes

PlanLike: TypeAlias = "Plan | Mapping[str, Any] | str | os.PathLike[str]"
"""What can be read as a plan."""


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan that `Plan.save` or `vlm-planner plan -o` wrote, of this version or an earlier one.

    It equals the plan that was saved, but for `table`, all candidates: `replan` makes those again.

    Raises:
        InputError: no plan, one of a newer version, one that was changed after it was made, or a damaged one.
    """
    return Plan.from_dict(read_json(path, PLAN_FILE.expected), file_name(path))


def as_plan(plan: PlanLike) -> Plan:
    """The plan of a plan, of its dictionary, or of its file. Raises InputError."""
    if isinstance(plan, Plan):
        return plan
    if isinstance(plan, Mapping):
        return Plan.from_dict(plan)
    if isinstance(plan, str | os.PathLike):
        return load_plan(plan)
    raise InputError(f"plan: expected a Plan, its dictionary or the path of its file, got {shown(plan)}")


def replan(plan: PlanLike) -> Plan:
    """The same plan made again from what was asked for: with all its candidates in `table`, and the numbers of today.

    Args:
        plan: a plan, its dictionary, or its file.

    Raises:
        NothingFitsError: by the numbers of today, no candidate keeps all limits.
        InputError: no plan.
    """
    asked = as_plan(plan)
    tried = asked.tried
    if (own := tried.released) is not None:
        from planner.planning.released import ReleasedAxes  # only who asks for them pays for their import

        law = None if asked.by_cost else asked.law
        released = ReleasedAxes.of(own.selection, own.images, law, asked.load, own.own_dtype, asked.rank_by)
        timed = released.timed_by(asked.deployment, asked.load)
        return plan_among(timed, asked.budget, asked.load, asked.deployment, asked.as_measured, asked.notes)
    tokens = admissible(tried.visual_tokens, tried.compressors, tried.towers)
    axes = Axes(
        tried.llms, tried.towers, tried.compressors, tried.prompt_orders, tokens, asked.laws, asked.best.connector
    )
    return plan_among(axes, asked.budget, asked.load, asked.deployment, asked.as_measured, asked.notes)
