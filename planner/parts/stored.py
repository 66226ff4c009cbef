"""A part in a file: its kind, and every number that is not the default of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner.base.codec import sparse_codec_of
from planner.base.dataclass import dataclass
from planner.base.place import Place
from planner.base.registry import load_entry_points

KIND = "kind"


@dataclass(frozen=True)
class Part:
    """Any kind of a part: a subclass of `base`, wherever it was written; it must be imported to be read."""

    base: type[Any]

    def encode(self, value: Any, place: Place) -> dict[str, Any]:
        """The class's name, and its fields."""
        if not isinstance(value, self.base):
            raise place.wrong(f"a {self.base.__name__}", value)
        return {KIND: type(value).__name__, **sparse_codec_of(type(value)).encode(value, place)}

    def decode(self, content: Any, place: Place) -> Any:
        """The part again. Raises what `place` words, for a kind that is not known too."""
        if not isinstance(content, Mapping):
            raise place.wrong("an object", content)
        kinds = {one.__name__: one for one in _below(self.base)}
        kind = content.get(KIND)
        if not isinstance(kind, str):
            raise place.at(KIND).wrong(" or ".join(sorted(kinds)), kind)
        if kind not in kinds:
            load_entry_points()
            kinds = {one.__name__: one for one in _below(self.base)}
        if kind not in kinds:
            raise place.not_registered(f"kind of {self.base.__name__}", kind)
        return sparse_codec_of(kinds[kind]).decode({k: v for k, v in content.items() if k != KIND}, place)


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for one in base.__subclasses__():
        yield one
        yield from _below(one)
