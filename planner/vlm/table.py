"""Open tables of what a saved model's configuration names: compressors, prompt orders, towers, sources of the query.

    COMPRESSORS = Table[type[Compressor]]("compressor")
    COMPRESSORS.register("quecc", QueCC)          # built in
    COMPRESSORS.register("mine", MyCompressor)    # from outside, before a model is made or loaded

What the configuration names is looked up, never compared: a choice carries its behaviour. The planner's own registries
stay out of it, because these modules travel with a saved model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class Table(Mapping[str, T]):
    """Choices by name, in the order in which they were registered."""

    def __init__(self, argument: str) -> None:
        """A table of the values of a configuration's `argument`."""
        self.argument = argument
        self._choices: dict[str, T] = {}

    def register(self, name: str, choice: T) -> T:
        """Add a choice, and return it. Raises ValueError where another one has the name."""
        if self._choices.get(name, choice) is not choice:
            raise ValueError(f"{self.argument}: there is another {name!r} already; choose another name")
        self._choices[name] = choice
        return choice

    def remove(self, name: str) -> None:
        """Take a choice out again. Raises ValueError where there is none."""
        self.find(name)
        del self._choices[name]

    def find(self, name: object) -> T:
        """The choice of that name. Raises ValueError, with the nearest names."""
        if isinstance(name, str) and name in self._choices:
            return self._choices[name]
        near = get_close_matches(str(name), self._choices, n=2)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"{self.argument}: expected one of {', '.join(self._choices)}, got {name!r}{hint}")

    def __getitem__(self, name: str) -> T:
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)
