"""How values of each plain kind stand in JSON, checked both ways."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from planner.base.dataclass import dataclass
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
            return {key_text(name, place): self.encode(one, place.at(str(name))) for name, one in value.items()}
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
        return content if _is_json(content) else self.encode(content, place)


def _is_json(content: Any) -> bool:
    """Whether a value is what `json` reads: most are, and no place has to be named for them."""
    kind = type(content)
    if kind is float:
        return math.isfinite(content)
    if kind is list:
        return all(map(_is_json, content))
    if kind is dict:
        return all(type(name) is str for name in content) and all(map(_is_json, content.values()))
    return content is None or kind in (str, bool, int)


def key_text(name: object, place: Place) -> str:
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


@dataclass(frozen=True)
class Whole:
    least: int | None = None

    @property
    def expected(self) -> str:
        return "a whole number" if self.least is None else f"a whole number from {self.least} on"

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
        if self.least is not None and content < self.least:
            raise place.wrong(self.expected, content)
        return content


@dataclass(frozen=True)
class Number:
    least: float | None = None
    above: bool = False
    """Whether it must be more than `least`."""

    @property
    def expected(self) -> str:
        if self.least is None:
            return "a number"
        return f"a number above {self.least:g}" if self.above else f"a number from {self.least:g} on"

    def encode(self, value: Any, place: Place) -> float:
        return self.decode(value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value, place)

    def decode(self, content: Any, place: Place) -> float:
        if not isinstance(content, float | int) or isinstance(content, bool):
            raise place.wrong(self.expected, content)
        if not is_finite(content):
            raise place.wrong("a finite number" if self.least is None else self.expected, content)
        if self.least is not None and (content < self.least or (self.above and content == self.least)):
            raise place.wrong(self.expected, content)
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


COUNT = Whole(0)
"""Whole numbers from 0 on."""
POSITIVE = Number(0.0, above=True)
"""Numbers above 0."""
NOT_NEGATIVE = Number(0.0)
"""Numbers from 0 on."""


@dataclass(frozen=True)
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
