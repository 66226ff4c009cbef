"""EvidenceLaw: what published results say of a mix of tasks, as a law that plans can rest on.

    law = evidence_law({"docvqa": 0.5, "gqa": 0.5})
    law.predict(7e9, 64, "Qwen2-7B")

Without runs of one's own the level of an error is not known, only by how much one candidate is better than another:
`level_known` is False, and plans print trade-offs and odds. With some, the hierarchy is conditioned on them too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.codec import SPARSE
from planner.base.dataclass import dataclass
from planner.base.errors import InputError, LawFileError
from planner.base.file_format import FileFormat
from planner.base.quantities import counted, format_percent, shown
from planner.base.result import Result
from planner.laws.hierarchy.mix import OwnCell, TaskShare, TokenScale
from planner.laws.hierarchy.tasks import find_task
from planner.runs.table import ERROR

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from planner.laws.hierarchy.rows import EvidenceRows
    from planner.laws.profile.base import Interval

FloatArray = NDArray[np.float64]

EVIDENCE: Final = "evidence"
"""The form, and the status, of a law that rests on published results."""


@dataclass(frozen=True, repr=False)
class EvidenceLaw(Result):
    """The errors of a mix of tasks, as far as published results (and some runs of one's own) know them."""

    mix: tuple[TaskShare, ...]
    own: tuple[OwnCell, ...] = ()
    """Runs of one's own: trained with one's data, or, in plans among released models, evaluations of those."""
    name: str = field(default="", compare=False)
    """What the law is called: its tasks, by default."""
    scales: tuple[TokenScale, ...] = field(default=(), metadata=SPARSE)
    """Of the released models of a plan; a model without one sees the plan's images as the task's own."""

    def __post_init__(self) -> None:
        if not self.mix:
            raise InputError("a law of published results needs at least one task")
        if not self.name:
            object.__setattr__(self, "name", _title(self.mix))

    @property
    def form(self) -> str:
        return EVIDENCE

    @property
    def status(self) -> str:
        return EVIDENCE

    @property
    def predicts(self) -> str:
        """Errors, never losses."""
        return ERROR

    @property
    def level_known(self) -> bool:
        """Whether it knows errors, not only their differences: with runs of one's own."""
        return bool(self.own)

    @property
    def reckons_with_transfer(self) -> bool:
        """True: odds and intervals know what other models, tasks and compressors than those of its rows change."""
        return True

    @property
    def advice(self) -> str:
        """What its kind means for whoever uses it."""
        if self.own:
            return "published results of many studies, and the runs that were given"
        return (
            "published results of many studies: they know by how much candidates differ, not the error of any; a few "
            "runs of one's own give the level"
        )

    @property
    def at_bound(self) -> tuple[str, ...]:
        return ()

    @property
    def n_runs(self) -> int:
        """Published rows of its tasks, and runs of one's own."""
        return len(self.rows) + len(self.own)

    @property
    def runs_sha256(self) -> str:
        """Of the shipped rows."""
        from planner.laws.hierarchy.shipped import rows_sha256

        return rows_sha256()

    @property
    def rows(self) -> EvidenceRows:
        """The published rows of its tasks; of a task that nobody has measured, those of its class."""
        from planner.laws.hierarchy.rows import shipped_rows

        rows = shipped_rows()
        measured = [one.task for one in self.mix if one.asked.measured]
        classes = [one.task_class for one in self.mix if not one.asked.measured]
        return rows.where(np.isin(rows.task, measured) | np.isin(rows.task_class, classes))

    @property
    def published_tasks(self) -> tuple[str, ...]:
        """Its tasks that were measured."""
        return tuple(one.task for one in self.mix if one.asked.measured)

    def with_scales(self, scales: tuple[TokenScale, ...]) -> EvidenceLaw:
        """The same of models that make other numbers of tokens of a task's own images than of those of a plan."""
        return replace(self, scales=scales)

    @property
    def llms(self) -> tuple[str, ...]:
        """Language models of its rows, those of one's own runs first."""
        return tuple(dict.fromkeys([*(one.llm for one in self.own), *self.rows.llm.tolist()]))

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(one.task for one in self.mix)

    @property
    def compressors(self) -> tuple[str, ...]:
        """Of its rows."""
        return tuple(dict.fromkeys(self.rows.compressor.tolist()))

    @property
    def vision(self) -> str:
        return ""

    @property
    def constraints(self) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def predict(
        self,
        llm_params: ArrayLike,
        visual_tokens: ArrayLike,
        llm: ArrayLike | None = None,
        *,
        compressor: str = "",
        released: bool = False,
    ) -> float | FloatArray:
        """Expected errors. Without runs of one's own only their differences mean anything.

        Args:
            llm_params: nominal sizes in parameters, any shape.
            visual_tokens: per image, broadcasting against it.
            llm: names of the language models, or of released models, likewise.
            compressor: what makes the visual tokens, as the planner calls it.
            released: whether the names are those of released models.

        Raises:
            InputError: a size or a count that is not positive.
        """
        from planner.laws.hierarchy.belief import expected_errors

        n, t, names = np.broadcast_arrays(
            np.asarray(llm_params, float),
            np.asarray(visual_tokens, float),
            np.asarray("" if llm is None else llm, str),
        )
        found = expected_errors(self, n.ravel(), t.ravel(), names.ravel(), compressor, released).reshape(n.shape)
        return float(found) if not n.shape else found

    def outside(self, llm_params: float, visual_tokens: float) -> list[tuple[str, float, float]]:
        """Where a point lies outside the ranges of its rows; as `FittedLaw.outside`, the farthest first."""
        rows, found = self.rows, []
        for quantity, value, measured in (
            ("llm_params", llm_params, rows.llm_params),
            ("visual_tokens", visual_tokens, rows.visual_tokens),
        ):
            low, high = float(measured.min()), float(measured.max())
            if not low <= value <= high:
                nearest = low if value < low else high
                found.append((quantity, nearest, max(value / nearest, nearest / value)))
        return sorted(found, key=lambda one: -one[2])

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """{}: it has no parameters of its own."""
        return {}

    def plot(self, query_tokens: int = 50, generated_tokens: int = 0, bands: bool = True) -> Figure:
        """Raises InputError: there is no one curve of published results; `planner.evidence` lists them."""
        raise InputError("there is no picture of a law of published results; planner.evidence(task) lists them")

    def to_latex(self, digits: int = 4) -> str:
        """Raises InputError: a law of published results has no formula."""
        raise InputError("a law of published results has no formula; planner.evidence(task) lists what it rests on")

    def to_frame(self) -> pd.DataFrame:
        """The published rows of its tasks."""
        import pandas as pd

        return pd.DataFrame(vars(self.rows))

    def __repr__(self) -> str:
        own = f", {counted(len(self.own), 'run')} of one's own" if self.own else ""
        return f"EvidenceLaw({self.name}{own})"

    def to_dict(self) -> dict[str, Any]:
        """All that the file holds, as plain JSON types."""
        return EVIDENCE_LAW_FILE.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the law") -> EvidenceLaw:
        """The law of a dictionary made by `to_dict`. Raises LawFileError."""
        return EVIDENCE_LAW_FILE.from_dict(content, origin)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the law as JSON, atomically. Raises OutputExistsError."""
        return EVIDENCE_LAW_FILE.write(path, self, overwrite=overwrite)


def evidence_law(tasks: str | Mapping[str, float], own: tuple[OwnCell, ...] = ()) -> EvidenceLaw:
    """The law of a task, or of a mix of tasks with their shares of the workload.

    Args:
        tasks: a name such as "docvqa", a class such as "text", or a mapping from such names to shares above 0.
        own: runs of one's own on these tasks.

    Raises:
        UnknownNameError: the evidence holds no such task, and it is no class.
        InputError: a share that is not above 0, or a task that is named twice.
    """
    shares = {tasks: 1.0} if isinstance(tasks, str) else dict(tasks)
    found: dict[str, TaskShare] = {}
    for name, share in shares.items():
        if not (isinstance(share, int | float) and np.isfinite(share) and share > 0):
            raise InputError(f"share of {name}: expected a number above 0, got {shown(share)}")
        task = find_task(name)
        if task.name in found:
            raise InputError(f"{name}: the task {task.name} is named twice; give it one share")
        found[task.name] = TaskShare(task.name, task.task_class, float(share))
    total = sum(one.share for one in found.values())
    return EvidenceLaw(tuple(TaskShare(one.task, one.task_class, one.share / total) for one in found.values()), own)


def _title(mix: tuple[TaskShare, ...]) -> str:
    """ "DocVQA"; "DocVQA 50 %, GQA 50 %"."""
    if len(mix) == 1:
        return mix[0].asked.title
    return ", ".join(f"{one.asked.title} {format_percent(one.share, 1.0)}" for one in mix)


EVIDENCE_LAW_FILE = FileFormat(
    "vlm-planner/evidence-law",
    1,
    EvidenceLaw,
    "a law",
    "vlm-planner plan --task",
    derived={
        "form": lambda law: law.form,
        "status": lambda law: law.status,
        "advice": lambda law: law.advice,
        "level_known": lambda law: law.level_known,
        "n_runs": lambda law: law.n_runs,
    },
    error=LawFileError,
)
"""The file of a law of published results."""
