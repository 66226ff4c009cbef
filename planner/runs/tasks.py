"""Runs of several tasks: they are no one law, so one is chosen, or their mean is taken where every cell has all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from planner.base.errors import RunsError
from planner.base.quantities import shown
from planner.runs.table import Runs

_NAMES_MAX = 6


def task_names(runs: Runs) -> tuple[str, ...]:
    """Tasks of runs, in their order."""
    return tuple(dict.fromkeys(name for name in runs.task or () if name))


def refuse_mixed_tasks(runs: Runs) -> None:
    """Raise RunsError where runs are of several tasks, which would be pooled."""
    names = task_names(runs)
    if len(names) > 1:
        raise RunsError(
            f"the runs are of {mixed(names)}, which are not pooled: choose one, runs.select(task=...), take their "
            "mean, mean_over_tasks(runs), or fit them apart, fit_joint(runs, by='task')",
            column="task",
        )


def mixed(names: Sequence[str]) -> str:
    """ "3 tasks (gqa, pope, mme)"."""
    listed = ", ".join(shown(name)[1:-1] for name in names[:_NAMES_MAX])
    return f"{len(names)} tasks ({listed}{', ...' if len(names) > _NAMES_MAX else ''})"


def mean_over_tasks(runs: Runs) -> Runs:
    """One run for each LLM, tokens, compressor and seed: its error is the mean over the tasks that all of them have.

    Tasks are weighted alike, whatever their samples; standard errors add in squares. `Runs.remarks` names the tasks
    that were left out.

    Raises:
        RunsError: no task was measured in all cells.
    """
    names = task_names(runs)
    if len(names) < 2:
        return runs
    cells: dict[tuple[Any, ...], dict[str, int]] = {}
    for i in range(len(runs)):
        of = tuple(
            None if column is None else column[i]
            for column in (runs.llm, runs.llm_params, runs.visual_tokens, runs.compressor, runs.seed, runs.text_tokens)
        )
        cells.setdefault(of, {})[(runs.task or ())[i]] = i
    common = [name for name in names if all(name in tasks for tasks in cells.values())]
    if not common:
        raise RunsError(
            f"no task was measured in all {len(cells)} cells, and a mean of what is there would compare different "
            "tasks; choose a task",
            column="task",
        )
    rows = [[tasks[name] for name in common] for tasks in cells.values()]
    title = "+".join(common) if len(common) <= 3 else f"mean of {len(common)} tasks"
    left_out = [name for name in names if name not in common]
    remarks = (
        f"errors are means over {len(common)} tasks: {', '.join(common)}",
        *([f"tasks left out, which not every cell has: {', '.join(left_out)}"] if left_out else []),
    )
    first = runs.take([one[0] for one in rows])
    se = runs.error_se
    return replace(
        first,
        error=np.array([math.fsum(runs.error[i] for i in one) / len(one) for one in rows]),
        error_se=None
        if se is None
        else np.array([math.sqrt(math.fsum(se[i] ** 2 for i in one)) / len(one) for one in rows]),
        samples=None,
        task=(title,) * len(rows),
        note=None,
        remarks=runs.remarks + remarks,
    )
