"""Numbers of many files -> one for each cell and task -> one table of runs, never a mean of what is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from planner.base.errors import RunsError, UnknownNameError
from planner.runs.importers import Sheet
from planner.runs.read import read_sheet
from planner.runs.results.cells import Cell
from planner.runs.results.value import Value
from planner.runs.table import Runs

COMMON, BY_TASK = "common", "by-task"
MEANS = (COMMON, BY_TASK)
DUPLICATES = ("latest", "mean", "seed", "error")
_NAMED_MAX = 6


def listed(names: Sequence[str]) -> str:
    """Names separated by commas, cut where there are many."""
    names = list(dict.fromkeys(names))
    return ", ".join(names[:_NAMED_MAX]) + (f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else "")


def check_choice(what: str, value: str, known: Sequence[str]) -> None:
    """Raise UnknownNameError for a value that is none of the known ones."""
    if value not in known:
        raise UnknownNameError(what, value, known)


def one_metric(values: Sequence[Value]) -> None:
    """Raise RunsError where a task is read by one metric here and by another there."""
    first: dict[str, Value] = {}
    for value in values:
        other = first.setdefault(value.task, value)
        if (other.metric, other.full_mark) != (value.metric, value.full_mark):
            raise RunsError(
                f"{value.file}, task {value.task}: {value.metric} (full mark {value.full_mark:g}) here but "
                f"{other.metric} (full mark {other.full_mark:g}) in {other.file}; name one with metric=, or "
                "the tasks to take with tasks="
            )


def without_duplicates(values: Sequence[Value], how: str) -> tuple[list[Value], list[str]]:
    """One value for each cell and task, and remarks on those that had several.

    Raises:
        RunsError: several unlike values, and `how` is "error", or "latest" where nothing says which is later.
    """
    found: dict[tuple[Cell, str], list[Value]] = {}
    for value in values:
        same = found.setdefault((value.cell, value.task), [])
        if not any((one.raw, one.full_mark, one.model) == (value.raw, value.full_mark, value.model) for one in same):
            same.append(value)
    resolved: list[Value] = []
    remarks: list[str] = []
    for (cell, task), several in found.items():
        if len(several) == 1:
            resolved += several
            continue
        where = f"{cell.title}, task {task}: {len(several)} results"
        each = "; ".join(f"{one.raw:g} in {one.file}" for one in several[:3])
        if how == "seed":
            resolved += [replace(one, cell=replace(cell, seed=str(i + 1))) for i, one in enumerate(several)]
            remarks.append(f"{where} ({each}): kept as repetitions, numbered in the column seed")
        elif how == "mean":
            resolved.append(_mean(several))
            remarks.append(f"{where} ({each}): their mean is taken")
        else:
            _refuse(several, where, each, how)
            newest = max(several, key=lambda one: one.when)
            resolved.append(newest)
            remarks.append(f"{where} ({each}): the latest is taken, {newest.file}")
    return resolved, remarks


def _refuse(several: Sequence[Value], where: str, each: str, how: str) -> None:
    """Raise RunsError where it cannot be said which of several results is the latest, or none is to be chosen."""
    models = list(dict.fromkeys(one.model for one in several))
    if len(models) > 1:
        raise RunsError(
            f"{where} of different models ({listed(models)}): the cell does not say how they differ; name it in the "
            "pattern (compressor or seed), leave one out, or duplicates='seed' or 'mean'"
        )
    times = [one.when for one in several]
    if how == "error" or not all(times) or times.count(max(times)) > 1:
        why = "" if how == "error" else " and nothing says which is the latest"
        raise RunsError(f"{where} ({each}){why}; remove one, or duplicates='mean' or 'seed'")


def _mean(several: Sequence[Value]) -> Value:
    count = len(several)
    errors = [one.raw_se for one in several]
    known = [error for error in errors if error is not None]
    return replace(
        several[0],
        raw=math.fsum(one.raw for one in several) / count,
        raw_se=math.sqrt(math.fsum(error**2 for error in known)) / count if len(known) == count else None,
        file=f"{several[0].file} and {count - 1} more",
    )


def common_tasks(values: Sequence[Value], cells: Sequence[Cell], asked: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tasks that every cell has, and remarks on the others.

    Raises:
        RunsError: no task is common to all cells, or a cell lacks one of the tasks that were asked for.
    """
    tasks = list(dict.fromkeys(value.task for value in values))
    has = {(value.cell, value.task) for value in values}
    lacking = {task: [cell for cell in cells if (cell, task) not in has] for task in tasks}
    if asked:
        for task in tasks:
            if lacking[task]:
                missing = listed([cell.title for cell in lacking[task]])
                raise RunsError(
                    f"task {task} was asked for, and no result is there for {missing}; evaluate it there, leave it or "
                    "these models out, or mean='by-task'"
                )
    kept = [task for task in tasks if not lacking[task]]
    if not kept:
        most = min(lacking.items(), key=lambda item: len(item[1]))
        raise RunsError(
            f"no task was measured in all {len(cells)} cells: the most complete one, {most[0]}, lacks "
            f"{listed([cell.title for cell in most[1]])}; a mean of what is there would compare different tasks, so "
            "leave these models out or say mean='by-task'"
        )
    remarks = [
        f"{task} left out of the mean: no result for {listed([cell.title for cell in without])}"
        for task, without in lacking.items()
        if without
    ]
    blame: dict[Cell, int] = {}
    for without in lacking.values():
        if len(without) == 1:
            blame[without[0]] = blame.get(without[0], 0) + 1
    remarks += [
        f"without {cell.title}, {count} more {'task' if count == 1 else 'tasks'} would be common to all"
        for cell, count in blame.items()
    ]
    return kept, remarks


def table(values: Sequence[Value], tasks: Sequence[str], mean: str, origin: str) -> Runs:
    """The runs of some tasks: one row for each cell and task, or the mean over all tasks for each cell."""
    chosen = [value for value in values if value.task in tasks]
    if mean == BY_TASK or len(tasks) == 1:
        groups = [[value] for value in sorted(chosen, key=lambda one: (tasks.index(one.task), one.cell.order))]
    else:
        of_cells: dict[Cell, list[Value]] = {}
        for value in chosen:
            of_cells.setdefault(value.cell, []).append(value)
        groups = [of_cells[cell] for cell in sorted(of_cells, key=lambda one: one.order)]
    name = "+".join(tasks) if len(tasks) <= 3 else f"mean of {len(tasks)} tasks"

    def column(of: Callable[[list[Value]], Any]) -> list[Any]:
        return [of(group) for group in groups]

    columns = {
        "llm": column(lambda group: group[0].cell.llm),
        "llm_params": column(lambda group: group[0].cell.llm_params),
        "visual_tokens": column(lambda group: group[0].cell.visual_tokens),
        "score": column(lambda group: math.fsum(one.score for one in group) / len(group)),
        "error_se": column(_error_se),
        "task": column(lambda group: group[0].task if len(group) == 1 else name),
        "compressor": column(lambda group: group[0].cell.compressor),
        "source": column(lambda group: listed([one.file for one in group])),
        "note": column(lambda group: "" if len(group) == 1 else "mean of " + ", ".join(one.task for one in group)),
        "seed": column(lambda group: group[0].cell.seed),
    }
    if any(error is None for error in columns["error_se"]):
        del columns["error_se"]
    columns = {
        name: cells for name, cells in columns.items() if name not in ("compressor", "note", "seed") or any(cells)
    }
    rows = [f"{group[0].cell.title}, task {group[0].task}" for group in groups]
    return read_sheet(Sheet(columns, origin, rows))


def _error_se(group: Sequence[Value]) -> float | None:
    """Of the mean: tasks are independent."""
    known = [error for one in group if (error := one.error_se)]
    return math.sqrt(math.fsum(error**2 for error in known)) / len(group) if len(known) == len(group) else None
