"""Values of a tool's file, read with their place, so that a complaint names what is missing or wrong, and where."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.place import Place

_MISSING = object()


@dataclass(frozen=True)
class Entry:
    """A value of a JSON document, and its place in the file."""

    content: Any
    place: Place

    @classmethod
    def of(cls, content: Any, origin: str, tool: str) -> Entry:
        """The whole of a file that a tool wrote."""
        return cls(content, Place(origin, f"expected what {tool} writes"))

    def at(self, *keys: str | int) -> Entry:
        """The entry below. Raises InputError where it is not there, or null."""
        found = self
        for key in keys:
            below = found.maybe(key)
            if below is None:
                raise found.place.missing(str(key))
            found = below
        return found

    def maybe(self, *keys: str | int) -> Entry | None:
        """The entry below; None where it is not there, or null."""
        found: Entry = self
        for key in keys:
            below = _below(found.content, key)
            if below is _MISSING or below is None:
                return None
            found = Entry(below, found.place.at(key))
        return found

    def each(self) -> Iterator[Entry]:
        """The entries of a list. Raises InputError for what is none."""
        if not isinstance(self.content, list):
            raise self.place.wrong("a list", self.content)
        for position, one in enumerate(self.content):
            yield Entry(one, self.place.at(position))

    def number(self, least: float = 0.0) -> float:
        """A finite number. Raises InputError."""
        found = number_of(self.content)
        if found is None or found < least:
            raise self.place.wrong(f"a number of at least {least:g}", self.content)
        return found

    def count(self, least: int = 0) -> int:
        """A whole number. Raises InputError."""
        found = self.number(least)
        if not found.is_integer():
            raise self.place.wrong("a whole number", self.content)
        return int(found)

    def text(self) -> str:
        """A text. Raises InputError."""
        if not isinstance(self.content, str):
            raise self.place.wrong("a text", self.content)
        return self.content

    def wrong(self, expected: str) -> InputError:
        """That something else was expected here: to be raised."""
        return self.place.wrong(expected, self.content)


def number_of(value: object) -> float | None:
    """A finite number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _below(content: Any, key: str | int) -> Any:
    if isinstance(key, str):
        return content.get(key, _MISSING) if isinstance(content, Mapping) else _MISSING
    return content[key] if isinstance(content, list) and -len(content) <= key < len(content) else _MISSING
