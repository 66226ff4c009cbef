"""Published scores of released models: wide tables of published/released/, one model a row, one task a column.

Scores are percent, those of OCRBench of 1,000. What a model is comes from evidence/checkpoints.csv. How many visual
tokens an image became is nowhere in print: it is what the model's own rule makes of an image of the task's typical size
(the column `image` of tasks.csv), at the setting that the table was measured with, by default the published one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from planner.laws.hierarchy.rows import task_images
from planner.parts.released import Checkpoint, find_checkpoint

FOLDER = Path(__file__).parent / "evidence"
ABOUT = ("model", "where", "checked")
"""Columns that are no task."""
FULL_MARK = {"OCRBench": 1000.0}
"""Of scores that are not percent."""
SETTINGS: Mapping[str, Mapping[str, object]] = {"gemma3_report": {"do_pan_and_scan": True}}
"""Knobs as a table was measured, where they are not the published ones, by file."""


@dataclass(frozen=True)
class Printed:
    """One printed score."""

    known: Mapping[str, str]
    """Its row of checkpoints.csv."""
    task: str
    score: float
    """Between 0 and 1."""
    visual_tokens: int
    where: str
    checked: str


def printed_scores(file: str) -> Iterator[Printed]:
    """The scores of one file, row by row."""
    with (FOLDER / "published" / "released" / f"{file}.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for task, text in row.items():
                if task in ABOUT or not text:
                    continue
                yield Printed(
                    known=_checkpoints()[row["model"]],
                    task=task,
                    score=float(text) / FULL_MARK.get(task, 100.0),
                    visual_tokens=tokens_of(row["model"], task, file),
                    where=row["where"],
                    checked=row["checked"],
                )


@cache
def tokens_of(model: str, task: str, file: str = "") -> int:
    """Visual tokens that a model makes of an image of a task's typical size, as a table was measured."""
    width, height = map(int, task_images()[task].split("x"))
    return _as_measured(model, file).rule.visual_tokens(width, height)


def _as_measured(model: str, file: str) -> Checkpoint:
    found = find_checkpoint(model)
    return replace(found, rule=found.rule.turned(SETTINGS.get(file, {})))


@cache
def _checkpoints() -> dict[str, dict[str, str]]:
    with (FOLDER / "checkpoints.csv").open(encoding="utf-8", newline="") as lines:
        return {row["model"]: row for row in csv.DictReader(lines)}
