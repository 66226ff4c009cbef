"""Traffic: a CSV of measured requests -> the mean request and the long one."""

from __future__ import annotations

import csv
import io
import math
import os
from pathlib import Path

import numpy as np

from planner.base.errors import InputError
from planner.base.files import read_bytes
from planner.base.quantities import shown
from planner.costs.stages import Workload
from planner.planning.request import Load

NEEDED = ("query_tokens", "generated_tokens")
COLUMNS = (*NEEDED, "cached_tokens", "system_tokens", "images")
TAIL = 0.95


def read_traffic(path: str | Path) -> Load:
    """The mean request of a CSV, and its 95th percentile.

    One row a request, with the columns query_tokens and generated_tokens, and any of cached_tokens, system_tokens and
    images; other columns are ignored. Means and percentiles are taken column by column and rounded up to whole tokens:
    the long request is long in everything at once, so times planned on it err on the safe side.

    Raises:
        InputError: no such file, a missing column, or a value that is no count; names row and column.
    """
    file = Path(path)
    try:
        text = read_bytes(file, "a CSV of requests").decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        names = [name.strip() for name in reader.fieldnames or ()]
        rows = [{(key or "").strip(): value for key, value in row.items()} for row in reader]
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{file} is no CSV of text; expected the columns {', '.join(NEEDED)}") from None
    missing = [name for name in NEEDED if name not in names]
    if missing:
        found = ", ".join(names) or "none"
        raise InputError(f"{file}: the column {missing[0]!r} is missing; expected {', '.join(NEEDED)}, got {found}")
    if not rows:
        raise InputError(f"{file}: expected one row a request, got none")
    means, tails, most = {}, {}, {}
    for name in (name for name in COLUMNS if name in names):
        values = np.array([_count(row[name], f"{file}, row {i}", name) for i, row in enumerate(rows, start=2)])
        means[name] = math.ceil(values.mean() - 1e-9)
        tails[name] = math.ceil(float(np.quantile(values, TAIL)) - 1e-9)
        most[name] = int(values.max())
    if len(rows) == 1:
        return Load(Workload(**means), Workload(**tails))
    return Load(Workload(**means), Workload(**tails), len(rows), Workload(**most), file=os.fspath(path))


def _count(text: str | None, where: str, name: str) -> int:
    minimum = 1 if name == "images" else 0
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (value.is_integer() and value >= minimum):
        raise InputError(f"{where}: expected {name} to be a whole number of at least {minimum}, got {shown(text)}")
    return int(value)
