"""The laws in a plan's file: what is told of one first, and those of each compressor read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.base.place import Place
from planner.laws.combined import Law
from planner.planning.plan_record import PlanRecord
from planner.planning.ranking import ERROR


def law_head(law: Law) -> dict[str, Any]:
    """What people want to know of the law first."""
    return {
        "name": law.name,
        "form": law.form,
        "status": law.status,
        "advice": law.advice,
        "at_bound": list(law.at_bound),
        "runs_sha256": law.runs_sha256,
    }


def laws_of_file(found: PlanRecord, compressors: Sequence[str], place: Place) -> dict[str, Law]:
    """By name of each compressor its law; {} where candidates are ordered by cost alone.

    Raises:
        InputError: a law is missing, or there is one that nothing asked for.
    """
    by_cost = found.inputs.rank_by != ERROR
    if (found.law_file is None) != by_cost:
        raise place.at("law_file").complaint(
            f"{'no' if found.law_file is None else 'a'} law, of a plan that is ordered by {found.inputs.rank_by}"
        )
    if found.law_file is None:
        return {}
    if not (found.inputs.one_law or found.law_files):
        raise place.missing("law_files")
    laws = dict(found.law_files) or dict.fromkeys(compressors, found.law_file)
    if set(laws) != set(compressors) or found.best.compressor not in laws:
        raise place.at("law_files").wrong(f"a law for each of {', '.join(compressors)}", ", ".join(laws))
    return _each_once(laws, found.law_file)


def _each_once(laws: Mapping[str, Law], first: Law) -> dict[str, Law]:
    """The same laws, equal ones as one object: what is known of a law goes with the object."""
    distinct: list[Law] = [first]
    for law in laws.values():
        if not any(law is other or law.to_dict() == other.to_dict() for other in distinct):
            distinct.append(law)
    return {
        name: next(one for one in distinct if one is law or one.to_dict() == law.to_dict())
        for name, law in laws.items()
    }
