"""Measured runs from the first sheet of an Excel file, where openpyxl is installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from planner.base.errors import RunsError
from planner.base.files import read_bytes
from planner.runs.importers.grid import grid_sheet
from planner.runs.importers.importer import Importer
from planner.runs.importers.sheet import Sheet


class ExcelFile(Importer):
    """An .xlsx file: the first sheet, with its values, not its formulas."""

    name = "xlsx"
    takes = "the path of an .xlsx file"

    def accepts(self, source: Any) -> bool:
        return isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in (".xlsx", ".xlsm")

    def read(self, source: Any) -> Sheet:
        import io

        path = Path(source)
        content = read_bytes(path, "an .xlsx file", RunsError)
        try:
            import openpyxl
        except ImportError:
            raise RunsError(
                f"{path.name}: reading it needs openpyxl: pip install 'vlm-planner[xlsx]', or save it as CSV"
            ) from None
        try:
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            rows = [(f"row {i + 1}", list(row)) for i, row in enumerate(book.worksheets[0].iter_rows(values_only=True))]
        except Exception as error:  # a damaged file fails inside zipfile, the XML parser or openpyxl, in many ways
            raise RunsError(f"{path.name} is no .xlsx file that can be read ({type(error).__name__})") from None
        return grid_sheet(rows, path.name)
