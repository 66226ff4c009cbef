"""TensorBoard: the CSV of one curve, "Wall time,Step,Value", called `run-<run>-tag-<tag>.csv`; its last value.

So `plugins/scalar/scalars_plugin.py` writes it and `_csvName` of its data downloader names it.
"""

from __future__ import annotations

import csv
import io
import re

from planner.base.errors import RunsError
from planner.runs.clean import as_float
from planner.runs.results.format import ResultFile, ResultFormat
from planner.runs.results.formats.lmms_eval import RULES
from planner.runs.results.formats.wandb import first_cells
from planner.runs.results.reading import Reading

_NAME = re.compile(r"run-(?P<run>.+?)-tag-(?P<tag>.+)")
_METRICS = sorted({part for rule in RULES for one in rule.metrics for part in one.split("+")}, key=len, reverse=True)


class TensorBoard(ResultFormat):
    """A curve of TensorBoard."""

    name = "tensorboard"
    takes = "run-<run>-tag-<tag>.csv of TensorBoard"
    rules = RULES

    def accepts(self, file: ResultFile) -> bool:
        return [name.strip().lower() for name in first_cells(file)] == ["wall time", "step", "value"]

    def read(self, file: ResultFile) -> list[Reading]:
        found = _NAME.fullmatch(file.path.stem)
        model = found["run"] if found else (file.folders or (file.path.stem,))[0]
        tag = found["tag"] if found else file.path.stem
        rows = list(csv.reader(io.StringIO(file.text(), newline="")))[1:]
        points = [(as_float(row[1]), as_float(row[2]), row[0]) for row in rows if len(row) == 3]
        known = [(step, value, time) for step, value, time in points if step is not None and value is not None]
        if not known:
            raise RunsError(f"{file.shown} holds no point; expected Wall time, Step and Value")
        _, value, time = max(known, key=lambda point: point[0])
        task, metric = _split(tag)
        return [
            Reading(
                model=model, task=task, values={metric: value}, file=file.shown, names=(file.shown,), when=f"{time:>20}"
            )
        ]


def _split(tag: str) -> tuple[str, str]:
    """Task and metric of a tag, whose slashes became underscores in the file's name."""
    tag = re.sub(r"^(eval|val)[_/]", "", tag)
    for metric in _METRICS:
        if tag.endswith((f"_{metric}", f"/{metric}")) and len(tag) > len(metric) + 1:
            return tag[: -len(metric) - 1], metric
    return tag, tag
