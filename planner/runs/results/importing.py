"""Evaluation results -> measured runs: files are read, models named, tasks chosen, and everything left out is said."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from planner.base.errors import InputError, RunsError, UnknownNameError
from planner.base.quantities import shown
from planner.runs.results.cells import Cell, Cells, Map, Pattern, holes_of, size_note, skeleton
from planner.runs.results.combine import (
    BY_TASK,
    COMMON,
    DUPLICATES,
    MEANS,
    check_choice,
    common_tasks,
    listed,
    one_metric,
    table,
    without_duplicates,
)
from planner.runs.results.format import RESULTS, ResultFormat, files_under, format_of
from planner.runs.results.imported import Imported
from planner.runs.results.reading import Reading
from planner.runs.results.scales import CHANCE, benchmark_key
from planner.runs.results.suites import SUITES
from planner.runs.results.value import Unusable, Value, by_task, take

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Found = list[tuple[Reading, ResultFormat]]


def import_results(
    paths: Paths,
    *,
    cell: str | None = None,
    cells: str | os.PathLike[str] | None = None,
    tasks: Sequence[str] = (),
    suite: str | None = None,
    metric: Mapping[str, str] | None = None,
    scale: Mapping[str, float] | None = None,
    mean: str = COMMON,
    chance: bool = False,
    chance_level: Mapping[str, float] | None = None,
    duplicates: str = "latest",
    format: str = "auto",
) -> Imported:
    """Measured runs from the files that evaluation tools write.

    Args:
        paths: files, or folders that are searched with their subfolders.
        cell: regular expression with the groups llm and tokens, and maybe llm_params, compressor and seed, that is
            found in a model's name, arguments or path: r"llava-(?P<llm>.+)-tp(?P<tokens>\\d+)".
        cells: instead, a table with the columns model, llm, llm_params, visual_tokens and maybe compressor and seed;
            `results_skeleton` writes it with the models filled in.
        tasks: tasks to take; by default all whose scale is known.
        suite: a named set of tasks instead, all of which every cell must have.
        metric: the metric of a task, where not the usual one: {"pope": "f1"}.
        scale: full mark of a task, where it is not known: {"my_task": 100}.
        mean: "common": the mean over the tasks that all cells have; "by-task": a row for each cell and task.
        chance: whether scores are counted from what guessing gives, 0, to the full mark, 1.
        chance_level: what guessing gives on a task, where it is not known, as a fraction of the full mark:
            {"my_task": 0.25}; scores are then counted from chance too.
        duplicates: of several results of one cell and task, "latest" takes the last one, "mean" their mean, "seed"
            keeps all as repetitions, "error" refuses them.
        format: the name of a format; by default each file says itself by which tool it was written.

    Raises:
        RunsError: no results, damaged files, a value above its full mark, no common task.
        InputError: a pattern or map that names no cell; a metric that is not there.
        UnknownNameError: no such task, suite, format, mean or way with duplicates.
    """
    check_choice("mean of tasks", mean, MEANS)
    check_choice("way with duplicates", duplicates, DUPLICATES)
    if tasks and suite is not None:
        raise InputError("tasks= and suite= both name tasks; give one of them")
    which = _cells(cell, cells)
    found, notes = read_results(paths, format)
    placed = _placed(found, which, notes)
    asked = _asked(placed, tasks, suite)
    values = _values(placed, asked, metric or {}, scale or {}, notes)
    if chance or chance_level:
        values = [_from_chance(value, chance_level or {}) for value in values]
    one_metric(values)
    values, remarks = without_duplicates(values, duplicates)
    notes += remarks
    there = sorted({value.cell for value in values}, key=lambda one: one.order)
    all_tasks = list(dict.fromkeys(value.task for value in values))
    kept = all_tasks
    if mean == COMMON:
        kept, remarks = common_tasks(values, there, asked)
        notes += remarks
    has = {(value.cell, value.task) for value in values}
    gaps = tuple((one, task) for one in there for task in all_tasks if (one, task) not in has)
    if mean == BY_TASK and gaps:
        notes.append(f"no result for {listed([f'{one.title} on {task}' for one, task in gaps])}")
    if holes := holes_of(there):
        notes.append(f"not every LLM has every number of visual tokens; without a result: {listed(holes)}")
    runs = table(values, kept, mean, "results")
    runs = replace(runs, remarks=(*notes, *runs.remarks))
    return Imported(
        runs=runs,
        mean=mean,
        tasks=tuple(kept),
        cells=tuple(there),
        values=tuple(sorted(values, key=lambda one: (one.cell.order, all_tasks.index(one.task)))),
        gaps=gaps,
        notes=tuple(notes),
    )


def results_skeleton(paths: Paths, *, format: str = "auto") -> str:
    """A map of the models in evaluation results as CSV, to be filled in and given as `cells`.

    Raises:
        RunsError: no results.
    """
    found, _ = read_results(paths, format)
    return skeleton(reading for reading, _ in found)


def read_results(paths: Paths, format: str = "auto") -> tuple[Found, list[str]]:
    """All readings of files and folders with their formats, and remarks on what was left out.

    Raises:
        RunsError: nothing of a known format, or only smoke runs.
    """
    if format != "auto":
        RESULTS.find(format)
    roots = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found: Found = []
    smoke: list[str] = []
    unknown: list[str] = []
    stopped: dict[tuple[str, str], str] = {}
    for root in roots:
        alone = Path(root).is_file()
        for file in files_under(Path(root)):
            kind = format_of(file, format)
            if kind is None or (format != "auto" and not alone and not kind.accepts(file)):
                unknown.append(file.shown)
                continue
            for reading in kind.read(file):
                if reading.unfinished:
                    stopped[reading.model, reading.task] = reading.unfinished
                elif reading.limited:
                    smoke.append(f"{reading.file}, task {reading.task} ({reading.limited})")
                else:
                    found.append((reading, kind))
    ended = {(reading.model, reading.task) for reading, _ in found}
    lost = [f"{model} on {task} ({why})" for (model, task), why in stopped.items() if (model, task) not in ended]
    if not found:
        names = ", ".join(str(root) for root in roots) or "no path"
        if lost:
            raise RunsError(f"{names}: no evaluation ended: {listed(lost)}; run them again")
        if smoke:
            raise RunsError(f"{names}: only runs with a limit, which are no results: {listed(smoke)}; evaluate in full")
        of = f" ({listed(unknown)})" if unknown else ""
        raise RunsError(
            f"{names}: no evaluation results were found{of}; expected files of {', '.join(RESULTS.names())}, or name "
            "one with format="
        )
    notes = [f"runs with a limit left out: {listed(smoke)}"] if smoke else []
    if lost:
        notes.append(f"evaluations that did not end left out: {listed(lost)}")
    if unknown:
        notes.append(f"files that hold no results left out: {listed(unknown)}")
    return found, notes


def _cells(cell: str | None, cells: str | os.PathLike[str] | None) -> Cells:
    if (cell is None) == (cells is None):
        raise InputError(
            "cell= or cells=: no file says how many visual tokens a model has; give one of them, a pattern such as "
            r"cell='llava-(?P<llm>.+)-tp(?P<tokens>\d+)' or a map of models"
        )
    return Pattern(cell) if cell is not None else Map(str(cells))


def _placed(found: Found, which: Cells, notes: list[str]) -> list[tuple[Reading, ResultFormat, Cell]]:
    placed = [(reading, kind, one) for reading, kind in found if (one := which.of(reading)) is not None]
    models = list(dict.fromkeys(reading.model for reading, _ in found))
    if not placed:
        raise InputError(f"{which.option}: fits none of the {len(models)} models; there are: {listed(models)}")
    kept = {reading.model for reading, _, _ in placed}
    others = [model for model in models if model not in kept]
    if others:
        notes.append(f"models that {which.option} does not name left out: {listed(others)}")
    notes += dict.fromkeys(note for reading, _, one in placed if (note := size_note(reading, one)))
    return placed


def _asked(placed: Sequence[tuple[Reading, ResultFormat, Cell]], tasks: Sequence[str], suite: str | None) -> list[str]:
    """Tasks that were asked for, as the files call them; empty where none was."""
    there = list(dict.fromkeys(reading.task for reading, _, _ in placed))
    wanted = SUITES.find(suite).tasks if suite is not None else tuple(tasks)
    asked: list[str] = []
    for task in wanted:
        exact = [name for name in there if name.lower() == task.lower()]
        near = exact or [name for name in there if benchmark_key(name) == benchmark_key(task)]
        if not near and suite is not None:
            raise RunsError(f"suite {suite!r} needs the task {task}, which no file has; there are: {listed(there)}")
        if not near:
            raise UnknownNameError("task", task, there)
        if len(near) > 1:
            raise InputError(f"tasks: {task!r} may be {' or '.join(near)}; name one of them (tasks=)")
        asked += near
    return list(dict.fromkeys(asked))


def _values(
    placed: Sequence[tuple[Reading, ResultFormat, Cell]],
    asked: Sequence[str],
    metric: Mapping[str, str],
    scale: Mapping[str, float],
    notes: list[str],
) -> list[Value]:
    there = {reading.task.lower() for reading, _, _ in placed}
    for what, given in (("metric", metric), ("scale", scale)):
        for task in given:
            if task.lower() not in there:
                raise UnknownNameError(f"task ({what}=)", task, list(dict.fromkeys(one.task for one, _, _ in placed)))
    for task, mark in scale.items():
        if not 0 < mark < float("inf"):
            raise InputError(f"scale: the full mark of {task} is {shown(mark)}; expected a number above 0")
    inside = {task for reading, _, _ in placed if reading.values for task in reading.subtasks if not asked}
    if inside:
        groups = list(dict.fromkeys(reading.task for reading, _, _ in placed if reading.subtasks))
        notes.append(f"subtasks left out, which their group repeats ({listed(groups)}): {listed(sorted(inside))}")
    values: list[Value] = []
    dropped: dict[tuple[str, str], None] = {}
    for reading, kind, cell in placed:
        if (asked and reading.task not in asked) or reading.task in inside:
            continue
        try:
            values.append(take(reading, cell, kind.rules, by_task(metric, reading.task), by_task(scale, reading.task)))
        except Unusable as problem:
            if asked:
                raise RunsError(f"{reading.file}, task {reading.task}: {problem}") from None
            dropped[reading.task, str(problem)] = None
    notes += [f"{task} left out: {why}" for task, why in dropped]
    used = {value.task for value in values}
    notes += dict.fromkeys(reading.note for reading, _, _ in placed if reading.note and reading.task in used)
    if not values:
        raise RunsError(f"no task can be used: {'; '.join(f'{task}: {why}' for task, why in list(dropped)[:3])}")
    return values


def _from_chance(value: Value, levels: Mapping[str, float]) -> Value:
    """A value counted from the level of chance."""
    level = by_task(levels, value.task)
    if level is None:
        level = CHANCE.get(benchmark_key(value.task))
    if level is None:
        raise InputError(
            f"chance: what guessing scores on {value.task} is not known; name it with chance_level=, or leave the task "
            "out"
        )
    if not 0 <= level < 1:
        raise InputError(f"chance_level: that of {value.task} is {level:g}; expected a fraction from 0 to below 1")
    counted = replace(value, chance=level)
    if counted.score < 0:
        raise RunsError(
            f"{value.file}, task {value.task}: {value.raw:g} of {value.full_mark:g} is below the level of chance, "
            f"{level:g}; leave the task out or count from 0"
        )
    return counted


def suggest(paths: Iterable[str]) -> str:
    """The name of the format of the first file that a tool wrote, "" where none did."""
    for root in map(Path, paths):
        for file in files_under(root) if root.exists() else ():
            kind = format_of(file)
            if kind is not None and (kind.by_a_tool or root.is_dir()):
                return kind.name
    return ""
