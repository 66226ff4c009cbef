"""Laws made of laws: forms averaged by their evidence, and mixes of tasks.

average   several forms fitted to the same runs; the error is their mean, weighted by Akaike weights
mix       laws of different tasks; the error is their mean, weighted by the share of each task in the workload
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import InputError, LawFileError
from planner.base.files import write_json
from planner.base.quantities import format_percent, shown
from planner.laws.compare import FormEvidence, compare, evidence, other_forms
from planner.laws.fitted import AT_A_BOUND, CONVERGED, NOT_IDENTIFIED, FittedLaw, read_law_file
from planner.runs import Runs

FloatArray = NDArray[np.float64]

AVERAGE, MIX = "average", "mix"
AUTO: Final = "auto"
"""The form of an average: what the runs speak for."""
FILE_FORMAT = "vlm-planner/combined-law"
FORMAT_VERSION = 1
_NEGLIGIBLE = 1e-3  # an Akaike weight below this moves no digit that anyone reads


Law: TypeAlias = "FittedLaw | CombinedLaw"
"""What a plan can rest on."""


@dataclass(frozen=True)
class CombinedLaw:
    """A weighted mean of laws; it predicts and plans like a FittedLaw."""

    kind: str
    """"average" over forms, or "mix" of tasks."""
    members: tuple[Law, ...]
    """Fitted laws of the forms of an average; laws of any kind, one a task, of a mix."""
    weights: tuple[float, ...]
    """Shares; scaled to sum to 1."""
    name: str = ""

    def __post_init__(self) -> None:
        total = sum(self.weights)
        good = len(self.members) == len(self.weights) > 0 and all(weight > 0 for weight in self.weights)
        if not good or not np.isfinite(total):
            raise InputError(f"a {self.kind} needs a weight above 0 for each law, got {list(self.weights)}")
        object.__setattr__(self, "weights", tuple(weight / total for weight in self.weights))

    @property
    def form(self) -> str:
        """ "auto" for an average of forms, "mix" for a mix of tasks."""
        return "auto" if self.kind == AVERAGE else MIX

    @property
    def status(self) -> str:
        """The worst status among the members."""
        statuses = [member.status for member in self.members]
        order = (NOT_IDENTIFIED, AT_A_BOUND, CONVERGED)
        return next((status for status in order if status in statuses), statuses[0])

    @property
    def advice(self) -> str:
        parts = ", ".join(f"{_part(self, i)} {format_percent(weight, 1.0)}" for i, weight in enumerate(self.weights))
        return f"weighted mean of {parts}"

    @property
    def at_bound(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for member in self.members for name in member.at_bound))

    @property
    def n_runs(self) -> int:
        """Runs behind it: the same for all forms of an average, the sum over the tasks of a mix."""
        counts = [member.n_runs for member in self.members]
        return counts[0] if self.kind == AVERAGE else sum(counts)

    @property
    def runs_sha256(self) -> str:
        return "+".join(dict.fromkeys(member.runs_sha256 for member in self.members))

    @property
    def llms(self) -> tuple[str, ...]:
        return _union(member.llms for member in self.members)

    @property
    def tasks(self) -> tuple[str, ...]:
        return _union(member.tasks for member in self.members)

    @property
    def compressors(self) -> tuple[str, ...]:
        return _union(member.compressors for member in self.members)

    @property
    def vision(self) -> str:
        towers = {member.vision for member in self.members}
        return towers.pop() if len(towers) == 1 else ""

    @property
    def constraints(self) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def predict(self, llm_params: ArrayLike, visual_tokens: ArrayLike) -> float | FloatArray:
        """The weighted mean of the members' errors; as `FittedLaw.predict`."""
        parts = [
            weight * law.predict(llm_params, visual_tokens)
            for weight, law in zip(self.weights, self.members, strict=True)
        ]
        return sum(parts[1:], parts[0])

    def outside(self, llm_params: float, visual_tokens: float) -> list[tuple[str, float, float]]:
        """Where a point lies outside the ranges of any member; as `FittedLaw.outside`, the farthest first."""
        found: dict[str, tuple[str, float, float]] = {}
        for member in self.members:
            for item in member.outside(llm_params, visual_tokens):
                if item[0] not in found or item[2] > found[item[0]][2]:
                    found[item[0]] = item
        return list(found.values())

    def to_dict(self) -> dict[str, Any]:
        """All that the file holds, as plain JSON types."""
        return {
            "format": FILE_FORMAT,
            "format_version": FORMAT_VERSION,
            "form": self.form,
            "kind": self.kind,
            "name": self.name,
            "status": self.status,
            "advice": self.advice,
            "at_bound": list(self.at_bound),
            "n_runs": self.n_runs,
            "weights": list(self.weights),
            "members": [member.to_dict() for member in self.members],
        }

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the law as JSON, atomically. Raises OutputExistsError."""
        return write_json(path, self.to_dict(), overwrite=overwrite)


def single_laws(law: Law) -> tuple[FittedLaw, ...]:
    """The fitted laws that a law is made of: of all forms and tasks."""
    if isinstance(law, FittedLaw):
        return (law,)
    return tuple(one for member in law.members for one in single_laws(member))


def fit_auto(runs: Runs, *, weights: str = "auto", name: str = "") -> CombinedLaw:
    """All forms fitted to the same runs, averaged by their Akaike weights (`form="auto"`).

    Raises:
        FitError: the runs do not allow a fit of any form.
    """
    return _average(compare(runs, weights=weights, name=name), name)


def averaged(law: FittedLaw) -> CombinedLaw:
    """A fitted law and the other forms on the same runs, averaged by their Akaike weights.

    Raises:
        InputError: a law that was given or has constraints: there is nothing to average it with.
    """
    laws = other_forms(law)
    if len(laws) == 1:
        raise InputError(
            "form 'auto' needs a law that was fitted freely to runs: this one was given or has constraints"
        )
    return _average(evidence(laws), law.name)


def mix(shares: Mapping[str, tuple[Law, float]]) -> CombinedLaw:
    """A mix of tasks: {name: (law, share)}. Raises InputError for a share that is not above 0."""
    laws = tuple(law for law, _ in shares.values())
    weights = tuple(share for _, share in shares.values())
    total = sum(weights) or 1.0
    named = ",".join(f"{name}={share / total:.3g}" for name, (_, share) in shares.items())
    return CombinedLaw(MIX, laws, weights, named)


def read_law(path: str | os.PathLike[str]) -> Law:
    """A law file of either kind. Raises LawFileError."""
    return law_from_dict(read_law_file(path), Path(path).name)


def law_from_dict(content: Mapping[str, Any], origin: str = "the law") -> Law:
    """The law of a dictionary made by `to_dict`, of either kind. Raises LawFileError."""
    if content.get("format") != FILE_FORMAT:
        return FittedLaw.from_dict(content, origin)
    if content.get("format_version") != FORMAT_VERSION:
        raise LawFileError(
            f"{origin} has format version {shown(content.get('format_version'))}, this vlm-planner reads "
            f"{FORMAT_VERSION}: update vlm-planner"
        )
    try:
        members = tuple(law_from_dict(member, origin) for member in content["members"])
        kind, name, weights = content["kind"], content["name"], tuple(float(weight) for weight in content["weights"])
        if kind not in (AVERAGE, MIX) or not isinstance(name, str):
            raise InputError(f"kind {shown(kind)} is not known")
        return CombinedLaw(kind, members, weights, name)
    except LawFileError:
        raise
    except (InputError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise LawFileError(f"{origin} is damaged ({error}); make it again") from None


def _average(rows: tuple[FormEvidence, ...], name: str) -> CombinedLaw:
    kept = [row for row in rows if row.weight > _NEGLIGIBLE]
    return CombinedLaw(AVERAGE, tuple(row.law for row in kept), tuple(row.weight for row in kept), name)


def _part(law: CombinedLaw, i: int) -> str:
    return law.members[i].form if law.kind == AVERAGE else law.members[i].name


def _union(columns: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for column in columns for value in column))
