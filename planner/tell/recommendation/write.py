"""A recommendation in a file, by its suffix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from planner.base.files import refuse_existing, write_text
from planner.tell.document import Document
from planner.tell.recommendation.plan_file import PlanLike
from planner.tell.recommendation.story import tell
from planner.tell.render import renderer_of


def write_recommendation(
    plan: PlanLike, path: str | os.PathLike[str], verdict: Any = None, *, overwrite: bool = False
) -> Path:
    """Write the page of a plan. Raises InputError, OutputExistsError."""
    kind = page_kind(path)
    refuse_existing(Path(path), overwrite)
    return write_text(path, as_text(tell(plan, verdict), kind), overwrite=overwrite)


def page_kind(path: str | os.PathLike[str]) -> str:
    """ ".html", ".md", ".json" or the suffix of another renderer, by the file's name. Raises InputError."""
    return renderer_of(path, "a recommendation").suffix


def as_text(document: Document, kind: str) -> str:
    """The content of the file of that suffix."""
    return renderer_of(f"page{kind}").render(document)
