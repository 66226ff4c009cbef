"""Measured runs from tables of polars, pyarrow and others; none of these packages is imported here."""

from __future__ import annotations

from typing import Any

from planner.runs.importers.frame import Frame
from planner.runs.importers.importer import Importer
from planner.runs.importers.sheet import Sheet, refuse_twins, stripped


class OtherFrame(Importer):
    """A table that gives its columns as lists, or itself as a pandas DataFrame or by the dataframe interchange."""

    name = "frame"
    takes = "a table of polars or pyarrow"

    def accepts(self, source: Any) -> bool:
        return callable(getattr(source, "collect_schema", None)) or (
            not hasattr(source, "iloc")
            and (
                any(callable(getattr(source, name, None)) for name in ("to_pydict", "get_columns", "to_pandas"))
                or hasattr(source, "__dataframe__")
            )
        )

    def read(self, source: Any) -> Sheet:
        if hasattr(source, "collect") and not hasattr(source, "to_dict"):  # what polars has not read yet
            source = source.collect()
        if callable(getattr(source, "to_pydict", None)):  # pyarrow
            names, cells = list(source.column_names), list(source.to_pydict().values())
            refuse_twins([str(name).strip() for name in names], "runs")
        elif callable(getattr(source, "get_columns", None)):  # polars
            found = source.get_columns()
            names, cells = [one.name for one in found], [one.to_list() for one in found]
        elif callable(getattr(source, "to_pandas", None)):
            return Frame().read(source.to_pandas())
        else:
            import pandas as pd

            return Frame().read(pd.api.interchange.from_dataframe(source))
        columns = {
            str(name).strip(): [None if cell != cell else stripped(cell) for cell in column]
            for name, column in zip(names, cells, strict=True)
        }
        return Sheet(columns, "runs", [f"row {i}" for i in range(len(next(iter(columns.values()), [])))])
