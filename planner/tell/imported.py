"""The story of imported results: what the runs hold, what was left out, and where every number stands."""

from __future__ import annotations

from collections.abc import Iterator

from planner.runs.results import Imported
from planner.tell import values as v
from planner.tell.document import Block, Bullets, Document, Line, Paragraph, Table, foreign, joined, line, remarks

_TASKS_MAX = 8  # names of tasks that a sentence lists


def imported_story(found: Imported, report: bool = False) -> Document:
    """Imported results as a document.

    Args:
        found: the import.
        report: whether to show each number with its metric, full mark and file, too.
    """
    tables: list[Block] = [_runs(found)]
    if report:
        tables += [_matrix(found), *_coverage(found)]
    return Document(
        kind="imported",
        title="Imported results",
        heading=line(
            v.count(len(found.cells), "cells"),
            " cell" if len(found.cells) == 1 else " cells",
            " of LLM and visual tokens, ",
            v.count(len(found.tasks), "tasks"),
            " task" if len(found.tasks) == 1 else " tasks",
        ),
        opening=(*_told(found), *remarks("note", found.runs.remarks), *tables),
        sections=(),
        opening_title="What was imported",
        sources={"imported": found.to_dict()},
    )


def _told(found: Imported) -> Iterator[Paragraph]:
    names = joined([foreign(task, "task") for task in found.tasks[:_TASKS_MAX]])
    more = len(found.tasks) - _TASKS_MAX
    rest = line(" and ", v.count(more, "further tasks"), " more") if more > 0 else line()
    if found.mean == "common" and len(found.tasks) > 1:
        yield Paragraph(line("an error is the mean over the tasks that every cell has: ", *names, *rest))
    elif len(found.tasks) > 1:
        yield Paragraph(line("one row per cell and task: ", *names, *rest, "; fit them with --by task"))
    else:
        yield Paragraph(line("the task is ", *names))


def _runs(found: Imported) -> Table:
    runs = found.runs
    many = found.mean != "common" and len(found.tasks) > 1
    with_compressor = runs.compressor is not None
    columns = ["LLM", "parameters", "visual tokens"]
    columns += (["compressor"] if with_compressor else []) + (["task"] if many else []) + ["score", "error"]
    rows = []
    for i in range(len(runs)):
        row: list[Line] = [
            (foreign(runs.llm[i], "LLM"),),
            (v.params(float(runs.llm_params[i]), "size of the LLM"),),
            (v.tokens(float(runs.visual_tokens[i]), "visual tokens per image"),),
        ]
        if runs.compressor is not None:
            row.append((foreign(runs.compressor[i], "compressor"),))
        if many and runs.task is not None:
            row.append((foreign(runs.task[i], "task"),))
        error = float(runs.error[i])
        rows.append((*row, (v.score(error, "score"),), (v.error(error, "error"),)))
    return Table(line("runs"), tuple(columns), tuple(rows), words=frozenset({"compressor", "task"}), names="LLM")


def _matrix(found: Imported) -> Table:
    """Cells by tasks: which numbers there are, used or not."""
    tasks = list(dict.fromkeys(value.task for value in found.values))
    at = {(value.cell, value.task): value for value in found.values}
    rows = []
    for cell in found.cells:
        row: list[Line] = [(foreign(cell.title, "cell"),)]
        for task in tasks:
            value = at.get((cell, task))
            row.append(line("-") if value is None else (v.significant(value.raw, f"raw value, {task}"),))
        rows.append(tuple(row))
    titles = tuple(foreign(task if task in found.tasks else f"({task})", "task") for task in tasks)
    return Table(
        line("coverage: raw values; tasks in brackets are left out, - is no result"), ("cell", *titles), tuple(rows)
    )


def _coverage(found: Imported) -> tuple[Table, Bullets]:
    """Every number, and the files under the table."""
    files = list(dict.fromkeys(value.file for value in found.values))
    rows = tuple(
        (
            (foreign(value.cell.title, "cell"),),
            (foreign(value.task, "task"),),
            (foreign(value.metric, "metric"),),
            (v.significant(value.raw, "raw value"),),
            (v.significant(value.full_mark, "full mark"),),
            (v.significant(value.score, "score"),),
            (v.count(files.index(value.file) + 1, "number of the file"),),
        )
        for value in found.values
    )
    table = Table(
        line("where every number stands"),
        ("cell", "task", "metric", "raw", "of", "score", "file"),
        rows,
        words=frozenset({"task", "metric"}),
        names="metric",
    )
    named = (
        line("file ", v.count(i + 1, "number of the file"), ": ", foreign(file, "file", 400))
        for i, file in enumerate(files)
    )
    return table, Bullets(tuple(named))
