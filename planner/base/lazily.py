"""A sequence whose items are made when they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T", covariant=True)


class Lazily(Sequence[T], Generic[T]):
    """Like the tuple of its items: equal to it, of the same hash, pickled as it; each item is made once, when read."""

    def __init__(self, count: int, make: Callable[[int], T], holds: Callable[[object], bool | None]) -> None:
        """`make(k)` gives item k of `count`; `holds(item)` says whether it is one of them, None where it cannot tell
        without having made them."""
        self._places = range(count)
        self._at = cache(make)
        self._holds = holds

    def __contains__(self, item: object) -> bool:
        known = self._holds(item)
        return any(item == mine for mine in self) if known is None else known

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        found = self._places[index]
        return tuple(map(self._at, found)) if isinstance(found, range) else self._at(found)

    def __iter__(self) -> Iterator[T]:
        return map(self._at, self._places)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (tuple, Lazily)):
            return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)
