"""A recommendation in a file, by its suffix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.files import file_text, refuse_existing, write_text
from planner.base.quantities import shown
from planner.report.recommendation.document import Document, as_json
from planner.report.recommendation.html import html
from planner.report.recommendation.markdown import markdown
from planner.report.recommendation.plan_file import PlanLike
from planner.report.recommendation.story import tell

SUFFIXES = (".html", ".md", ".json")


def write_recommendation(
    plan: PlanLike, path: str | os.PathLike[str], verdict: Any = None, *, overwrite: bool = False
) -> Path:
    """Write the page of a plan. Raises InputError, OutputExistsError."""
    kind = page_kind(path)
    refuse_existing(Path(path), overwrite)
    return write_text(path, as_text(tell(plan, verdict), kind), overwrite=overwrite)


def page_kind(path: str | os.PathLike[str]) -> str:
    """ ".html", ".md" or ".json", by the suffix. Raises InputError for another one."""
    kind = Path(path).suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(
            f"a recommendation's file name ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, "
            f"got {shown(os.fspath(path))}"
        )
    return kind


def as_text(document: Document, kind: str) -> str:
    """The content of the file."""
    if kind == ".html":
        return html(document)
    if kind == ".md":
        return markdown(document)
    return file_text(as_json(document))
