"""A dictionary that was read, checked for what it must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.base.errors import InputError
from planner.base.quantities import shown


def checked(content: Any, what: str, needed: tuple[str, ...]) -> Mapping[str, Any]:
    """The same as a mapping. Raises InputError where it is none, or lacks one of what is `needed`."""
    if not isinstance(content, Mapping):
        raise InputError(f"no {what}: expected a JSON object, got {shown(content)}")
    missing = [name for name in needed if name not in content]
    if missing:
        raise InputError(f"no {what}: {', '.join(missing)} is missing")
    return content
