"""Open lists of named things: what is built in and what is added from outside come through the same door.

    COMPRESSORS = Registry("compressor", Compressor)
    COMPRESSORS.register(QueCC())                 # built in
    planner.register(MyCompressor())              # from outside: the registry is found by the thing's class

An installed package can add things without being imported first, by entry points of the group "vlm_planner", each
naming a function that is called without arguments and registers what it has; they are read when a name is not known.

A name is looked up without regard to case. An unknown one is an error with suggestions, never a default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from planner.base.errors import InputError, NotRegisteredError
from planner.base.quantities import shown

T = TypeVar("T")

ENTRY_POINTS = "vlm_planner"
"""Group of the entry points that other packages declare."""


class Registry(Generic[T]):
    """Things of one kind by name, in the order in which they were registered."""

    def __init__(self, kind: str, takes: type[Any], fill: Callable[[], None] | None = None) -> None:
        """A registry of things of class `takes`; `kind` says in messages what they are ("law form").

        `fill` registers what is built in, when the registry is first used: for tables that take time to read.
        """
        self.kind = kind
        self.takes = takes
        self._fill = fill
        self._things: dict[str, T] = {}
        REGISTRIES.append(self)

    def fill_with(self, fill: Callable[[], None]) -> None:
        """Let `fill` register more when a name is asked for that is not there yet, or all of them are."""
        self._fill = fill

    def register(self, thing: T, *, replace: bool = False) -> T:
        """Add a thing under its `name`, and return it.

        Raises:
            InputError: it is not of the registry's class, has no name, or its name is taken and `replace` is false.
        """
        if not isinstance(thing, self.takes):
            raise InputError(f"a {self.kind} is a {self.takes.__name__}, got {shown(thing)}")
        name = getattr(thing, "name", None)
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"a {self.kind} needs a name of at least one letter, got {shown(name)}")
        if name.lower() in self._filled() and not replace:
            raise InputError(f"there is a {self.kind} called {name!r} already; choose another name or replace=True")
        self._things[name.lower()] = thing
        return thing

    def remove(self, name: str) -> None:
        """Take a thing out again. Raises UnknownNameError."""
        self.find(name)
        del self._things[name.lower()]

    def find(self, name: object) -> T:
        """The thing of that name. Raises UnknownNameError, with the nearest names."""
        found = self.get(name)
        if found is None:
            raise NotRegisteredError(self.kind, name, self.names())
        return found

    def get(self, name: object) -> T | None:
        """The thing of that name, None where there is none."""
        if not isinstance(name, str):
            return None
        key = name.lower()
        if key not in self._things and key not in self._filled():
            load_entry_points()
        return self._things.get(key)

    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(getattr(thing, "name", key) for key, thing in self._filled().items())

    def _filled(self) -> dict[str, T]:
        if self._fill is not None:
            fill, self._fill = self._fill, None
            fill()
        return self._things

    def __contains__(self, name: object) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._filled().values()))

    def __len__(self) -> int:
        return len(self._filled())


REGISTRIES: list[Registry[Any]] = []
"""Every registry whose module is loaded."""

_entry_points_read = False


def register(thing: Any, *, replace: bool = False) -> Any:
    """Add a thing to the registry of its class, under its `name`, and return it.

    Args:
        thing: a law form, LLM, tower, connector, compressor, limit, importer, hardware or renderer.
        replace: whether it may take the place of one that has the same name.

    Raises:
        InputError: no registry takes such a thing, or its name is taken.
    """
    for registry in REGISTRIES:
        if isinstance(thing, registry.takes):
            return registry.register(thing, replace=replace)
    kinds = ", ".join(f"{registry.kind} ({registry.takes.__name__})" for registry in REGISTRIES)
    raise InputError(f"nothing to register {shown(thing)} with; expected one of: {kinds}")


def load_entry_points() -> None:
    """Let installed packages register what they have, once in a process."""
    global _entry_points_read
    if _entry_points_read:
        return
    _entry_points_read = True
    from importlib import metadata  # slow to load, and only wanted where a name is not known

    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            point.load()()
        except Exception as error:  # a foreign package may fail in any way, and must not take the planner along
            raise InputError(f"the installed plug-in {point.name!r} ({point.value}) fails: {error}") from error
