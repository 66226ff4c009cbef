"""Weights & Biases: the table of runs as CSV (Name, State, ..., gqa/exact_match), or a chart's (Step, "run - metric").

A chart's first column is whatever its axis shows; each curve has a column and two more, __MIN and __MAX, of the points
that were drawn as one. Runs that are grouped have the group in the place of the run: "llm: A - metric".
lmms-eval logs task/metric, so its scales hold; a column of another name needs its full mark.
"""

from __future__ import annotations

import csv
import io

from planner.base.errors import RunsError
from planner.runs.benchmarks import is_benchmark
from planner.runs.clean import as_float
from planner.runs.headers import header_of
from planner.runs.results.format import ResultFile, ResultFormat
from planner.runs.results.formats.lmms_eval import RULES
from planner.runs.results.reading import Reading

_RUN_COLUMNS = frozenset(("Agent", "State", "Created", "Runtime", "ID", "Tags", "User", "Notes", "Sweep", "Hostname"))
_STEPS = ("Step", "global_step", "trainer/global_step", "epoch")
_ENDS = ("__MIN", "__MAX")
_DONE = frozenset(("", "finished"))


class Wandb(ResultFormat):
    """A CSV file exported from Weights & Biases."""

    name = "wandb"
    takes = "CSV of the runs table, or of a chart, of Weights & Biases"
    rules = RULES

    def accepts(self, file: ResultFile) -> bool:
        header = first_cells(file)
        of_runs = "Name" in header and bool(_RUN_COLUMNS & set(header) or any("/" in name for name in header))
        curves = [name for name in header[1:] if " - " in name]
        ranged = any({f"{name}{end}" for end in _ENDS} <= set(header) for name in curves)
        return of_runs or ranged or (bool(curves) and header[0] in _STEPS)

    def read(self, file: ResultFile) -> list[Reading]:
        rows = list(csv.DictReader(io.StringIO(file.text(), newline="")))
        return _of_runs(rows, file) if rows and "Name" in rows[0] else _of_chart(rows, file)


def first_cells(file: ResultFile) -> list[str]:
    """The header of a CSV file, [] of another."""
    if file.path.suffix.lower() != ".csv":
        return []
    try:
        return next(csv.reader(io.StringIO(file.text(), newline="")), [])
    except (RunsError, csv.Error):  # whoever reads it as a table says what is wrong with it
        return []


def task_of(column: str) -> tuple[str, str] | None:
    """Task and metric of a logged name: "eval/gqa/exact_match", or the bare name of a benchmark."""
    task, slash, metric = column.removeprefix("eval/").removeprefix("val/").rpartition("/")
    if slash and task not in ("train", "eval", "val", "system", "perf", "optim") and "_stderr" not in metric:
        return task, metric
    return (metric, metric) if is_benchmark(header_of(metric).key) else None


def _of_runs(rows: list[dict[str, str]], file: ResultFile) -> list[Reading]:
    readings = []
    for row in rows:
        values: dict[str, dict[str, float]] = {}
        for column, cell in row.items():
            found = task_of(column) if column else None
            number = as_float(cell) if isinstance(cell, str) and cell else None
            if found and number is not None:
                values.setdefault(found[0], {})[found[1]] = number
        texts = ",".join(f"{name}={cell}" for name, cell in row.items() if name and cell and as_float(cell) is None)
        numbers = ",".join(
            f"{name}={cell}" for name, cell in row.items() if name and cell and as_float(cell) is not None
        )
        state = (row.get("State") or "").lower()
        readings += [
            Reading(
                model=row["Name"],
                task=task,
                values=metrics,
                file=f"{file.shown}, run {row['Name']}",
                names=(f"{texts},{numbers}",),
                when=row.get("Created") or "",
                limited="" if state in _DONE else f"its state is {state}",
            )
            for task, metrics in values.items()
        ]
    return readings


def _of_chart(rows: list[dict[str, str]], file: ResultFile) -> list[Reading]:
    """The last value of each curve."""
    last: dict[str, float] = {}
    for row in rows:
        for column, cell in row.items():
            if column and " - " in column and not column.endswith(_ENDS) and as_float(cell or None) is not None:
                last[column] = float(cell)
    values: dict[tuple[str, str], dict[str, float]] = {}
    for column, number in last.items():
        model, _, name = column.partition(" - ")
        found = task_of(name)
        if found:
            values.setdefault((model, found[0]), {})[found[1]] = number
    return [
        Reading(model=model, task=task, values=metrics, file=f"{file.shown}, {model}")
        for (model, task), metrics in values.items()
    ]
