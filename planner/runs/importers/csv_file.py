"""Measured runs from a CSV file: a header line, and one line for each run; separated by commas, tabs or semicolons."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from planner.base.errors import RunsError
from planner.base.files import read_bytes
from planner.runs.importers.importer import Importer
from planner.runs.importers.sheet import Sheet, refuse_twins, stripped


class CsvFile(Importer):
    """A CSV file in UTF-8. Every path that no other importer accepts is read as one."""

    name = "csv"
    takes = "the path of a CSV file"

    def accepts(self, source: Any) -> bool:
        return isinstance(source, str | os.PathLike)

    def is_sure(self, source: Any) -> bool:
        return Path(source).suffix.lower() in (".csv", ".tsv")

    def read(self, source: Any) -> Sheet:
        path = Path(source)
        data = read_bytes(path, "a CSV file of measured runs", RunsError)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise RunsError(
                f"{path.name}, line {line}: not UTF-8 text (byte 0x{data[error.start]:02x}); "
                "save the file as CSV in UTF-8",
                row=f"line {line}",
            ) from None
        if "\0" in text:
            raise RunsError(f"{path.name}: holds NUL bytes, so it is no text file; save it as CSV in UTF-8")
        separator = _separator(text)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        rows: list[tuple[int, list[str]]] = []
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    rows.append((reader.line_num, cells))
        except csv.Error as error:
            raise RunsError(
                f"{path.name}, line {reader.line_num}: not a CSV table ({error}); check the quotes"
            ) from None
        if not rows:
            raise RunsError(f"{path.name} is empty; expected a header line and one line per run")
        header = [name.strip() for name in rows[0][1]]
        refuse_twins(header, path.name)
        for line, cells in rows[1:]:
            if len(cells) != len(header):
                raise RunsError(
                    f"{path.name}, line {line}: {len(cells)} cells where the header has {len(header)} columns; "
                    "quote texts that hold a comma",
                    row=f"line {line}",
                )
        columns = {name: [stripped(cells[i]) for _, cells in rows[1:]] for i, name in enumerate(header)}
        return Sheet(columns, path.name, [f"line {line}" for line, _ in rows[1:]], separator == ";")


def _separator(text: str) -> str:
    """What stands between the columns of the first line that is not empty."""
    first = next((line for line in text.splitlines() if line.strip(",;\t ")), "")
    counts = {mark: first.count(mark) for mark in (",", ";", "\t")}
    return max(counts, key=lambda mark: counts[mark]) if any(counts.values()) else ","
