"""Whether a file is a table of runs already, which needs no import."""

from __future__ import annotations

import os

from planner.base.errors import InputError
from planner.runs.headers import mapped
from planner.runs.importers import sheet_of


def is_run_table(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a table whose headers name a language model, or its size, and the visual tokens."""
    try:
        sheet = sheet_of(path)
        found = mapped(list(sheet.columns), {}, sheet.origin).columns
    except InputError:
        return False
    return "visual_tokens" in found and bool({"llm", "llm_params"} & set(found))
