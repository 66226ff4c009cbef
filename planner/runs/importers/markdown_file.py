"""Measured runs from the table of a Markdown file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from planner.base.errors import RunsError
from planner.base.files import read_text
from planner.runs.importers.grid import Row, grid_sheet
from planner.runs.importers.importer import Importer
from planner.runs.importers.sheet import Sheet

_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?")


class MarkdownFile(Importer):
    """A Markdown file with one table, or with several of one header."""

    name = "markdown-table"
    takes = "the path of a Markdown file"

    def accepts(self, source: Any) -> bool:
        return isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in (".md", ".markdown")

    def is_sure(self, source: Any) -> bool:
        return False  # a plug-in may know the file better

    def read(self, source: Any) -> Sheet:
        path = Path(source)
        lines = read_text(path, "a Markdown file with a table", RunsError).splitlines()
        tables: list[list[Row]] = []
        for i, line in enumerate(lines[1:], start=1):
            if "|" not in lines[i - 1] or not _RULE.fullmatch(line.strip()) or "-" not in line:
                continue
            table: list[Row] = [(f"line {i}", _cells(lines[i - 1]))]
            for j in range(i + 1, len(lines)):
                if "|" not in lines[j]:
                    break
                table.append((f"line {j + 1}", _cells(lines[j])))
            tables.append(table)
        return grid_sheet(joined(tables, path.name), path.name)


def joined(tables: list[list[Row]], origin: str) -> list[Row]:
    """Tables of one header as one. Raises RunsError for none, or for unlike ones."""
    if not tables:
        raise RunsError(f"{origin} holds no table; expected a header and one row per run")
    header = list(tables[0][0][1])
    if any(list(table[0][1]) != header for table in tables[1:]):
        raise RunsError(f"{origin} holds {len(tables)} tables of different headers; keep the one that is meant")
    return [tables[0][0], *(row for table in tables for row in table[1:])]


def _cells(line: str) -> list[str]:
    text = line.strip().removeprefix("|")
    text = text[:-1] if text.endswith("|") and not text.endswith("\\|") else text
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", text)]
