"""What an import gives: runs that a law can be fitted to, and where every number of them stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from planner.base.dataclass import dataclass
from planner.runs.results.cells import Cell
from planner.runs.results.value import Value
from planner.runs.table import Runs
from planner.runs.write import write_runs


@dataclass(frozen=True, eq=False)
class Imported:
    """Evaluation results as measured runs."""

    runs: Runs
    """One row for each cell, or for each cell and task where `mean` is "by-task"."""
    mean: str
    """"common": an error is the mean over `tasks`; "by-task": tasks are kept apart."""
    tasks: tuple[str, ...]
    """Tasks that the runs hold."""
    cells: tuple[Cell, ...]
    """What was evaluated, by size and tokens."""
    values: tuple[Value, ...]
    """Every number that was found for a cell, used or not."""
    gaps: tuple[tuple[Cell, str], ...]
    """Cells without a task that other cells have."""
    notes: tuple[str, ...]
    """What was left out, taken twice or read in a way that could be meant otherwise, in sentences."""

    def used(self, value: Value) -> bool:
        """Whether a number is part of the runs."""
        return value.task in self.tasks

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the runs as CSV, as `write_runs`."""
        return write_runs(self.runs, path, overwrite=overwrite)

    def to_dict(self) -> dict[str, Any]:
        """Runs and coverage as plain data."""
        columns = {
            name: list(column) if isinstance(column, tuple) else column.tolist()
            for name, column in self.runs.columns().items()
        }
        return {
            "mean": self.mean,
            "tasks": list(self.tasks),
            "runs": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
            "coverage": [
                {
                    "llm": value.cell.llm,
                    "llm_params": value.cell.llm_params,
                    "visual_tokens": value.cell.visual_tokens,
                    "compressor": value.cell.compressor,
                    "seed": value.cell.seed,
                    "task": value.task,
                    "metric": value.metric,
                    "raw": value.raw,
                    "full_mark": value.full_mark,
                    "chance": value.chance,
                    "score": value.score,
                    "file": value.file,
                    "used": self.used(value),
                }
                for value in self.values
            ],
            "gaps": [
                {"llm": cell.llm, "visual_tokens": cell.visual_tokens, "compressor": cell.compressor, "task": task}
                for cell, task in self.gaps
            ],
            "notes": list(self.notes),
        }
