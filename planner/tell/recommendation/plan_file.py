"""A plan as its JSON file holds it, checked: nothing is missing, nothing was changed after it was made."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.files import file_text
from planner.base.quantities import shown
from planner.laws.combined import Law, law_from_dict
from planner.planning.plan_file import AGAIN, EXPECTED, checked_plan
from planner.planning.result import Plan
from planner.tell.recommendation.fields import Fields, read_json

PlanLike = Plan | Fields | Mapping[str, Any] | str | os.PathLike[str]


def read_plan(plan: PlanLike) -> Fields:
    """A plan's dictionary from the plan, the dictionary, or the path of its JSON file.

    Raises:
        InputError: no plan, one of an earlier or a newer version, or one that was changed after it was made.
    """
    if isinstance(plan, Fields):
        return plan  # it was read before
    origin = "the plan"
    if isinstance(plan, Plan):
        content: Any = json.loads(json.dumps(plan.to_dict()))
    elif isinstance(plan, Mapping):
        try:
            content = json.loads(json.dumps(dict(plan), allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            raise InputError(f"the plan holds what JSON cannot; expected the dictionary of {EXPECTED}") from None
    elif isinstance(plan, str | os.PathLike):
        content, origin = read_json(plan, EXPECTED), shown(Path(plan).name)
    else:
        raise InputError(f"plan: expected a Plan, its dictionary or the path of its file, got {shown(plan)}")
    return Fields(checked_plan(content, origin), origin, AGAIN)


def file_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of that file, by which a verdict may name the plan."""
    return hashlib.sha256(file_text(content).encode("utf-8", "surrogatepass")).hexdigest()


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
