"""What rests on what: the evidence by study, task, language models and compressor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.base.codec import encode
from planner.base.dataclass import dataclass
from planner.base.result import Result
from planner.laws.hierarchy.rows import EvidenceRows, Table, shipped_rows, shipped_tables, task_classes
from planner.laws.hierarchy.tasks import EvidenceTask, find_task
from planner.laws.hierarchy.variances import shipped_variances

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EvidenceGroup:
    """The rows of one study, task and compressor."""

    study: str
    task: str
    task_class: str
    """"text", "general", "knowledge" or "localisation"."""
    compressor: str
    population: str
    """"trained", "pruning", "resize", "released" or "none"."""
    llms: tuple[str, ...]
    """Language models, the smallest first."""
    llm_params: tuple[float, float]
    """Smallest and largest nominal size, in parameters."""
    visual_tokens: tuple[float, ...]
    """Per image, ascending."""
    rows: int
    checked: int
    """Rows that were compared with a published copy of their table."""
    error: tuple[float, float]
    """Least and largest error."""
    tables: tuple[str, ...]
    """Short names of the printed tables."""


@dataclass(frozen=True, repr=False)
class Evidence(Result):
    """What the evidence base holds, of all tasks or of one."""

    task: str | None
    """The task that was asked for; None: all."""
    groups: tuple[EvidenceGroup, ...]
    noise: dict[str, float]
    """Noise of one printed number by study, in error, as the hierarchy estimates it."""
    tables: tuple[Table, ...]
    """Sources of the groups."""
    all_rows: EvidenceRows = field(compare=False)
    """The rows themselves."""

    @property
    def rows_count(self) -> int:
        return sum(one.rows for one in self.groups)

    @property
    def checked_count(self) -> int:
        """Rows that were compared with a published copy."""
        return sum(one.checked for one in self.groups)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types; the rows are in `to_frame`."""
        return {
            "task": self.task,
            "rows": self.rows_count,
            "checked": self.checked_count,
            "noise": self.noise,
            "groups": [encode(one, "a group") for one in self.groups],
            "tables": [encode(one, "a table") for one in self.tables],
        }

    def to_frame(self) -> pd.DataFrame:
        """The rows, one per measured cell."""
        import pandas as pd

        return pd.DataFrame(vars(self.all_rows))

    def __repr__(self) -> str:
        of = "" if self.task is None else f" of {self.task}"
        studies = len({one.study for one in self.groups})
        return f"Evidence({self.rows_count} rows{of} from {studies} studies, {self.checked_count} checked)"


def evidence(task: str | None = None) -> Evidence:
    """What rests on what in the evidence base: published results of many studies, tasks, models and compressors.

    Args:
        task: one task alone, by a name such as "docvqa"; or a class of tasks, such as "text".

    Raises:
        UnknownNameError: there is no such task.
    """
    asked = None if task is None else find_task(task)
    rows = _of(asked)
    return Evidence(
        task=None if asked is None else asked.name,
        groups=tuple(_groups(rows)),
        noise={study: shipped_variances().noise.study[study] for study in dict.fromkeys(rows.study.tolist())},
        tables=tuple(shipped_tables()[name] for name in dict.fromkeys(rows.table.tolist())),
        all_rows=rows,
    )


def _of(asked: EvidenceTask | None) -> EvidenceRows:
    rows = shipped_rows()
    if asked is None:
        return rows
    return rows.where(rows.task == asked.name if asked.measured else rows.task_class == asked.task_class)


def _groups(rows: EvidenceRows) -> Iterator[EvidenceGroup]:
    keys = list(zip(rows.study.tolist(), rows.task.tolist(), rows.compressor.tolist(), strict=True))
    members: dict[tuple[str, str, str], list[int]] = {}
    for position, key in enumerate(keys):
        members.setdefault(key, []).append(position)
    for (study, task, compressor), positions in members.items():
        own = rows.where(np.array(positions))
        order = np.argsort(own.llm_params, kind="stable")
        yield EvidenceGroup(
            study=study,
            task=task,
            task_class=task_classes()[task],
            compressor=compressor,
            population=str(own.population[0]),
            llms=tuple(dict.fromkeys(own.llm[order].tolist())),
            llm_params=(float(own.llm_params.min()), float(own.llm_params.max())),
            visual_tokens=tuple(np.unique(own.visual_tokens).tolist()),
            rows=len(own),
            checked=int(own.checked.sum()),
            error=(float(own.error.min()), float(own.error.max())),
            tables=tuple(dict.fromkeys(own.table.tolist())),
        )
