"""Runs -> CSV."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from planner.base.files import write_text
from planner.base.suffix import has_suffix, wrong_suffix
from planner.runs.table import ERROR, LOSS, Runs

SUFFIX = ".csv"


def write_runs(runs: Runs, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write runs as CSV, every number at full precision, so that reading gives the same runs again.

    Raises:
        OutputExistsError: the file exists and `overwrite` is false.
        InputError: a suffix that is not .csv, or it cannot be written.
    """
    if has_suffix(path) and Path(path).suffix.lower() != SUFFIX:
        raise wrong_suffix("a run table", path, (SUFFIX,))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = runs.columns()
    writer.writerow([LOSS if name == ERROR and runs.kind == LOSS else name for name in columns])
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_plain(value) for value in row])
    return write_text(path, text.getvalue(), overwrite=overwrite)


def _plain(value: Any) -> str:
    """A number as the shortest text that reads back the same; whole numbers without a point."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))
