"""Reading a JSON file that somebody may have damaged: every wrong field is one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from planner.base.errors import InputError
from planner.base.quantities import shown

_NAME_MAX = 80


@dataclass(frozen=True)
class Fields:
    """A JSON object with its place in a file; what is asked for is there and of its kind, or InputError."""

    content: Mapping[str, Any]
    origin: str
    """How errors name the file."""
    advice: str
    """What to do about a damaged one."""
    place: str = ""

    def number(self, *keys: str) -> float:
        """A finite number."""
        value = self._find(keys)
        if not is_number(value):
            self._wrong(keys, value, "a number")
        return float(value)

    def maybe_number(self, *keys: str) -> float | None:
        """A finite number, or None for null and for what is not there."""
        return None if self._find(keys, missing_is_none=True) is None else self.number(*keys)

    def whole(self, *keys: str) -> int:
        """A whole number from 0 on."""
        value = self._find(keys)
        if not is_number(value) or value < 0 or value != int(value):
            self._wrong(keys, value, "a whole number")
        return int(value)

    def text(self, *keys: str) -> str:
        value = self._find(keys)
        if not isinstance(value, str):
            self._wrong(keys, value, "a text")
        return str(value)

    def maybe_text(self, *keys: str) -> str | None:
        return None if self._find(keys, missing_is_none=True) is None else self.text(*keys)

    def flag(self, *keys: str) -> bool:
        value = self._find(keys)
        if not isinstance(value, bool):
            self._wrong(keys, value, "true or false")
        return bool(value)

    def texts(self, *keys: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._find(keys)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._wrong(keys, value, "a list of texts")
        return tuple(value)

    def numbers(self, *keys: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        value = self._find(keys)
        if not isinstance(value, list) or not all(map(is_number, value)):
            self._wrong(keys, value, "a list of numbers")
        return tuple(float(one) for one in value)

    def part(self, *keys: str) -> Fields:
        """An object inside of this one."""
        value = self._find(keys)
        if not isinstance(value, Mapping):
            self._wrong(keys, value, "an object")
        return Fields(value, self.origin, self.advice, self._path(keys))

    def maybe_part(self, *keys: str) -> Fields | None:
        return None if self._find(keys, missing_is_none=True) is None else self.part(*keys)

    def parts(self, *keys: str) -> tuple[Fields, ...]:
        """A list of objects."""
        value = self._find(keys)
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            self._wrong(keys, value, "a list of objects")
        path = self._path(keys)
        return tuple(Fields(one, self.origin, self.advice, f"{path}[{i}]") for i, one in enumerate(value))

    def items(self, *keys: str) -> Iterator[tuple[str, Fields]]:
        """Names and objects of an object of objects."""
        found = self.part(*keys) if keys else self
        for name in found.content:
            yield name, found.part(name)

    def _find(self, keys: tuple[str, ...], missing_is_none: bool = False) -> Any:
        value: Any = self.content
        for i, key in enumerate(keys):
            if not isinstance(value, Mapping) or key not in value:
                if missing_is_none and isinstance(value, Mapping | None):
                    return None
                raise InputError(f"{self.origin} is damaged: {self._path(keys[: i + 1])} is missing; {self.advice}")
            value = value[key]
        return value

    def _path(self, keys: tuple[str, ...]) -> str:
        names = (repr(key)[1:-1] for key in keys)
        path = ".".join([self.place, *names] if self.place else names)
        return path if len(path) <= _NAME_MAX else path[: _NAME_MAX - 1] + "…"

    def _wrong(self, keys: tuple[str, ...], value: Any, expected: str) -> NoReturn:
        path = self._path(keys)
        raise InputError(f"{self.origin} is damaged: {path}: expected {expected}, got {shown(value)}; {self.advice}")


def is_number(value: Any) -> bool:
    """Whether a value from JSON is a number that a float can hold."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False
