"""Any table with a row for each model: Markdown, LaTeX, CSV, TSV, xlsx; benchmarks in columns, or task and score."""

from __future__ import annotations

from pathlib import Path

from planner.base.errors import RunsError
from planner.runs.benchmarks import is_average, is_benchmark
from planner.runs.clean import as_float, number_text, plain_name
from planner.runs.full_marks import fractions
from planner.runs.headers import SYNONYMS, header_of
from planner.runs.importers import sheet_of
from planner.runs.layout import RawTable, drop_averages, drop_relative
from planner.runs.results.format import ResultFile, ResultFormat
from planner.runs.results.reading import Reading

_MODELS = ("model", "model_name", "name", "run", "checkpoint", "llm", "method", "system")
_SUFFIXES = (".csv", ".tsv", ".md", ".tex", ".xlsx")


class AnyTable(ResultFormat):
    """A table of models and tasks."""

    name = "table"
    takes = "a table of models and tasks"
    by_a_tool = False

    def accepts(self, file: ResultFile) -> bool:
        if file.path.suffix.lower() not in _SUFFIXES:
            return False
        try:
            keys = [header_of(name).key for name in sheet_of(Path(file.path)).columns]
        except RunsError:
            return False
        long = any(key in SYNONYMS["task"] for key in keys) and any(key in SYNONYMS["score"] for key in keys)
        return long or any(map(is_benchmark, keys))

    def read(self, file: ResultFile) -> list[Reading]:
        sheet = sheet_of(Path(file.path))
        keys = {name: header_of(name).key for name in sheet.columns}
        label = next((name for one in _MODELS for name, key in keys.items() if key == one), next(iter(sheet.columns)))
        table = RawTable(
            {
                name: [plain_name(cell) if name == label else cell for cell in cells]
                for name, cells in sheet.columns.items()
            },
            list(sheet.rows),
        )
        drop_averages(table, label)
        tasks = [name for name, key in keys.items() if is_benchmark(key) and not is_average(name) and name != label]
        if not tasks:
            return self._long(table, keys, label, file)
        drop_relative(table, tasks)
        others = [name for name in table.columns if name not in (label, *tasks)]
        readings = []
        for task in tasks:
            cells = [number_text(cell, sheet.decimal_comma) for cell in table.columns[task]]
            mark, note = _mark(cells, task, header_of(task).unit, file.shown)
            for i, cell in enumerate(cells):
                number = as_float(cell)
                if number is None or table.columns[label][i] is None:
                    continue
                texts = ",".join(f"{name}={table.columns[name][i]}" for name in others if table.columns[name][i])
                readings.append(
                    Reading(
                        model=str(table.columns[label][i]),
                        task=task,
                        values={task: number},
                        file=f"{file.shown}, {table.rows[i]}",
                        names=(texts, file.shown),
                        full_mark=mark,
                        note=note,
                    )
                )
        return readings

    def _long(self, table: RawTable, keys: dict[str, str], label: str, file: ResultFile) -> list[Reading]:
        """Rows of model, task and score."""
        task = next((name for name, key in keys.items() if key in SYNONYMS["task"]), None)
        score = next((name for name, key in keys.items() if key in SYNONYMS["score"]), None)
        if task is None or score is None:
            raise RunsError(f"{file.shown}: no column is a benchmark's; expected tasks in columns, or task and score")
        cells = [number_text(cell) for cell in table.columns[score]]
        readings = []
        for one in dict.fromkeys(table.columns[task]):
            where = [i for i, name in enumerate(table.columns[task]) if name == one]
            mark, note = _mark([cells[i] for i in where], str(one), header_of(score).unit, file.shown)
            for i in where:
                number = as_float(cells[i])
                if number is not None and table.columns[label][i] is not None:
                    place = f"{file.shown}, {table.rows[i]}"
                    model = str(table.columns[label][i])
                    readings.append(
                        Reading(
                            model=model, task=str(one), values={score: number}, file=place, full_mark=mark, note=note
                        )
                    )
        return readings


def _mark(cells: list[object], task: str, unit: str, origin: str) -> tuple[float | None, str]:
    """Full mark of a column and how it was found; None where it has to be named."""
    try:
        read = fractions(cells, "score", task, unit, {}, origin)
    except RunsError:
        return None, ""
    known = [number for cell in cells if (number := as_float(cell)) is not None]
    if read.full_mark == 1.0 and any(number > 1 for number in known):
        return None, ""
    return read.full_mark, read.note
