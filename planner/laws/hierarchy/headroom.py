"""How far models can lie apart on a task: where most answer all but a few questions, less than where half are wrong.

    h = sqrt(e / .25)

with e the mean error of released models on the task (the column `error` of tasks.csv), of a task without one that of
its class. The effects that set released models apart are multiplied by h: as the standard deviation of a share grows
with the root of the share.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from planner.laws.hierarchy.cells import CellColumns, FloatArray, in_size
from planner.laws.hierarchy.rows import task_rows

MIDDLE_ERROR = 0.25
"""Where h is 1."""


def headroom(cells: CellColumns) -> FloatArray:
    """h, of each cell."""
    known = zip(cells.task.tolist(), cells.task_class.tolist(), strict=True)
    return np.array([_root(task, task_class) for task, task_class in known])


def headroom_in_size(cells: CellColumns) -> FloatArray:
    """h x, of each cell. Raises InputError for N that is not above 0."""
    return headroom(cells) * in_size(cells)


@cache
def _root(task: str, task_class: str) -> float:
    by_task, by_class = _errors()
    return float(np.sqrt(by_task.get(task, by_class.get(task_class, MIDDLE_ERROR)) / MIDDLE_ERROR))


@cache
def _errors() -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Mean errors of released models by task, and their means by class."""
    rows = [row for row in task_rows() if row["error"]]
    by_class: dict[str, list[float]] = {}
    for row in rows:
        by_class.setdefault(row["class"], []).append(float(row["error"]))
    means = {name: sum(values) / len(values) for name, values in by_class.items()}
    return {row["task"]: float(row["error"]) for row in rows}, means
