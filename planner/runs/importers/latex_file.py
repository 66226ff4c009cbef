"""Measured runs from the tabular of a LaTeX file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from planner.base.errors import RunsError
from planner.base.files import read_text
from planner.runs.clean import plain_text
from planner.runs.importers.grid import Row, grid_sheet
from planner.runs.importers.importer import Importer
from planner.runs.importers.markdown_file import joined
from planner.runs.importers.sheet import Sheet

_COMMENT = re.compile(r"(?<!\\)%.*")
_TABULAR = re.compile(r"\\begin\{(tabular[*xy]?|longtable|tabu)\}(.*?)\\end\{\1\}", re.DOTALL)
_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead|addlinespace(?:\[[^\]]*\])?|(?:cmidrule|cline)(?:\([^)]*\))?"
    r"\{[^}]*\}|specialrule(?:\{[^}]*\}){3}|rowcolor(?:\[[^\]]*\])?\{[^}]*\}|noalign\{[^}]*\})"
)
_MULTICOLUMN = re.compile(r"\\multicolumn\{(\d+)\}\{[^}]*\}\{(.*)\}\s*$", re.DOTALL)
_MULTIROW = re.compile(r"\\multirow(?:\[[^\]]*\])?\{(-?\d+)\}\{[^}]*\}\{(.*)\}\s*$", re.DOTALL)


class LatexFile(Importer):
    """A LaTeX file with one tabular, or with several of one header."""

    name = "latex-table"
    takes = "the path of a LaTeX file"

    def accepts(self, source: Any) -> bool:
        return isinstance(source, str | os.PathLike) and Path(source).suffix.lower() == ".tex"

    def read(self, source: Any) -> Sheet:
        path = Path(source)
        text = "\n".join(_COMMENT.sub("", line) for line in read_text(path, "a LaTeX table", RunsError).splitlines())
        tables = [_rows(found[2], text[: found.start(2)].count("\n") + 1) for found in _TABULAR.finditer(text)]
        return grid_sheet(joined([table for table in tables if table], path.name), path.name)


def _rows(body: str, line: int) -> list[Row]:
    """Rows of a tabular; the arguments before its first row end with the line of \\begin."""
    body = re.sub(r"^(\s*(?:\[[^\]]*\]|\{(?:[^{}]|\{[^{}]*\})*\}))+", lambda found: "\n" * found[0].count("\n"), body)
    rows: list[Row] = []
    below: dict[int, tuple[int, str]] = {}
    for part in re.split(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline", body):
        place = line + len(part[: len(part) - len(part.lstrip())].splitlines()[1:] or [])
        line += part.count("\n")
        text = _RULES.sub("", part).strip()
        if not text:
            continue
        cells: list[Any] = []
        for raw in re.split(r"(?<!\\)&", text):
            cell, width = raw.strip(), 1
            if found := _MULTICOLUMN.match(cell):
                width, cell = int(found[1]), found[2].strip()
            if found := _MULTIROW.match(cell):
                cell = found[2].strip()
                below[len(cells)] = (int(found[1]) - 1, cell)
            elif not cell and below.get(len(cells), (0, ""))[0] > 0:
                left, cell = below[len(cells)]
                below[len(cells)] = (left - 1, cell)
            cells += [plain_text(cell), *[None] * (width - 1)]
        rows.append((f"line {place}", cells))
    return rows
