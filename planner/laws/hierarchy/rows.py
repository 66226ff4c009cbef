"""The evidence base: published measurements of many studies, tasks, models and compressors, one row per cell.

They ship as `fitted_laws/evidence/rows.csv`, made from copies of the printed tables; `tables.csv` beside it names
each table's source, `tasks.csv` each task's class.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]
Labels = NDArray[np.str_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class EvidenceRows:
    """Measured cells as columns of one length R."""

    study: Labels
    """Who trained and evaluated, on what data: "PaliGemma 2", "LLaVA-1.5"."""
    table: Labels
    """The printed table: "2412.03555 Table 13"."""
    task: Labels
    """"DocVQA"; splits of one benchmark are one task."""
    task_class: Labels
    """"text", "general", "knowledge" or "localisation"."""
    llm: Labels
    """The language model: "Gemma2-2B"."""
    family: Labels
    """Its family: "Gemma 2"."""
    recipe: Labels
    """What sets a training apart within its study (data, resolution); "" where the study has one recipe."""
    checkpoint: Labels
    """Study, tower, language model and recipe: the cells of one differ in tokens, compressor and task only."""
    compressor: Labels
    """"none", "resize", "tokenpacker"..."""
    population: Labels
    """"trained": a compressor trained with the model; "pruning": of a model that was trained with all tokens; "resize":
    smaller images for one model that takes many sizes, side by side; "released": a model that was published to be
    used, with images as its processor makes them; "none": the tokens that the tower gives."""
    llm_params: FloatArray
    """Nominal size of the language model in parameters."""
    visual_tokens: FloatArray
    """Per image."""
    error: FloatArray
    """1 - score, between 0 and 1."""
    error_se: FloatArray
    """Its standard error; nan where none is published."""
    source: Labels
    """The table's full name and the place within it."""
    checked: Mask
    """Whether the cell was compared with a published copy of its table."""

    def __len__(self) -> int:
        return len(self.error)

    def __repr__(self) -> str:
        return f"EvidenceRows({len(self)} rows of {len(set(self.study.tolist()))} studies)"

    def where(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> EvidenceRows:
        """The rows that a mask of shape (R,) keeps, or those at positions."""
        return EvidenceRows(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


@dataclass(frozen=True)
class Table:
    """A printed table."""

    table: str
    source: str
    """Paper or repository, and place."""
    url: str
    note: str
    """What to know of its numbers."""


@cache
def shipped_rows() -> EvidenceRows:
    """The rows that ship with the package."""
    names, *rows = csv.reader(_lines("rows.csv"))
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    texts = {name: columns[name] for name in ("study", "table", "task", "llm", "family", "recipe", "compressor")}
    numbers = {name: columns[name] for name in ("llm_params", "visual_tokens", "error", "error_se")}
    classes = task_classes()
    return EvidenceRows(
        **{name: np.array(column) for name, column in texts.items()},
        **{name: np.array([float(text or "nan") for text in column]) for name, column in numbers.items()},
        task_class=np.array([classes[task] for task in columns["task"]]),
        checkpoint=_joined(" / ", columns["study"], columns["tower"], columns["llm"], columns["recipe"]),
        population=np.array(columns["population"]),
        source=_joined(", ", _sources(columns["table"]), columns["where"]),
        checked=np.array([text == "1" for text in columns["checked"]]),
    )


@cache
def shipped_tables() -> Mapping[str, Table]:
    """The printed tables behind the rows, by short name."""
    return {row["table"]: Table(**row) for row in csv.DictReader(_lines("tables.csv"))}


@cache
def task_rows() -> tuple[Mapping[str, str], ...]:
    """The rows of tasks.csv."""
    return tuple(csv.DictReader(_lines("tasks.csv")))


@cache
def task_classes() -> Mapping[str, str]:
    """The class of every task of the shipped rows."""
    return {row["task"]: row["class"] for row in task_rows()}


@cache
def task_images() -> Mapping[str, str]:
    """The typical image of each task whose images have one, "1700x2200"."""
    return {row["task"]: row["image"] for row in task_rows() if row["image"]}


def _lines(name: str) -> Iterator[str]:
    text = (resources.files("fitted_laws") / "evidence" / name).read_text("utf-8")
    return iter(text.splitlines())


def _sources(tables: list[str]) -> list[str]:
    known = shipped_tables()
    return [known[table].source for table in tables]


def _joined(between: str, *columns: list[str]) -> Labels:
    """Texts of several columns, row by row, without those that are empty."""
    rows = list(zip(*columns, strict=True))
    known = {row: between.join(filter(None, row)) for row in set(rows)}
    return np.array([known[row] for row in rows])
