"""Markdown that both pages need."""

from __future__ import annotations

import inspect

REWRITE = "python docs/make_reference.py"
NOTE = f"<!-- Written by `{REWRITE}` from the code: change the code, not this file. -->"


def paragraphs(text: str | None) -> list[str]:
    """Paragraphs of a text, each on one line."""
    return [" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n")]


def spaced(paragraphs: list[str]) -> list[str]:
    return "\n\n".join(paragraphs).splitlines()


def cell(text: str) -> str:
    """A text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
