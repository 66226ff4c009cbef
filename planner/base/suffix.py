"""What a file's name ends in: refused before any work where another program would take the file for something else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from planner.base.errors import InputError, nearest_name
from planner.base.quantities import shown


def wrong_suffix(
    what: str, path: str | os.PathLike[str], known: Sequence[str], others: Sequence[str] = (), advice: str = ""
) -> InputError:
    """The sentence for a file name that ends in something else, with the ending that was meant.

    Args:
        what: the file, with its article: "a report".
        path: as it came.
        known: endings that it may have.
        others: endings that belong to another verb.
        advice: which verb that is, "{}" standing for the ending.
    """
    *first, last = known
    ending = Path(path).suffix.lower()
    near = ending if ending in others else nearest_name(ending, [*known, *others])
    meant = f"; did you mean {near}?" if near and near != ending else ""
    if near in others:
        meant += f"{' ' if meant else '; '}{advice.format(near)}"
    expected = f"{', '.join(first)} or {last}" if first else last
    return InputError(f"{what}'s file name ends in {expected}, got {shown(os.fspath(path))}{meant}")


def has_suffix(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends in what people call a suffix: the ".5" of "qwen2.5" is none."""
    return Path(path).suffix[1:2].isalpha()
