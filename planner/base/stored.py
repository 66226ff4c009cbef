"""How values of each plain kind stand in JSON: numbers, texts, lists, objects, arrays; each checked both ways."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from planner.base.errors import InputError
from planner.base.place import Place

_WHOLE_MAX = 2**63  # beyond it no count of anything makes sense


class Custom(Protocol):
    """How a value of one kind is stored."""

    def encode(self, value: Any, place: Place) -> Any:
        """Plain JSON types of a value."""

    def decode(self, content: Any, place: Place) -> Any:
        """The value again. Raises what `place` words."""


class Json:
    """Plain JSON, as it is."""

    expected = "plain JSON"

    def encode(self, value: Any, place: Place) -> Any:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, Mapping):
            return {_key(name, place): self.encode(one, place.at(str(name))) for name, one in value.items()}
        if isinstance(value, Sequence):
            return [self.encode(one, place.at(i)) for i, one in enumerate(value)]
        plain = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, list):
            return self.encode(plain, place)
        if isinstance(plain, int):
            return plain
        if isinstance(plain, float) and math.isfinite(plain):
            return plain
        raise place.wrong("what JSON can hold", value)

    def decode(self, content: Any, place: Place) -> Any:
        return self.encode(content, place)


def _key(name: object, place: Place) -> str:
    if isinstance(name, str):
        return name
    raise place.wrong("texts for keys", name)


class Text:
    expected = "a text"

    def encode(self, value: Any, place: Place) -> str:
        if isinstance(value, str):
            return str(value)
        raise place.wrong(self.expected, value)

    decode = encode


class Flag:
    expected = "true or false"

    def encode(self, value: Any, place: Place) -> bool:
        if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's too
            return bool(value)
        raise place.wrong(self.expected, value)

    def decode(self, content: Any, place: Place) -> bool:
        if isinstance(content, bool):
            return content
        raise place.wrong(self.expected, content)


class Whole:
    expected = "a whole number"

    def encode(self, value: Any, place: Place) -> int:
        whole = value.item() if hasattr(value, "item") else value
        if isinstance(whole, float) and whole.is_integer():
            whole = int(whole)
        return self.decode(whole, place)

    def decode(self, content: Any, place: Place) -> int:
        if not isinstance(content, int) or isinstance(content, bool):
            raise place.wrong(self.expected, content)
        if abs(content) >= _WHOLE_MAX:
            raise place.wrong("a whole number of 64 bits", content)
        return content


class Number:
    expected = "a number"

    def encode(self, value: Any, place: Place) -> float:
        return self.decode(value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value, place)

    def decode(self, content: Any, place: Place) -> float:
        if not isinstance(content, float | int) or isinstance(content, bool):
            raise place.wrong(self.expected, content)
        if not is_finite(content):
            raise place.wrong("a finite number", content)
        return float(content)


def is_finite(number: float) -> bool:
    """Whether a number is one that a float can hold."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


class Null:
    expected = "null"

    def encode(self, value: Any, place: Place) -> None:
        if value is not None:
            raise place.wrong(self.expected, value)

    decode = encode


PLAIN: dict[Any, Custom] = {
    Any: Json(),
    object: Json(),
    str: Text(),
    bool: Flag(),
    int: Whole(),
    float: Number(),
    None: Null(),
    type(None): Null(),
}


@dataclasses.dataclass(frozen=True)
class Choice:
    values: tuple[Any, ...]

    @property
    def expected(self) -> str:
        return " or ".join(map(repr, self.values))

    def encode(self, value: Any, place: Place) -> Any:
        for one in self.values:
            if type(one) is type(value) and one == value:
                return one
        raise place.wrong(self.expected, value)

    decode = encode


@dataclasses.dataclass(frozen=True)
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


@dataclasses.dataclass(frozen=True)
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


@dataclasses.dataclass(frozen=True)
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


@dataclasses.dataclass(frozen=True)
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
        return {_key(name, place): change(one, place.at(str(name))) for name, one in value.items()}


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
        for i, one in enumerate(content):
            if isinstance(one, list):
                self._check(one, place.at(i))
            elif isinstance(one, bool) or not isinstance(one, float | int) or not is_finite(one):
                raise place.at(i).wrong("a finite number", one)
