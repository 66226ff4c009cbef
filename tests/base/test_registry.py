"""Registries: one door, unknown names are errors, entry points of other packages are read when a name is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import pytest

from planner.base import registry as module
from planner.base.errors import InputError, UnknownNameError
from planner.base.registry import REGISTRIES, Registry, register


@dataclass(frozen=True)
class Fruit:
    name: str


@pytest.fixture
def fruits() -> Iterator[Registry[Fruit]]:
    made: Registry[Fruit] = Registry("fruit", Fruit)
    made.register(Fruit("apple"))
    yield made
    REGISTRIES.remove(made)


def test_found_whatever_the_case_in_the_order_of_registration(fruits: Registry[Fruit]) -> None:
    pear = register(Fruit("Pear"))
    assert fruits.find("pEAR") is pear
    assert fruits.names() == ("apple", "Pear")
    assert [fruit.name for fruit in fruits] == ["apple", "Pear"]
    assert "pear" in fruits and "plum" not in fruits and 3 not in fruits
    assert len(fruits) == 2


def test_an_unknown_name_is_an_error_with_a_suggestion(fruits: Registry[Fruit]) -> None:
    with pytest.raises(UnknownNameError, match=r"^no fruit is called 'aple'; did you mean 'apple'\?$"):
        fruits.find("aple")
    with pytest.raises(UnknownNameError, match="no fruit is called 7"):
        fruits.find(7)


def test_a_name_is_taken_once_unless_replaced(fruits: Registry[Fruit]) -> None:
    with pytest.raises(InputError, match="there is a fruit called 'Apple' already; choose another name or replace"):
        register(Fruit("Apple"))
    other = register(Fruit("Apple"), replace=True)
    assert fruits.find("apple") is other
    fruits.remove("apple")
    assert "apple" not in fruits
    with pytest.raises(UnknownNameError):
        fruits.remove("apple")


def test_what_no_registry_takes_is_refused(fruits: Registry[Fruit]) -> None:
    with pytest.raises(InputError, match=r"nothing to register 7 with; expected one of: .*fruit \(Fruit\)"):
        register(7)
    with pytest.raises(InputError, match="a fruit is a Fruit, got 7"):
        fruits.register(7)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a fruit needs a name of at least one letter, got ' '"):
        fruits.register(Fruit(" "))


def test_entry_points_are_read_once_when_a_name_is_missing(
    fruits: Registry[Fruit], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Point:
        name, value = "plums", "orchard:register"

        def load(self) -> object:
            return lambda: register(Fruit("plum"))

    def entry_points(group: str) -> list[Point]:
        asked.append(group)
        return [Point()]

    monkeypatch.setattr(module, "_entry_points_read", False)
    monkeypatch.setattr(metadata, "entry_points", entry_points)
    assert fruits.find("apple") == Fruit("apple") and asked == []
    assert fruits.find("plum") == Fruit("plum")
    assert "fig" not in fruits and asked == ["vlm_planner"]


def test_a_plug_in_that_fails_is_named(fruits: Registry[Fruit], monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "plums", "orchard:register"

        def load(self) -> object:
            raise ImportError("no orchard")

    monkeypatch.setattr(module, "_entry_points_read", False)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point()])
    with pytest.raises(InputError, match=r"the installed plug-in 'plums' \(orchard:register\) fails: no orchard"):
        fruits.find("plum")
