"""What was given by name or by the path of a file, so that printed commands can give the same."""

from __future__ import annotations

import os
from typing import Any

from planner.base.dataclass import dataclass


@dataclass(frozen=True)
class Given:
    """Texts, as options of a command take them; "" where nothing was given, or no text stands for it."""

    law: str = ""
    """Name or file of one law."""
    form: str = ""
    task: str = ""
    mix: str = ""
    hardware: str = ""
    """Name of a card, or file of a profile."""

    @classmethod
    def of(cls, law: Any, form: str | None, task: Any, hardware: Any) -> Given:
        """Of arguments of `plan`."""
        return cls(law=_text(law), form=form or "", task=_text(task), hardware=_text(hardware))


def _text(given: Any) -> str:
    return os.fspath(given) if isinstance(given, str | os.PathLike) else ""
