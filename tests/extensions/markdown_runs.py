"""An importer from outside: measured runs from the tables of a Markdown file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from planner.runs.importers import Importer, Sheet

HEADERS = {"model": "llm", "size": "llm_params", "tokens": "visual_tokens", "accuracy": "score"}


class MarkdownRuns(Importer):
    """A Markdown table with the columns model, size, tokens, accuracy (percent)."""

    name = "markdown"
    takes = "the path of a Markdown file"

    def accepts(self, source: Any) -> bool:
        return isinstance(source, str | os.PathLike) and os.fspath(source).endswith(".md")

    def read(self, source: Any) -> Sheet:
        path = Path(source)
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [(i + 1, _cells(line)) for i, line in enumerate(lines) if line.startswith("|")]
        header = [HEADERS.get(name, name) for name in rows[0][1]]
        body = [(number, cells) for number, cells in rows[2:]]
        columns: dict[str, list[Any]] = {name: [cells[i] for _, cells in body] for i, name in enumerate(header)}
        columns["score"] = [float(text) / 100 for text in columns["score"]]
        return Sheet(columns, path.name, [f"line {number}" for number, _ in body])


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")]
