"""VLMEvalKit: `<work dir>/<model>/.../<model>_<DATASET>[_<judge>]_{acc,score}.{csv,json,xlsx}`.

Read from its `vlmeval/smp/file.py` (names of files), `vlmeval/dataset` (what `evaluate` of each kind of dataset writes)
and `vlmeval/smp/status_report.py` (the status.json of a run): "Overall" is a fraction for multiple choice, a percentage
for VQA, and the F1 of POPE as a percentage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from planner.base.errors import RunsError
from planner.runs.results.format import ResultFile, ResultFormat, number_of
from planner.runs.results.reading import Reading
from planner.runs.results.scales import Rule

_ENDS = re.compile(r"(?i)^(?P<head>.+?)_(?:acc|score)$")
_JUDGE = re.compile(
    r"(?i)_(?:chatgpt|gpt|openai|exact_matching|qwen|deepseek|claude|gemini|llama|verifier|rule)[\w.\-]*$"
)
_RUN = re.compile(r"T(\d{8})(?:[-_](\w+))?")
_VQA = "(OCRVQA|TextVQA|DocVQA|InfoVQA|ChartQA|GQA|VizWiz)"
_MCQ = (
    "(MMBench|MMStar|SEEDBench|AI2D|ScienceQA|MMMU|RealWorldQA|CCBench|BLINK|MMT-Bench|AesBench|Q-Bench|A-Bench|R-Bench"
    "|VStarBench|MMCR|3DSRBench|TaskMeAnything|WorldMedQA|VisOnlyQA|MicroVQA|CV-Bench|MME-RealWorld|HRBench|MMSIBench)"
)

RULES = (
    Rule("MME", ("perception+reasoning",), {"perception": 2000.0, "reasoning": 800.0}),
    Rule("POPE.*", ("acc", "Overall", "precision", "recall"), full_mark=100.0),
    Rule("HallusionBench.*", ("aAcc", "fAcc", "qAcc"), full_mark=100.0),
    Rule("OCRBench(_MINI)?", ("Final Score", "Final Score Norm"), {"Final Score": 1000.0, "Final Score Norm": 100.0}),
    Rule("AMBER", ("Avg ACC",), full_mark=100.0),
    Rule("(MathVista|MMVet|MathVerse|MathVision|LogicVista).*", ("acc",), full_mark=100.0),
    Rule(f"{_VQA}.*", ("Overall",), full_mark=100.0),
    Rule(f"{_MCQ}.*", ("Overall",), full_mark=1.0),
)
STATUS, DONE = "status.json", "done"
_REASON_MAX = 80  # characters of an error that are shown
OVERALL = ("overall", "none", "all")
"""Rows that stand for a whole dataset."""


class VlmEvalKit(ResultFormat):
    """A score file of VLMEvalKit."""

    name = "vlmevalkit"
    takes = "<model>_<DATASET>_acc or _score .csv, .json or .xlsx of VLMEvalKit"
    rules = RULES

    def accepts(self, file: ResultFile) -> bool:
        if file.path.name == STATUS:
            return _datasets(file) is not None
        found = _ENDS.match(file.path.stem)
        if file.path.suffix.lower() not in (".csv", ".json", ".xlsx") or found is None:
            return False
        try:
            return bool(_split(found["head"], file))
        except RunsError:
            return False

    def read(self, file: ResultFile) -> list[Reading]:
        if file.path.name == STATUS:
            return _unfinished(file)
        found = _ENDS.match(file.path.stem)
        if found is None:
            raise RunsError(f"{file.shown}: expected a name such as model_DATASET_acc.csv, as VLMEvalKit writes it")
        model, dataset = _split(found["head"], file)
        times = [time for folder in file.folders if (time := _RUN.fullmatch(folder))]
        when = (
            f"{times[0][1]}-{times[0][2] or ''}"
            if times and (times[0][2] or "").isdigit()
            else (times[0][1] if times else "")
        )
        return [
            Reading(model=model, task=task, values=values, file=file.shown, names=(file.shown,), when=when)
            for task, values in _tasks(dataset, _table(file))
        ]


def _datasets(file: ResultFile) -> dict[str, Any] | None:
    """What a status.json says of each dataset; None for another file of that name."""
    content = file.json()
    found = content.get("datasets") if isinstance(content, dict) and "schema_version" in content else None
    return found if isinstance(found, dict) else None


def _unfinished(file: ResultFile) -> list[Reading]:
    """The evaluations of a run that did not end; the numbers of those that did stand in files of their own."""
    said, entries = file.json(), _datasets(file) or {}
    model = str(said.get("model_name") or (file.folders[1] if len(file.folders) > 1 else ""))
    found = []
    for dataset, entry in entries.items():
        if not isinstance(entry, dict) or entry.get("status") == DONE:
            continue
        why = entry.get("error_message") or entry.get("skip_reason") or f"ended in {entry.get('status') or 'no step'}"
        stopped = " ".join(str(why).split())[:_REASON_MAX]
        found.append(Reading(model=model, task=str(dataset), values={}, file=file.shown, unfinished=stopped))
    return found


def _split(head: str, file: ResultFile) -> tuple[str, str]:
    """Model and dataset: the model is the folder whose name the file's begins with, the judge is left out."""
    for folder in file.folders:
        if head.startswith(f"{folder}_"):
            return folder, _JUDGE.sub("", head[len(folder) + 1 :])
    rest = _JUDGE.sub("", head)
    for pattern in (rule.tasks for rule in RULES):
        found = re.search(rf"_({pattern})$", rest, re.IGNORECASE)
        if found:
            return rest[: found.start()], found[1]
    raise RunsError(
        f"{file.shown}: where the model's name ends and the dataset's begins is not clear; keep the folder <model>/ of "
        "VLMEvalKit around it"
    )


def _table(file: ResultFile) -> list[dict[str, Any]]:
    """The rows of a score file."""
    if file.path.suffix.lower() == ".json":
        content = file.json()
        if isinstance(content, dict):
            if set(content) == {"columns", "data"}:
                return [dict(zip(content["columns"], row, strict=False)) for row in content["data"]]
            return [content]
        if isinstance(content, list) and all(isinstance(row, dict) for row in content):
            return content
        raise RunsError(f"{file.shown}: expected the scores of VLMEvalKit, an object or a list of rows")
    from planner.runs.importers import sheet_of

    sheet = sheet_of(file.path)
    names = list(sheet.columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*sheet.columns.values(), strict=True)]


def _tasks(dataset: str, rows: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, float]]]:
    """Task and metrics of each row that stands for the whole dataset, or for a split of it."""
    if not rows:
        return []
    label = next(iter(rows[0]))
    if _number(rows[0][label]) is not None:  # no column names the rows: each row is the whole
        return [(dataset, _numbers(row)) for row in rows[:1]]
    whole = [row for row in rows if str(row[label] or "").lower() in OVERALL]
    if whole or len(rows) == 1:
        return [(dataset, _numbers((whole or rows)[0]))]
    if label.lower() == "split":
        return [(f"{dataset}[{row[label]}]", _numbers(row)) for row in rows]
    return []


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    return {key: number for key, value in row.items() if (number := _number(value)) is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return number_of(float(value))
        except ValueError:
            return None
    return number_of(value)
