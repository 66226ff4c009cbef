"""Laws made of laws: averages of forms, and mixes of tasks.

average   several forms fitted to the same runs, and what they leave out: the error is what is to be expected of all
mix       laws of different tasks; the error is their mean, weighted by the share of each task in the workload
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, LawFileError
from planner.base.file_format import FileFormat, file_name
from planner.base.files import read_json
from planner.base.place import Place
from planner.base.quantities import format_percent
from planner.base.result import Result, above
from planner.base.stored import Choice
from planner.laws.fitted import AT_A_BOUND, CONVERGED, LAW_FILE, NOT_IDENTIFIED, FittedLaw
from planner.laws.forms.latex import weighted_sum
from planner.laws.hierarchy.law import EVIDENCE_LAW_FILE, EvidenceLaw
from planner.laws.runs_belief import can_be_believed, expected_error

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from planner.laws.profile.base import Interval

FloatArray = NDArray[np.float64]

AVERAGE, MIX = "average", "mix"
AUTO: Final = "auto"
"""The form of an average: what the runs speak for."""


@dataclass(frozen=True, repr=False)
class CombinedLaw(Result):
    """A weighted mean of laws; it predicts and plans like a FittedLaw."""

    kind: Annotated[str, Choice((AVERAGE, MIX))]
    """"average" over forms, or "mix" of tasks."""
    members: tuple[Annotated[Law, LAW_PART], ...]
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

    @classmethod
    def restored(cls, **values: Any) -> CombinedLaw:
        """A law as its file holds it, its weights to the last digit."""
        law, weights = cls(**values), values["weights"]
        if abs(sum(weights) - 1) <= 1e-9:
            object.__setattr__(law, "weights", weights)
        return law

    @property
    def form(self) -> str:
        """ "auto" for an average of forms, "mix" for a mix of tasks."""
        return "auto" if self.kind == AVERAGE else MIX

    @property
    def status(self) -> str:
        """Of an average that of its likeliest form, of a mix the worst of its tasks."""
        if self.kind == AVERAGE:
            return self._likeliest.status
        statuses = [member.status for member in self.members]
        order = (NOT_IDENTIFIED, AT_A_BOUND, CONVERGED)
        return next((status for status in order if status in statuses), statuses[0])

    @property
    def advice(self) -> str:
        parts = ", ".join(f"{_part(self, i)} {format_percent(weight, 1.0)}" for i, weight in enumerate(self.weights))
        return f"weighted mean of {parts}"

    @property
    def at_bound(self) -> tuple[str, ...]:
        if self.kind == AVERAGE:
            return self._likeliest.at_bound
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

    @property
    def predicts(self) -> str:
        """What all of its members predict: "error" or "loss"."""
        return self.members[0].predicts

    @property
    def _likeliest(self) -> Law:
        return self.members[int(np.argmax(self.weights))]

    @property
    def runs_of(self) -> FittedLaw:
        """Of an average, the member that has its runs: those of all members are the same, but for runs without visual
        tokens, which not every form can take."""
        return max((member for member in self.members if isinstance(member, FittedLaw)), key=lambda law: law.n_runs)

    @property
    def level_known(self) -> bool:
        """Whether it predicts errors, not only their differences: each of its tasks has to."""
        return all(member.level_known for member in self.members)

    @property
    def reckons_with_transfer(self) -> bool:
        """Whether intervals and odds know what other models and compressors change, in each of its tasks."""
        return all(member.reckons_with_transfer for member in self.members)

    def predict(
        self,
        llm_params: ArrayLike,
        visual_tokens: ArrayLike,
        llm: ArrayLike | None = None,
        *,
        compressor: str = "",
        released: bool = False,
    ) -> float | FloatArray:
        """The error to be expected; as `FittedLaw.predict`.

        Of an average, over all forms and what they leave out (`planner.laws.belief`): models of one size may differ,
        and a model that was measured is known by its name. Of a mix, the weighted mean of its tasks.
        """
        if self.kind == AVERAGE and can_be_believed(self.runs_of):
            return expected_error(self.runs_of, llm_params, visual_tokens, llm)
        parts = [
            weight * law.predict(llm_params, visual_tokens, llm, compressor=compressor, released=released)
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

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Intervals of the parameters of every member, as "additive.alpha"; as `FittedLaw.intervals`."""
        return {
            f"{_part(self, i)}.{name}": one
            for i, member in enumerate(self.members)
            for name, one in member.intervals(level).items()
        }

    def plot(self, query_tokens: int = 50, generated_tokens: int = 0, bands: bool = True) -> Figure:
        """As `FittedLaw.plot`. Raises InputError for more than one form or task: plot a member."""
        return above().picture_of(self, query_tokens=query_tokens, generated_tokens=generated_tokens, bands=bands)

    def to_latex(self, digits: int = 4) -> str:
        """The weighted sum of the formulas, without what forms leave out. Raises InputError for two units of N."""
        return weighted_sum(self.weights, [member.to_latex(digits) for member in self.members], digits)

    def to_frame(self) -> pd.DataFrame:
        """The members, a row each."""
        import pandas as pd

        rows = [
            {
                "law": _part(self, i),
                "form": one.form,
                "weight": self.weights[i],
                "status": one.status,
                "runs": one.n_runs,
            }
            for i, one in enumerate(self.members)
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        parts = ", ".join(f"{_part(self, i)} {format_percent(one, 1.0)}" for i, one in enumerate(self.weights))
        name = f"{self.name!r}, " if self.name and self.kind == AVERAGE else ""
        return f"CombinedLaw({name}{self.kind} of {parts})"

    def to_dict(self) -> dict[str, Any]:
        """All that the file holds, as plain JSON types."""
        return COMBINED_LAW_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the law") -> CombinedLaw:
        """The law of a dictionary made by `to_dict`. Raises LawFileError."""
        return COMBINED_LAW_FILE.from_dict(content, origin)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the law as JSON, atomically. Raises OutputExistsError."""
        return COMBINED_LAW_FILE.write(path, self, overwrite=overwrite)


Law: TypeAlias = FittedLaw | CombinedLaw | EvidenceLaw
"""What a plan can rest on."""


def single_laws(law: Law) -> tuple[FittedLaw, ...]:
    """The fitted laws that a law is made of: of all forms and tasks; () of one of published results."""
    if isinstance(law, FittedLaw):
        return (law,)
    if isinstance(law, EvidenceLaw):
        return ()
    return tuple(one for member in law.members for one in single_laws(member))


def read_law(path: str | os.PathLike[str]) -> Law:
    """A law file of any kind. Raises LawFileError."""
    return law_from_dict(read_json(path, LAW_FILE.expected, LawFileError), file_name(path))


def law_from_dict(content: Any, origin: str = "the law") -> Law:
    """The law of a dictionary made by `to_dict`, of any kind. Raises LawFileError."""
    return cast("Law", _file_of(content).from_dict(content, origin))


def _file_of(content: Any) -> FileFormat[Any]:
    """The kind of file that a dictionary is of; that of one form alone where it says nothing."""
    kinds: tuple[FileFormat[Any], ...] = (COMBINED_LAW_FILE, EVIDENCE_LAW_FILE)
    return next((one for one in kinds if one.speaks_of(content)), LAW_FILE)


def _part(law: CombinedLaw, i: int) -> str:
    return law.members[i].form if law.kind == AVERAGE else law.members[i].name


def _union(columns: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for column in columns for value in column))


class LawPart:
    """A law of any kind as a part of another file."""

    def encode(self, value: Law, place: Place) -> dict[str, Any]:
        if not isinstance(value, FittedLaw | CombinedLaw | EvidenceLaw):
            raise place.wrong("a law", value)
        return value.to_dict()

    def decode(self, content: Any, place: Place) -> Law:
        return cast("Law", _file_of(content).decode(content, place))


LAW_PART = LawPart()

COMBINED_LAW_FILE = FileFormat(
    "vlm-planner/combined-law",
    1,
    CombinedLaw,
    "a law",
    "vlm-planner fit -o",
    derived={
        "form": lambda law: law.form,
        "status": lambda law: law.status,
        "advice": lambda law: law.advice,
        "at_bound": lambda law: list(law.at_bound),
        "n_runs": lambda law: law.n_runs,
    },
    error=LawFileError,
)
"""The file of an average or a mix."""
