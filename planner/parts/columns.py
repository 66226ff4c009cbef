"""Many things of one kind as one whose numbers are columns, so that one walk costs all of them.

What decides which kernels a walk has, a truth value, a text, a number that is 0, the length of a list, must be the same
in all of them: `alike` says so.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

IGNORED = ("name",)
"""Fields that no walk looks at."""


def alike(thing: Any) -> Hashable:
    """Equal for things that `columns` can put together."""
    kind = type(thing)
    if kind is int or kind is float:
        return bool(thing == 0)
    if kind is bool or kind is str or thing is None:
        return str(thing) if kind is str else bool(thing) if kind is bool else None
    if is_dataclass(kind):
        return (kind, *[alike(getattr(thing, name)) for name in _names(kind) if name not in IGNORED])
    if kind is tuple:
        deep = all(is_dataclass(entry) for entry in thing)
        return tuple(map(alike, thing)) if deep else thing
    raise TypeError(f"no columns can be made of a {type(thing).__name__}")


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def columns(things: Sequence[T], shape: tuple[int, ...] = (-1, 1), places: NDArray[np.intp] | None = None) -> T:
    """Things that are `alike` as one, its numbers columns where they differ.

    Args:
        things: the things.
        shape: of a column.
        places: which of the things each entry of a column is of; by default each once, in order.
    """
    first: Any = things[0]
    if all(thing is first for thing in things):
        return things[0]
    found = object.__new__(type(first))
    kind: Any = type(first)
    for name in _names(kind):
        values = [getattr(thing, name) for thing in things]
        object.__setattr__(found, name, values[0] if name in IGNORED else _column(values, shape, places))
    return found  # type: ignore[no-any-return]


def _column(values: list[Any], shape: tuple[int, ...], places: NDArray[np.intp] | None) -> Any:
    first = values[0]
    if all(value is first or value == first for value in values):
        return first
    if is_dataclass(first):
        return columns(values, shape, places)
    if isinstance(first, tuple):
        return tuple(_column(list(entries), shape, places) for entries in zip(*values, strict=True))
    column = np.array(values, float)
    return (column if places is None else column[places]).reshape(shape)
