"""Rows of cells, as documents hold them -> a sheet: the header, the runs, and sections that name the tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from planner.base.errors import RunsError
from planner.runs.importers.sheet import Sheet, refuse_twins, stripped

_TOKENS = re.compile(r"(?i)(\d[\d,]*)\s*(?:visual |vision |image )?tokens?\b")
Row = tuple[str, Sequence[Any]]
"""What messages call it ("line 7"), and its cells."""


def grid_sheet(rows: Sequence[Row], origin: str) -> Sheet:
    """A sheet of a table whose first row is its header.

    A row with one cell among longer ones is a section: it makes no run, but "Retain 64 tokens" gives a table without a
    column of tokens the tokens of the rows under it.

    Raises:
        RunsError: no row, a header that stands twice, a row of more cells than the header.
    """
    rows = [(place, [stripped(cell) for cell in cells]) for place, cells in rows]
    rows = [(place, cells) for place, cells in rows if any(cell is not None for cell in cells)]
    if not rows:
        raise RunsError(f"{origin} holds no table; expected a header and one row per run")
    header = ["" if name is None else str(name) for name in rows[0][1]]
    while header and not header[-1]:
        header.pop()
    header = [name or f"column {i + 1}" for i, name in enumerate(header)]
    refuse_twins(header, origin)
    body: list[Row] = []
    tokens: list[str | None] = []
    current: str | None = None
    for place, cells in rows[1:]:
        filled = [cell for cell in cells if cell is not None]
        if len(filled) == 1 and len(header) > 2:
            found = _TOKENS.search(str(filled[0]))
            current = found[1].replace(",", "") if found else current
            continue
        extra = [cell for cell in cells[len(header) :] if cell is not None]
        if extra:
            raise RunsError(
                f"{origin}, {place}: {len(cells)} cells where the header has {len(header)} columns", row=place
            )
        body.append((place, [*cells[: len(header)], *[None] * (len(header) - len(cells))]))
        tokens.append(current)
    columns: dict[str, list[Any]] = {name: [cells[i] for _, cells in body] for i, name in enumerate(header)}
    if any(tokens) and "visual_tokens" not in columns:
        columns["visual_tokens"] = list(tokens)
    return Sheet(columns, origin, [place for place, _ in body])
