"""What the JSON records of this room share: a format with its version, and one sentence where one is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from planner.base.errors import InputError
from planner.base.quantities import shown


@contextmanager
def reading(content: Any, file_format: str, version: int, origin: str, verb: str) -> Iterator[None]:
    """Checks the head of a record, and turns what is wrong inside it into one sentence.

    Args:
        content: what was read.
        file_format: that it must say, as "vlm-planner verdict".
        version: that this code reads.
        origin: how an error names it.
        verb: of the command line that writes such a record.

    Raises:
        InputError: another kind of file, another version, or a damaged one.
    """
    if not isinstance(content, Mapping) or content.get("format") != file_format:
        what = file_format.removeprefix("vlm-planner ")
        raise InputError(f"{origin} is no {what}; expected what vlm-planner {verb} -o wrote")
    if content.get("format_version") != version:
        found = shown(content.get("format_version"))
        raise InputError(f"{origin}: format_version: expected {version}, got {found}")
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{origin} is damaged ({reason}); {verb} again") from None
