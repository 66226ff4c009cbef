"""A mapping some of whose values are worked out when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Deferred(Mapping[str, Any]):
    """Entries that are known, then entries that take time: each of those is worked out once, when it is first read.

    Copied or pickled it is a plain dictionary, with all values.
    """

    def __init__(self, known: Mapping[str, Any], **later: Callable[[], Any]) -> None:
        """`later` gives what works out each further value; its names come after those that are known."""
        self._known = dict(known)
        self._later = later
        self._names = (*self._known, *(name for name in later if name not in self._known))

    def __getitem__(self, name: str) -> Any:
        if name not in self._known and name in self._later:
            self._known[name] = self._later[name]()
            del self._later[name]  # and with it whatever it holds on to
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        waiting = [name for name in self._names if name not in self._known]
        return f"Deferred({self._known!r}" + (f", not yet asked for: {', '.join(waiting)})" if waiting else ")")

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)
