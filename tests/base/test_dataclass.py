"""The house's dataclasses against those of the standard library, method by method."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, InitVar, field
from functools import cached_property
from typing import Any, ClassVar

import pytest

from planner.base import dataclass as house

Decorator = Callable[..., Any]

KINDS: dict[str, dict[str, bool]] = {
    "plain": {},
    "frozen": {"frozen": True},
    "kw_only": {"frozen": True, "kw_only": True},
    "eq=False": {"frozen": True, "eq": False},
    "repr=False": {"frozen": True, "repr": False},
    "all": {"frozen": True, "kw_only": True, "eq": False, "repr": False},
    "order": {"order": True},
    "slots": {"frozen": True, "slots": True},
}


def made(decorator: Decorator, **options: bool) -> Any:
    """A class with every kind of field."""

    @decorator(**options)
    class Thing:
        """A thing."""

        first: int
        second: list[int] = field(default_factory=lambda: [7], hash=False)
        third: str = "three"
        fourth: float = field(default=4.0, repr=False, compare=False, metadata={"unit": "s"})
        fifth: int = field(default=5, init=False)
        sixth: list[int] = field(default_factory=list, init=False, compare=False)
        shared: ClassVar[int] = 8

        def __post_init__(self) -> None:
            self.sixth.append(self.first)

    return Thing


def derived(decorator: Decorator, base: Any) -> Any:
    @decorator(frozen=True)
    class More(base):
        """More of it."""

        seventh: int = 7

        @cached_property
        def doubled(self) -> int:
            return 2 * self.seventh

    return More


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """The class of the house and that of the standard library."""
    options = KINDS[request.param]
    yield made(house.dataclass, **options), made(dataclasses.dataclass, **options)


def both(pair: tuple[Any, Any], told: Callable[[Any], Any]) -> tuple[Any, Any]:
    def answer(cls: Any) -> Any:
        try:
            return told(cls)
        except Exception as error:
            return type(error), str(error)

    ours, theirs = map(answer, pair)
    return ours, theirs


TOLD: list[Callable[[Any], Any]] = [
    lambda cls: repr(cls(first=1)) if cls.__repr__ is not object.__repr__ else "no repr",
    lambda cls: cls(first=1) == cls(first=1, fourth=9.0),
    lambda cls: cls(first=1) == cls(first=2),
    lambda cls: cls(first=1) == "something else",
    lambda cls: len({cls(first=1), cls(first=1, fourth=9.0), cls(first=2)}),
    lambda cls: cls.__hash__ is None,
    lambda cls: cls(1, [2], "t", 4.5).second,
    lambda cls: (cls(first=1).second, cls(first=1).second is cls(first=1).second),
    lambda cls: (cls(first=3).fifth, cls(first=3).sixth),
    lambda cls: cls(first=1, fifth=6),
    lambda cls: cls(),
    lambda cls: str(inspect.signature(cls)),
    lambda cls: cls.__init__.__annotations__,
    lambda cls: cls.__init__.__qualname__,
    lambda cls: cls.__match_args__,
    lambda cls: str(cls.__dataclass_params__),
    lambda cls: [(one.name, one.type, one.default, one.metadata, one.kw_only) for one in dataclasses.fields(cls)],
    lambda cls: dataclasses.asdict(cls(first=1)),
    lambda cls: dataclasses.replace(cls(first=1), third="x").third,
    lambda cls: setattr(cls(first=1), "first", 2),
    lambda cls: setattr(cls(first=1), "other", 2),
    lambda cls: delattr(cls(first=1), "first"),
    lambda cls: copy.deepcopy(cls(first=1)).second,
    lambda cls: cls(first=1) < cls(first=2),
]


@pytest.mark.parametrize("told", TOLD, ids=range(len(TOLD)))
def test_classes_of_the_house_are_those_of_the_library(pair: tuple[Any, Any], told: Callable[[Any], Any]) -> None:
    ours, theirs = both(pair, told)
    assert ours == theirs


@pytest.mark.parametrize("told", TOLD[:-1], ids=range(len(TOLD) - 1))
@pytest.mark.parametrize("decorators", [(house, house), (house, dataclasses), (dataclasses, house)])
def test_classes_inherit_from_either(decorators: tuple[Any, Any], told: Callable[[Any], Any]) -> None:
    below, above = decorators
    ours = derived(above.dataclass, made(below.dataclass, frozen=True))
    theirs = derived(dataclasses.dataclass, made(dataclasses.dataclass, frozen=True))
    assert both((ours, theirs), told)[0] == both((ours, theirs), told)[1]
    assert ours(first=1).doubled == 14
    with pytest.raises(TypeError, match="cannot inherit"):
        below.dataclass(type("Thawed", (ours,), {}))


def test_what_a_class_defines_itself_is_kept() -> None:
    @house.dataclass(frozen=True)
    class Own:
        name: str

        def __repr__(self) -> str:
            return f"<{self.name}>"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 3

    assert repr(Own("a")) == "<a>"
    assert Own("a") == Own("b")
    assert hash(Own("a")) == 3


def test_rare_classes_are_made_by_the_library() -> None:
    @house.dataclass
    class Counted:
        start: InitVar[int]
        _: KW_ONLY
        own: int = 1

        def __post_init__(self, start: int) -> None:
            self.own += start

    assert [one.name for one in dataclasses.fields(Counted)] == ["own"]
    assert str(inspect.signature(Counted)) == "(start: 'InitVar[int]', *, own: 'int' = 1) -> None"
    assert Counted(3).own == 4
    with pytest.raises(TypeError, match="unexpected keyword argument 'frosen'"):
        house.dataclass(frosen=True)(type("Thing", (), {}))


def test_a_class_without_docstring_lists_its_own_fields() -> None:
    assert house.dataclass(type("Thing", (), {"__annotations__": {"first": int, "second": str}})).__doc__ == (
        "Thing(first, second)"
    )
    assert made(house.dataclass).__doc__ == "A thing."


@house.dataclass(frozen=True)
class Kept:
    """At module level, where pickles find it."""

    value: int
    others: tuple[Any, ...] = ()


def test_pickles_and_circles() -> None:
    one = Kept(1, (Kept(2),))
    assert pickle.loads(pickle.dumps(one)) == one
    circle: list[Any] = []
    circle.append(Kept(3, (circle,)))
    assert repr(circle[0]) == "Kept(value=3, others=([...],))"


def test_it_compiles_one_method() -> None:
    compiled = []

    def seen(event: str, given: tuple[Any, ...]) -> None:
        if event == "compile" and watching:
            compiled.append(given)

    watching = False
    sys.addaudithook(seen)
    watching = True
    made(house.dataclass, frozen=True)
    ours, compiled = len(compiled), []
    made(dataclasses.dataclass, frozen=True)
    theirs = len(compiled)
    watching = False
    assert (ours, theirs > 4) == (1, True)
