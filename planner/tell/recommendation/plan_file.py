"""A plan as its JSON file holds it, checked: nothing is missing, nothing was changed after it was made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from planner.base.quantities import shown
from planner.laws.combined import Law, law_from_dict
from planner.planning.load_plan import as_plan
from planner.planning.plan_file import PLAN_FILE
from planner.planning.result import Plan
from planner.tell.recommendation.fields import Fields

AGAIN = f"make it again with {PLAN_FILE.written_by}"
PlanLike = Plan | Fields | Mapping[str, Any] | str | os.PathLike[str]


def read_plan(plan: PlanLike) -> Fields:
    """A plan's dictionary from the plan, the dictionary, or the path of its JSON file.

    Raises:
        InputError: no plan, one of an earlier or a newer version, or one that was changed after it was made.
    """
    if isinstance(plan, Fields):
        return plan  # it was read before
    origin = shown(Path(plan).name) if isinstance(plan, str | os.PathLike) else "the plan"
    return Fields(as_plan(plan).to_dict(), origin, AGAIN)


def law_of(plan: Fields) -> Law:
    """The law that the plan rests on. Raises LawFileError."""
    return _law_in(plan, plan.part("law_file"))


def laws_of(plan: Fields) -> dict[str, Law]:
    """The law of each compressor by its name, where they differ; {} where one law gave every error.

    Equal ones are one object, the pick's is that of `law_of`. Raises LawFileError.
    """
    if plan.maybe_part("law_files") is None:
        return {}
    return {name: _law_in(plan, one) for name, one in plan.items("law_files")}


def _law_in(plan: Fields, law: Fields) -> Law:
    return _law_of_text(json.dumps(dict(law.content)), f"the law in {plan.origin}")


@lru_cache(maxsize=16)
def _law_of_text(text: str, origin: str) -> Law:
    """The same law for the same text: what is known of a law is remembered by its identity."""
    return law_from_dict(json.loads(text), origin)
