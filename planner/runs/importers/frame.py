"""Measured runs from a pandas DataFrame."""

from __future__ import annotations

from typing import Any

from planner.runs.importers.importer import Importer
from planner.runs.importers.sheet import Sheet, refuse_twins, stripped


class Frame(Importer):
    """A DataFrame: one row for each run; cells that are missing are no values."""

    name = "DataFrame"
    takes = "a DataFrame"

    def accepts(self, source: Any) -> bool:
        return hasattr(source, "iloc") and hasattr(source, "columns")

    def read(self, source: Any) -> Sheet:
        names = [str(name).strip() for name in source.columns]
        refuse_twins(names, "runs")
        cells = source.astype(object).where(source.notna(), None)
        columns = {name: [stripped(cell) for cell in cells.iloc[:, i]] for i, name in enumerate(names)}
        return Sheet(columns, "runs", [f"row {label}" for label in source.index])
