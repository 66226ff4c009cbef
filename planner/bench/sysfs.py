"""Files of /sys that hold one value; what is not there, or cannot be read, is None."""

from __future__ import annotations

import contextlib
from pathlib import Path


def read_text(file: Path) -> str | None:
    """Its text, without blanks around it; None of an empty file too."""
    with contextlib.suppress(OSError, ValueError):
        return file.read_text(encoding="ascii").strip() or None
    return None


def read_whole(file: Path) -> int | None:
    """Its whole number."""
    with contextlib.suppress(ValueError):
        return int(read_text(file) or "")
    return None
