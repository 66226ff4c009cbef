"""A table of raw cells -> Runs; a bad table gets one sentence that names row and column."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import RunsError, UnknownNameError, nearest_name
from planner.base.quantities import format_params, shown
from planner.runs.cells import (
    check_fraction,
    check_loss,
    check_not_negative,
    check_params,
    check_positive,
    check_visual_tokens,
    number,
    number_hint,
    params,
)
from planner.runs.full_marks import MARKS
from planner.runs.headers import loss_header
from planner.runs.importers import Sheet, sheet_of
from planner.runs.layout import arranged
from planner.runs.table import COLUMNS, ERROR, KINDS, LOSS, OPTIONAL_TEXTS, REQUIRED, Runs

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_SIZE = re.compile(r"(?<![A-Za-z0-9.,])(\d+(?:[.,]\d+)?)([BMbm])(?![A-Za-z0-9])")  # a size in a model's name
_TOWER_MIN, _TOWER_SHARE, _TOWER_ALIKE = 1e8, 0.05, 0.7  # parameters, share of the name's size, smallest of the largest
_SHOWN_MAX = 8  # wrong cells that a message lists
_CELL = ("llm", "visual_tokens", "task", "compressor", "text_tokens", "seed")  # what makes two rows the same run


def read_runs(
    table: str | os.PathLike[str] | pd.DataFrame | Runs,
    *,
    map: Mapping[str, str] | None = None,
    scale: float | str | Mapping[str, float | str] | None = None,
    kind: str | None = None,
) -> Runs:
    """Read and check measured runs from a file, a DataFrame, or what a registered importer takes.

    Headers that are usual elsewhere are read too, as are wide tables and percentages; `Runs.remarks` says how.

    Args:
        table: the path of a CSV file in UTF-8, or of another table; a DataFrame; runs that were read already.
        map: header by column, where it does not say itself: {"visual_tokens": "budget"}. The cells of a wide table are
            called "values".
        scale: full mark of the scores: 100, "percent", "mme"; or by task: {"mme": 2800}.
        kind: "error", fractions from 0 to 1; "loss", of any size, without a score; by default a loss where a header
            says so, as val_loss does, else an error.

    Raises:
        RunsError: one sentence with the row and the column that cannot be used, and what to do.
    """
    if isinstance(table, Runs):
        if kind not in (None, table.kind):
            raise RunsError(f"kind: {shown(kind)} was asked for, these runs were read as of kind {table.kind!r}")
        return table
    return read_sheet(sheet_of(table), map, full_marks(scale), kind)


def validate(table: str | os.PathLike[str] | pd.DataFrame | Runs) -> tuple[str, ...]:
    """Check a table and return remarks about what was left out or merged; an empty tuple means all was taken.

    Raises:
        RunsError: as `read_runs`.
    """
    return read_runs(table).remarks


def read_sheet(
    sheet: Sheet,
    map: Mapping[str, str] | None = None,
    scale: Mapping[str, float] | None = None,
    kind: str | None = None,
) -> Runs:
    """Build `Runs` from raw cells, or say in one sentence which cells are wrong."""
    kind = _kind(sheet, kind, scale)
    sheet, arrangements = arranged(sheet, map, scale, kind)
    columns, origin = sheet.columns, sheet.origin

    def row_name(i: int) -> str:
        return sheet.rows[i]

    _check_header(columns, origin, kind)
    count = len(columns["llm"])
    if count == 0:
        raise RunsError(f"{origin} has a header but no runs; expected one line per run")
    unused = [name for name in columns if name not in COLUMNS]
    remarks = [*arrangements, *([f"columns not used: {', '.join(unused)}"] if unused else [])]

    def cell_error(i: int, column: str, problem: str) -> RunsError:
        return RunsError(f"{origin}, {row_name(i)}, column {column}: {problem}", row=row_name(i), column=column)

    problems: list[RunsError] = []

    def numbers(column: str, check: Callable[[float], str | None], convert: Callable[[Any], float]) -> FloatArray:
        out = np.empty(count)
        for i, cell in enumerate(columns[column]):
            problem, out[i] = "", math.nan
            if cell is None:
                problem = "the cell is empty; fill it or remove the row"
            else:
                try:
                    out[i] = convert(cell)
                    finite = math.isfinite(out[i])
                    wrong = check(float(out[i])) if finite else "is not finite; fill in the number or remove the row"
                    problem = f"{shown(cell)} {wrong}" if wrong else ""
                except (TypeError, ValueError):
                    problem = f"{shown(cell)} is not a number{number_hint(column, cell)}"
            if problem:
                problems.append(cell_error(i, column, problem))
        return out

    def texts(column: str) -> tuple[str, ...]:
        return tuple("" if cell is None else str(cell) for cell in columns[column])

    llm = texts("llm")
    for i, name in enumerate(llm):
        if not name:
            problems.append(cell_error(i, "llm", "the cell is empty; name the language model"))
    metric = "error" if "error" in columns else "score"
    value = numbers(metric, check_loss if kind == LOSS else check_fraction(metric), number)
    runs = Runs(
        llm=llm,
        llm_params=numbers("llm_params", check_params, params),
        visual_tokens=numbers("visual_tokens", check_visual_tokens, number),
        error=value if metric == "error" else 1.0 - value,
        error_se=numbers("error_se", check_positive, number) if "error_se" in columns else None,
        samples=numbers("samples", check_positive, number) if "samples" in columns else None,
        text_tokens=numbers("text_tokens", check_not_negative, number) if "text_tokens" in columns else None,
        **{name: texts(name) for name in OPTIONAL_TEXTS if name in columns},
        kind=kind,
    )
    if problems:
        raise _all(problems, origin)
    _check_sizes_agree(runs, cell_error)
    remarks += _sizes_unlike_names(runs)
    keep = _check_duplicates(runs, cell_error, row_name)
    if len(keep) < count:
        dropped = count - len(keep)
        rows, end = ("row repeats", "counts") if dropped == 1 else ("rows repeat", "count")
        remarks.append(f"{dropped} {rows} another one exactly and {end} once")
        runs = runs.take(keep)
    return replace(runs, remarks=tuple(remarks))


def full_marks(scale: float | str | Mapping[str, float | str] | None) -> dict[str, float]:
    """Full marks by task, "" for all. Raises RunsError for what is no mark."""
    if scale is None:
        return {}
    found: dict[str, float] = {}
    for task, mark in (scale if isinstance(scale, Mapping) else {"": scale}).items():
        try:
            value = MARKS[mark.lower()] if isinstance(mark, str) and mark.lower() in MARKS else float(mark)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 < value < math.inf:
            raise RunsError(f"scale: expected a full mark such as 100 or one of {', '.join(MARKS)}, got {shown(mark)}")
        found[task] = value
    return found


def _all(problems: list[RunsError], origin: str) -> RunsError:
    """One error for all cells that are wrong; the first is told in full."""
    first = problems[0]
    if len(problems) == 1:
        return first
    others = [str(problem).removeprefix(f"{origin}, ").partition(";")[0] for problem in problems[1:_SHOWN_MAX]]
    more = f" and {len(problems) - _SHOWN_MAX} more" if len(problems) > _SHOWN_MAX else ""
    return RunsError(f"{first}; also: {'; '.join(others)}{more}", row=first.row, column=first.column)


def _kind(sheet: Sheet, kind: str | None, scale: Mapping[str, float] | None) -> str:
    """What the table holds, as it is said or as a header says it. Raises UnknownNameError, RunsError."""
    if kind not in (None, *KINDS):
        raise UnknownNameError("kind of measurement", kind, KINDS)
    if kind is None:
        ours = {"error", "score"} & set(sheet.columns)
        kind = LOSS if not ours and loss_header(list(sheet.columns)) is not None else ERROR
    if kind == LOSS and scale:
        raise RunsError(f"{sheet.origin}: scale= names a full mark, and a loss has none; leave it out", column="error")
    return kind


def _check_header(columns: Mapping[str, list[Any]], origin: str, kind: str) -> None:
    for name in REQUIRED:
        if name not in columns:
            near = nearest_name(name, [column for column in columns if column and column not in COLUMNS])
            hint = f"; rename {shown(near)} if that is it" if near else ""
            if len(columns) == 1 and any(mark in next(iter(columns)) for mark in ";\t"):
                hint = "; separate the columns by commas"
            raise RunsError(
                f"{origin}: the column {name!r} is missing{hint} (columns: {_listed(columns)})", column=name
            )
    both = [name for name in ("error", "score") if name in columns]
    if len(both) == 2:
        raise RunsError(f"{origin}: has both 'error' and 'score'; keep one (score = 1 - error)", column="error")
    if kind == LOSS and both != ["error"]:
        raise RunsError(
            f"{origin}: a column 'loss' or 'error' is needed for losses (columns: {_listed(columns)})", column="error"
        )
    if not both:
        raise RunsError(
            f"{origin}: a column 'error' or 'score' is needed, a fraction from 0 to 1 (columns: {_listed(columns)})",
            column="error",
        )


def _listed(columns: Mapping[str, list[Any]]) -> str:
    names = [shown(name)[1:-1] for name in columns]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _check_sizes_agree(runs: Runs, cell_error: Callable[[int, str, str], RunsError]) -> None:
    """One LLM has one size."""
    first: dict[str, int] = {}
    for i, name in enumerate(runs.llm):
        j = first.setdefault(name, i)
        if runs.llm_params[i] != runs.llm_params[j]:
            one, other = format_params(runs.llm_params[j]), format_params(runs.llm_params[i])
            if one == other:
                one, other = f"{runs.llm_params[j]:.15g}", f"{runs.llm_params[i]:.15g}"
            raise cell_error(
                i, "llm_params", f"{shown(name)} has {other} parameters here but {one} before; use one size"
            )


def _sizes_unlike_names(runs: Runs) -> list[str]:
    """Remarks on language models whose size is far from the one in their name."""
    remarks, more = [], []
    for name, size in dict(zip(runs.llm, runs.llm_params.tolist(), strict=True)).items():
        found = _SIZE.findall(name)
        named = [float(digits.replace(",", ".")) * {"b": 1e9, "m": 1e6}[unit.lower()] for digits, unit in found]
        more += [(size - named[0], named[0])] if len(named) == 1 else []
        if named and not any(0.5 < size / other < 2.0 for other in named if other > 0):
            given, says = format_params(size), format_params(named[0])
            remarks.append(f"{shown(name)} is given {given} parameters, its name says {says}")
    over = [extra for extra, _ in more]
    alike = len(over) > 1 and min(over) >= max(_TOWER_MIN, _TOWER_ALIKE * max(over))
    if alike and any(extra >= _TOWER_SHARE * size for extra, size in more):
        by = " to ".join(dict.fromkeys(f"{extra / 1e9:.2g}B" for extra in (min(over), max(over))))
        remarks.append(
            f"sizes lie above those in the names by {by} throughout, as a vision tower would add: llm_params counts "
            "the language model alone"
        )
    return remarks


def _check_duplicates(
    runs: Runs, cell_error: Callable[[int, str, str], RunsError], row_name: Callable[[int], str]
) -> list[int]:
    """Positions to keep: a row that repeats another exactly is dropped, one that contradicts another is an error."""
    first: dict[tuple[Any, ...], int] = {}
    keep: list[int] = []
    for i in range(len(runs)):
        cell = tuple(None if getattr(runs, name) is None else getattr(runs, name)[i] for name in _CELL)
        j = first.setdefault(cell, i)
        if i == j:
            keep.append(i)
        for name in ("error", "error_se", "samples"):
            column = getattr(runs, name)
            if column is not None and column[i] != column[j]:
                raise cell_error(
                    i,
                    name,
                    f"contradicts {row_name(j)}, the same run with another {'result' if name == 'error' else name} "
                    f"({column[i]:.4g} against {column[j]:.4g}{' error' if name == 'error' else ''}); remove one, or "
                    "tell repetitions apart with a column 'seed'",
                )
    return keep
