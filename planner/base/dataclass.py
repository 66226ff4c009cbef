"""Dataclasses that are made faster: a plan from cold makes two hundred of them.

`dataclasses.dataclass` compiles six methods of a frozen class, each from a text of its own. Here only `__init__` is
compiled; the others read the fields when they are called. What comes out is a dataclass as any other: for `fields`,
`replace`, `asdict`, pickles, signatures, and for classes that inherit from it by either decorator.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """As `dataclasses.dataclass`, which makes the classes that ask for what is rare."""
        if cls is None:
            return lambda own: dataclass(own, **options)
        annotated = inspect.get_annotations(cls).items()
        rare = options.keys() - _USUAL or _UNUSUAL & cls.__dict__.keys() or any(map(_is_odd, annotated))
        return dataclasses.dataclass(cls, **options) if rare else _made(cls, **options)


Values = Callable[[Any], tuple[Any, ...]]

_USUAL = {"frozen", "eq", "repr", "kw_only"}
_UNUSUAL = {"__setattr__", "__delattr__", "__slots__"}


def _is_odd(annotated: tuple[str, object]) -> bool:
    name, kind = annotated
    return name == "self" or "InitVar" in str(kind)


def _made(cls: Any, frozen: bool = False, eq: bool = True, repr: bool = True, kw_only: bool = False) -> Any:
    own = dict(cls.__dict__)
    if not cls.__doc__:  # else the standard library would write the signature there, for which it reads types
        cls.__doc__ = f"{cls.__name__}({', '.join(inspect.get_annotations(cls))})"
    if any(hasattr(base, "__dataclass_fields__") for base in cls.__mro__[1:]):
        # whether a class may inherit from its bases, and how it is frozen then, is the standard library's
        dataclasses.dataclass(repr=False, eq=False, frozen=frozen, kw_only=kw_only)(cls)
        fields = dataclasses.fields(cls)
    else:
        dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
        fields = dataclasses.fields(cls)
        if "__init__" not in own:
            _add(cls, _init(cls, fields, frozen))
        if frozen:
            for method in _frozen(cls, frozenset(one.name for one in fields)):
                _add(cls, method)
    told = cls.__dataclass_params__
    told.init, told.repr, told.eq, told.frozen = True, repr, eq, frozen
    if repr and "__repr__" not in own:
        _add(cls, _repr([one.name for one in fields if one.repr]))
    if eq and "__eq__" not in own:
        _add(cls, _eq(_values_of([one.name for one in fields if one.compare])))
    if eq and ("__hash__" not in own or (own["__hash__"] is None and "__eq__" in own)):
        hashed = [one.name for one in fields if (one.compare if one.hash is None else one.hash)]
        cls.__hash__ = None
        if frozen:
            _add(cls, _hash(_values_of(hashed)))
    return cls


def _add(cls: type, method: Any) -> None:
    method.__qualname__ = f"{cls.__qualname__}.{method.__name__}"
    setattr(cls, method.__name__, method)


class _Factory:
    """Stands for the default of a field that is made anew each time."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


def _init(cls: type, fields: Sequence[dataclasses.Field[Any]], frozen: bool) -> Any:
    """The only method whose text depends on the class: its signature."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_FACTORY": _FACTORY}
    asked: dict[bool, list[str]] = {False: [], True: []}
    lines: list[str] = []
    for one in fields:
        name, value = one.name, one.name
        if one.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"], default = one.default_factory, "=_FACTORY"
            value = f"_make_{name}() if {name} is _FACTORY else {name}" if one.init else f"_make_{name}()"
        elif one.default is not dataclasses.MISSING:
            known[f"_default_{name}"], default = one.default, f"=_default_{name}"
        elif not one.init:
            continue
        else:
            default = ""
        if one.init:
            asked[bool(one.kw_only)].append(name + default)
        elif one.default_factory is dataclasses.MISSING:
            continue
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    several = ", ".join(["self", *asked[False], *(["*", *asked[True]] if asked[True] else [])])
    body = "\n  ".join(lines or ["pass"])
    text = f"def make({', '.join(known)}):\n def __init__({several}):\n  {body}\n return __init__"
    made: dict[str, Any] = {}
    exec(text, sys.modules[cls.__module__].__dict__, made)
    found = made["make"](**known)
    in_order = sorted((one for one in fields if one.init), key=lambda one: bool(one.kw_only))
    found.__annotations__ = {**{one.name: one.type for one in in_order}, "return": None}
    return found


def _frozen(cls: Any, names: frozenset[str]) -> tuple[Any, Any]:
    def __setattr__(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


def _repr(names: Sequence[str]) -> Any:
    @recursive_repr()
    def __repr__(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _eq(values: Values) -> Any:
    def __eq__(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(values: Values) -> Any:
    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _values_of(names: Sequence[str]) -> Values:
    """What reads the values of some fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple(getattr(one, name) for name in names)
