"""How lists, mappings, arrays and alternatives stand in JSON, checked both ways."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.place import Place
from planner.base.stored import Choice, Flag, Null, Number, Text, Whole, is_finite, key_text


@dataclass(frozen=True)
class FirstOf:
    """What fits first; where one alternative alone is of the content's kind, its complaint is the complaint."""

    members: tuple[Any, ...]

    @property
    def expected(self) -> str:
        return " or ".join(dict.fromkeys(_expected(one) for one in self.members))

    def encode(self, value: Any, place: Place) -> Any:
        return self._first("encode", value, place)

    def decode(self, content: Any, place: Place) -> Any:
        return self._first("decode", content, place)

    def _first(self, way: str, value: Any, place: Place) -> Any:
        if value is None and any(isinstance(one, Null) for one in self.members):
            return None
        others = [one for one in self.members if not isinstance(one, Null)]
        if len(others) == 1 and not isinstance(others[0], Text | Flag | Whole | Number | Choice):
            return getattr(others[0], way)(value, place)
        for one in others:
            try:
                return getattr(one, way)(value, place)
            except InputError:
                continue
        raise place.wrong(self.expected, value)


def _expected(codec: Any) -> str:
    """What a codec takes, in words."""
    return str(getattr(codec, "expected", "an object"))


@dataclass(frozen=True)
class Row:
    entry: Any

    @property
    def expected(self) -> str:
        return "a list"

    def encode(self, value: Any, place: Place) -> list[Any]:
        if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
            raise place.wrong("a list", value)
        return [self.entry.encode(one, place.at(i)) for i, one in enumerate(value)]

    def decode(self, content: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(content, list | tuple):
            raise place.wrong("a list", content)
        return tuple(self.entry.decode(one, place.at(i)) for i, one in enumerate(content))


@dataclass(frozen=True)
class Fixed:
    entries: tuple[Any, ...]

    @property
    def expected(self) -> str:
        return f"a list of {len(self.entries)}"

    def encode(self, value: Any, place: Place) -> list[Any]:
        return [one.encode(entry, place.at(i)) for i, (one, entry) in enumerate(self._pairs(value, place))]

    def decode(self, content: Any, place: Place) -> tuple[Any, ...]:
        return tuple(one.decode(entry, place.at(i)) for i, (one, entry) in enumerate(self._pairs(content, place)))

    def _pairs(self, value: Any, place: Place) -> list[tuple[Any, Any]]:
        if not isinstance(value, list | tuple) or len(value) != len(self.entries):
            raise place.wrong(self.expected, value)
        return list(zip(self.entries, value, strict=True))


@dataclass(frozen=True)
class Entries:
    entry: Any
    expected: str = "an object"

    def encode(self, value: Any, place: Place) -> dict[str, Any]:
        return self._each("encode", value, place)

    def decode(self, content: Any, place: Place) -> dict[str, Any]:
        return self._each("decode", content, place)

    def _each(self, way: str, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise place.wrong("an object", value)
        change = getattr(self.entry, way)
        return {key_text(name, place): change(one, place.at(str(name))) for name, one in value.items()}


class Array:
    """Floats in any shape."""

    expected = "a list of numbers"

    def encode(self, value: Any, place: Place) -> Any:
        import numpy as np

        array = np.asarray(value)
        if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            raise place.wrong("finite numbers", value)
        return np.asarray(array, float).tolist()

    def decode(self, content: Any, place: Place) -> Any:
        import numpy as np

        self._check(content, place)
        try:
            return np.array(content, float)
        except (ValueError, TypeError):
            raise place.wrong("a list of numbers in rows of equal length", content) from None

    def _check(self, content: Any, place: Place) -> None:
        if not isinstance(content, list):
            raise place.wrong(self.expected, content)
        if all(type(one) is float and math.isfinite(one) for one in content):
            return
        for i, one in enumerate(content):
            if isinstance(one, list):
                self._check(one, place.at(i))
            elif isinstance(one, bool) or not isinstance(one, float | int) or not is_finite(one):
                raise place.at(i).wrong("a finite number", one)
