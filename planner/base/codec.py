"""Dataclasses <-> plain JSON types, by their type hints, every field checked.

    dataclass                    object, its keys the fields; frozen or not
    float, int, str, bool        number (finite, of 64 bits), text, true or false; a bool is no number
    numpy array of floats        list of numbers, nested as its axes are; a number where it has none
    tuple[X, ...], tuple[A, B]   list
    Mapping[str, X]              object
    Literal                      one of its values
    A | B | None                 what fits first
    Any                          plain JSON
    Annotated[X, custom]         as `custom` says, an object with the two methods of `Custom`

A class may say in DERIVED which of its properties are written beside its fields, for whoever reads the file; they are
passed over when it is read. A field may be declared with `metadata=SPARSE`: it is left out of the file where it has its
default; or, a mapping, with `metadata=INLINE`: its entries stand beside the other fields.

A class that people write by hand says in BY_HAND what its entries are ("entry of a profile"): those that have a default
may be left out, and a wrong name gets suggestions. What its constructor checks and words itself is `AsGiven`.

A class whose constructor changes what it is given may say in `restored(**fields)` how it is made of what a file holds.

Hints are resolved when a class is first met, so that nothing is paid for classes that no file holds.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar

from planner.base.containers import Array, Entries, FirstOf, Fixed, Row
from planner.base.dataclass import dataclass
from planner.base.errors import InputError, NotRegisteredError, UnknownNameError
from planner.base.place import Place
from planner.base.stored import PLAIN, Choice, Custom

T = TypeVar("T")

SPARSE: Final[Mapping[str, str]] = types.MappingProxyType({"stored": "sparse"})
"""Metadata of a field that is left out of a file where it has its default."""
INLINE: Final[Mapping[str, str]] = types.MappingProxyType({"stored": "inline"})
"""Metadata of a mapping whose entries stand beside the other fields of its object."""


@dataclass(frozen=True)
class AsGiven:
    """Written as a type is; read as it stands, because the constructor of the class takes it in several ways."""

    hint: Any
    expected: str = "plain JSON"

    def encode(self, value: Any, place: Place) -> Any:
        return codec_of(self.hint).encode(value, place)

    def decode(self, content: Any, place: Place) -> Any:
        return content


def encode(thing: Any, origin: str = "the file") -> Any:
    """A dataclass as plain JSON types. Raises InputError for a number that is not finite, or what JSON cannot hold."""
    return codec_of(type(thing)).encode(thing, Place(origin, advice=""))


def decode(cls: type[T], content: Any, place: Place | str = "the content") -> T:
    """The dataclass that `encode` made `content` of. Raises InputError, naming the file and the place in it."""
    found: T = codec_of(cls).decode(content, Place(place) if isinstance(place, str) else place)
    return found


def codec_of(hint: Any) -> Custom:
    """What stores values of a type. Raises TypeError for a type that no file can hold: a mistake in our own code."""
    return _codec_of(hint)


@cache
def _codec_of(hint: Hashable) -> Custom:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        custom = next((one for one in arguments[1:] if hasattr(one, "decode") and hasattr(one, "encode")), None)
        return custom or codec_of(arguments[0])
    if origin is Literal:
        return Choice(arguments)
    if origin in (typing.Union, types.UnionType):
        return FirstOf(tuple(map(codec_of, arguments)))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return Row(codec_of(arguments[0]))
        return Fixed(tuple(map(codec_of, arguments)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if arguments[0] is not str:
            raise TypeError(f"keys of a stored mapping are texts, not {arguments[0]}")
        return Entries(codec_of(arguments[1]))
    if isinstance(origin, type) and origin.__module__ == "numpy" and origin.__name__ == "ndarray":
        return Array()
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _Object(hint)
    raise TypeError(f"no file can hold a {hint}")


def sparse_codec_of(cls: Any) -> Custom:
    """What stores a dataclass without the fields that have their default: fields that are added later break no file."""
    return _sparse_codec_of(cls)


@cache
def _sparse_codec_of(cls: Hashable) -> Custom:
    return _Object(typing.cast("type[Any]", cls), sparse=True)


class _Object:
    """A dataclass."""

    expected = "an object"

    def __init__(self, cls: type[Any], sparse: bool = False) -> None:
        self.cls, self.sparse = cls, sparse
        self._fields: tuple[tuple[str, Custom, dataclasses.Field[Any]], ...] | None = None

    @property
    def fields(self) -> tuple[tuple[str, Custom, dataclasses.Field[Any]], ...]:
        """Name, codec and declaration of each field that is stored; resolved when first asked for."""
        if self._fields is None:
            hints = typing.get_type_hints(self.cls, include_extras=True)
            self._fields = tuple(
                (one.name, codec_of(hints[one.name]), one) for one in dataclasses.fields(self.cls) if one.init
            )
        return self._fields

    def _stored(self, declared: dataclasses.Field[Any]) -> str | None:
        if self.sparse and _has_default(declared):
            return "sparse"
        return declared.metadata.get("stored")

    def encode(self, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, self.cls):
            raise place.wrong(f"a {self.cls.__name__}", value)
        found = {name: PLAIN[Any].encode(getattr(value, name), place.at(name)) for name in derived_of(self.cls)}
        for name, codec, declared in self.fields:
            own = getattr(value, name)
            stored = self._stored(declared)
            if stored == "inline":
                found.update(codec.encode(self._beside(own, place), place))
            elif stored != "sparse" or own != _default(declared):
                found[name] = codec.encode(own, place.at(name))
        return found

    def _beside(self, entries: Any, place: Place) -> Any:
        """Entries that stand beside the fields. Raises InputError for one that has the name of a field."""
        for name in {one for one, _, _ in self.fields}.union(derived_of(self.cls)).intersection(entries):
            raise place.at(name).complaint(f"is a field of {self.cls.__name__}, expected another name", joint=" ")
        return entries

    def decode(self, content: Any, place: Place) -> Any:
        if not isinstance(content, Mapping):
            raise place.wrong("an object", content)
        values, known, inline = {}, set(derived_of(self.cls)), None
        by_hand = str(getattr(self.cls, "BY_HAND", ""))
        for name, codec, declared in self.fields:
            stored = self._stored(declared)
            if stored == "inline":
                inline = (name, codec)
                continue
            known.add(name)
            if name in content:
                values[name] = codec.decode(content[name], place.at(name))
            elif stored != "sparse" and not (by_hand and _has_default(declared)):
                raise place.missing(name)
        rest = {name: one for name, one in content.items() if name not in known}
        if inline is not None:
            values[inline[0]] = inline[1].decode(rest, place)
        elif rest:
            name = str(next(iter(rest)))
            if by_hand:
                raise place.complaint(str(UnknownNameError(by_hand, name, sorted(known))))
            raise place.at(name).complaint("is no entry that this vlm-planner knows", joint=" ")
        try:
            return getattr(self.cls, "restored", self.cls)(**values)
        except NotRegisteredError as error:
            raise place.not_registered(error.what, error.name) from None
        except (InputError, ArithmeticError, ValueError, TypeError) as error:
            raise place.complaint(" ".join(str(error).split())) from None


def derived_of(cls: type[Any]) -> tuple[str, ...]:
    """Properties of a class that are written for people and passed over when read."""
    found = getattr(cls, "DERIVED", ())
    return tuple(found)


def _has_default(declared: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return declared.default is not missing or declared.default_factory is not missing


def _default(declared: dataclasses.Field[Any]) -> Any:
    if declared.default is not dataclasses.MISSING:
        return declared.default
    if declared.default_factory is not dataclasses.MISSING:
        return declared.default_factory()
    raise TypeError(f"{declared.name} is sparse and has no default")
