"""A plan as its JSON file holds it, checked: it is one, and nothing was changed after it was made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.files import read_json
from planner.base.quantities import shown
from planner.planning.record import FILE_FORMAT, FORMAT_VERSION, HASH, content_hash

EXPECTED = "a plan that vlm-planner plan -o wrote"
AGAIN = "make it again with vlm-planner plan -o"


def read_plan_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The dictionary in a plan's file. Raises InputError."""
    return checked_plan(read_json(path, EXPECTED), shown(Path(path).name))


def checked_plan(content: Any, origin: str = "the plan") -> dict[str, Any]:
    """What `Plan.to_dict` gave, as it is.

    Args:
        content: the dictionary.
        origin: how an error names it.

    Raises:
        InputError: no plan, one of an earlier or a newer version, or one that was changed after it was made.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("best"), Mapping):
        raise InputError(f"{origin} is no plan; expected {EXPECTED}")
    if "format" not in content:
        raise InputError(f"{origin} was written by an earlier vlm-planner, which kept too little; {AGAIN}")
    if content["format"] != FILE_FORMAT:
        raise InputError(f"{origin} is no plan: its format is {shown(content['format'])}; expected {EXPECTED}")
    version = content.get("format_version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise InputError(
            f"{origin} has format version {shown(version)}, this vlm-planner reads {FORMAT_VERSION}; {AGAIN}"
        )
    if content.get(HASH) != content_hash(content):
        raise InputError(f"{origin} was changed after it was made: its content does not match its {HASH}; {AGAIN}")
    return dict(content)
