"""Measured runs: one row for each trained and evaluated (LLM, visual tokens) pair.

| column | must | what |
|---|---|---|
| llm | yes | name of the language model |
| llm_params | yes | its size in parameters, nominal: 7e9 or "7B" |
| visual_tokens | yes | visual tokens per image that enter the LLM, above 0 |
| error *or* score | yes | between 0 and 1; score = 1 - error |
| error_se | no | standard error of the error |
| samples | no | evaluated samples behind the error |
| text_tokens | no | text tokens of a prompt |
| task, compressor, source, note, seed | no | text; runs of one cell that differ in `seed` are repetitions |
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import QuantityError, RunsError, nearest_name
from planner.files import write_text
from planner.quantities import format_params, parse_params, shown

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

REQUIRED = ("llm", "llm_params", "visual_tokens")
OPTIONAL_NUMBERS = ("error_se", "samples", "text_tokens")
OPTIONAL_TEXTS = ("task", "compressor", "source", "note", "seed")
COLUMNS = (*REQUIRED, "error", "score", *OPTIONAL_NUMBERS, *OPTIONAL_TEXTS)
_CELL = ("llm", "visual_tokens", "task", "compressor", "text_tokens", "seed")  # what makes two rows the same run
_SMALLEST_LLM_PARAMS = 1e5  # below this a size was given in billions or millions


@dataclass(frozen=True, eq=False)
class Runs:
    """A checked table of measured runs; every array has one entry a run. Make it with `read_runs`."""

    llm: tuple[str, ...]
    """Name of the language model."""
    llm_params: FloatArray
    """Nominal size of the language model, in parameters."""
    visual_tokens: FloatArray
    """Visual tokens per image that enter the LLM."""
    error: FloatArray
    """Average downstream error, 0 to 1."""
    error_se: FloatArray | None = None
    """Standard error of `error`."""
    samples: FloatArray | None = None
    """Evaluated samples behind `error`."""
    text_tokens: FloatArray | None = None
    """Text tokens of a prompt."""
    task: tuple[str, ...] | None = None
    compressor: tuple[str, ...] | None = None
    source: tuple[str, ...] | None = None
    note: tuple[str, ...] | None = None
    seed: tuple[str, ...] | None = None
    remarks: tuple[str, ...] = ()
    """What reading the table left out or merged, in sentences."""

    def __len__(self) -> int:
        return len(self.llm)

    def sha256(self) -> str:
        """Fingerprint of everything that a fit reads, whatever the order of the rows."""
        columns = [self.llm, self.llm_params.tolist(), self.visual_tokens.tolist(), self.error.tolist()]
        columns += [[] if column is None else column.tolist() for column in (self.error_se, self.samples)]
        width = len(self)
        rows = sorted(repr(tuple(column[i] for column in columns if len(column) == width)) for i in range(width))
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def take(self, keep: Sequence[int] | NDArray[Any]) -> Runs:
        """The rows of the given positions, or those where a mask is true."""
        index = np.arange(len(self))[np.asarray(keep)]
        changes: dict[str, Any] = {}
        for name in COLUMNS:
            column = getattr(self, name, None)
            if isinstance(column, tuple):
                changes[name] = tuple(column[i] for i in index)
            elif column is not None:
                changes[name] = column[index]
        return replace(self, **changes)

    def select(self, *, task: str | None = None, compressor: str | None = None, llm: str | None = None) -> Runs:
        """The rows of one task, compressor or LLM.

        Raises:
            RunsError: no such rows; the text lists what there is.
        """
        chosen = self
        for column, wanted in (("task", task), ("compressor", compressor), ("llm", llm)):
            if wanted is None:
                continue
            values: tuple[str, ...] = getattr(chosen, column) or ()
            mask = [value.lower() == wanted.lower() for value in values]
            if not any(mask):
                there = ", ".join(dict.fromkeys(values)) or f"none: the table has no column {column}"
                raise RunsError(f"no run has {column} {shown(wanted)}; there are: {there}", column=column)
            chosen = chosen.take(np.array(mask))
        return chosen

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas DataFrame, in the columns that `read_runs` reads."""
        import pandas as pd

        return pd.DataFrame(self._columns())

    def _columns(self) -> dict[str, Any]:
        named = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name in COLUMNS)
        return {name: column for name, column in named if column is not None}


def read_runs(table: str | os.PathLike[str] | pd.DataFrame | Runs) -> Runs:
    """Read and check measured runs from a CSV file (UTF-8) or a DataFrame.

    Raises:
        RunsError: one sentence with the row and the column that cannot be used, and what to do.
    """
    if isinstance(table, Runs):
        return table
    if isinstance(table, (str, os.PathLike)):
        return _read_csv(Path(table))
    if not hasattr(table, "columns"):
        raise RunsError(f"runs: expected the path of a CSV file or a DataFrame, got {type(table).__name__}")
    frame = table.astype(object).where(table.notna(), None)
    labels = [str(label) for label in table.index]
    columns = {str(name): list(frame[name]) for name in frame.columns}
    return _checked(columns, "runs", lambda i: f"row {labels[i]}")


def write_runs(runs: Runs, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write runs as CSV, every number at full precision, so that reading gives the same runs again.

    Raises:
        OutputExistsError: the file exists and `overwrite` is false.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = runs._columns()
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_plain(value) for value in row])
    return write_text(path, text.getvalue(), overwrite=overwrite)


def validate(table: str | os.PathLike[str] | pd.DataFrame | Runs) -> tuple[str, ...]:
    """Check a table and return remarks about what was left out or merged; an empty tuple means all was taken.

    Raises:
        RunsError: as `read_runs`.
    """
    return read_runs(table).remarks


def _plain(value: Any) -> str:
    """A number as the shortest text that reads back the same; whole numbers without a point."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _read_csv(path: Path) -> Runs:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunsError(f"cannot read {path}: {error.strerror}; expected a CSV file of measured runs") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RunsError(
            f"{path.name}, line {line}: not UTF-8 text (byte 0x{data[error.start]:02x}); save the file as CSV in UTF-8",
            row=f"line {line}",
        ) from None
    if "\0" in text:
        raise RunsError(f"{path.name}: holds NUL bytes, so it is no text file; save it as CSV in UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise RunsError(f"{path.name}, line {reader.line_num}: not a CSV table ({error}); check the quotes") from None
    if not rows:
        raise RunsError(f"{path.name} is empty; expected a header line and one line a run")
    header = [name.strip() for name in rows[0][1]]
    twice = next((name for i, name in enumerate(header) if name and name in header[:i]), None)
    if twice is not None:
        raise RunsError(f"{path.name}: the column {shown(twice)} stands twice in the header; keep one", column=twice)
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise RunsError(
                f"{path.name}, line {line}: {len(cells)} cells where the header has {len(header)} columns; "
                "quote texts that hold a comma",
                row=f"line {line}",
            )
    columns = {name: [cells[i].strip() or None for _, cells in rows[1:]] for i, name in enumerate(header)}
    lines = [line for line, _ in rows[1:]]
    return _checked(columns, path.name, lambda i: f"line {lines[i]}")


def _checked(columns: Mapping[str, list[Any]], origin: str, row_name: Callable[[int], str]) -> Runs:
    """Build `Runs` from raw cells, or say in one sentence which cell is wrong."""
    _check_header(columns, origin)
    count = len(columns["llm"])
    if count == 0:
        raise RunsError(f"{origin} has a header but no runs; expected one line a run")
    unused = [name for name in columns if name not in COLUMNS]
    remarks = [f"columns not used: {', '.join(unused)}"] if unused else []

    def cell_error(i: int, column: str, problem: str) -> RunsError:
        return RunsError(f"{origin}, {row_name(i)}, column {column}: {problem}", row=row_name(i), column=column)

    def numbers(column: str, check: Callable[[float], str | None], convert: Callable[[Any], float]) -> FloatArray:
        out = np.empty(count)
        for i, cell in enumerate(columns[column]):
            if cell is None:
                raise cell_error(i, column, "the cell is empty; fill it or remove the row")
            try:
                out[i] = convert(cell)
            except (TypeError, ValueError):
                raise cell_error(i, column, f"{shown(cell)} is not a number") from None
            problem = "is not finite" if not math.isfinite(out[i]) else check(float(out[i]))
            if problem:
                raise cell_error(i, column, f"{shown(cell)} {problem}")
        return out

    def texts(column: str) -> tuple[str, ...]:
        return tuple("" if cell is None else str(cell) for cell in columns[column])

    llm = texts("llm")
    for i, name in enumerate(llm):
        if not name:
            raise cell_error(i, "llm", "the cell is empty; name the language model")
    metric = "error" if "error" in columns else "score"
    value = numbers(metric, _check_fraction(metric), float)
    runs = Runs(
        llm=llm,
        llm_params=numbers("llm_params", _check_params, _params),
        visual_tokens=numbers("visual_tokens", _check_visual_tokens, float),
        error=value if metric == "error" else 1.0 - value,
        error_se=numbers("error_se", _check_positive, float) if "error_se" in columns else None,
        samples=numbers("samples", _check_positive, float) if "samples" in columns else None,
        text_tokens=numbers("text_tokens", _check_not_negative, float) if "text_tokens" in columns else None,
        **{name: texts(name) for name in OPTIONAL_TEXTS if name in columns},
    )
    _check_sizes_agree(runs, cell_error)
    keep = _check_duplicates(runs, cell_error, row_name)
    if len(keep) < count:
        remarks.append(f"{count - len(keep)} rows repeat another one exactly and count once")
        runs = runs.take(keep)
    return replace(runs, remarks=tuple(remarks))


def _check_header(columns: Mapping[str, list[Any]], origin: str) -> None:
    for name in REQUIRED:
        if name not in columns:
            near = nearest_name(name, [column for column in columns if column and column not in COLUMNS])
            hint = f"; is {shown(near)} meant?" if near else ""
            raise RunsError(
                f"{origin}: the column {name!r} is missing{hint} (columns: {_listed(columns)})", column=name
            )
    both = [name for name in ("error", "score") if name in columns]
    if len(both) == 2:
        raise RunsError(f"{origin}: has both 'error' and 'score'; keep one (score = 1 - error)", column="error")
    if not both:
        raise RunsError(
            f"{origin}: a column 'error' or 'score' is needed, a fraction from 0 to 1 (columns: {_listed(columns)})",
            column="error",
        )


def _listed(columns: Mapping[str, list[Any]]) -> str:
    names = [shown(name)[1:-1] for name in columns]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _params(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        try:
            return parse_params(cell)
        except QuantityError as error:
            raise ValueError(str(error)) from None


def _check_params(value: float) -> str | None:
    if value <= 0:
        return "is not above 0; expected parameters such as 7e9 or 7B"
    if value < _SMALLEST_LLM_PARAMS:
        return f"is too small to be a parameter count; write {value:g} billion as {value:g}B or {value * 1e9:g}"
    return None


def _check_visual_tokens(value: float) -> str | None:
    if value == 0:
        return "is 0; a law in powers of the visual tokens says nothing of runs without an image, so remove the row"
    return None if value > 0 else "is negative; expected the visual tokens per image"


def _check_fraction(metric: str) -> Callable[[float], str | None]:
    def check(value: float) -> str | None:
        if 0 <= value <= 1:
            return None
        if 1 < value <= 100:
            return f"is above 1; a {metric} is a fraction between 0 and 1, so divide percentages by 100"
        return f"is outside 0 to 1; a {metric} is a fraction"

    return check


def _check_positive(value: float) -> str | None:
    return None if value > 0 else "is not above 0"


def _check_not_negative(value: float) -> str | None:
    return None if value >= 0 else "is negative"


def _check_sizes_agree(runs: Runs, cell_error: Callable[[int, str, str], RunsError]) -> None:
    """One LLM has one size."""
    first: dict[str, int] = {}
    for i, name in enumerate(runs.llm):
        j = first.setdefault(name, i)
        if runs.llm_params[i] != runs.llm_params[j]:
            one, other = format_params(runs.llm_params[j]), format_params(runs.llm_params[i])
            raise cell_error(
                i, "llm_params", f"{shown(name)} has {other} parameters here but {one} before; use one size"
            )


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
        elif runs.error[i] != runs.error[j]:
            raise cell_error(
                i,
                "error",
                f"contradicts {row_name(j)}, the same run with another result ({runs.error[i]:.4g} against "
                f"{runs.error[j]:.4g} error); remove one, or tell repetitions apart with a column 'seed'",
            )
    return keep
