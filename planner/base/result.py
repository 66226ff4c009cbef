"""Result: what plans, laws, costs and measurements have in common: how a notebook shows them, and their picture.

Stories and pictures are made by rooms that stand above those of the results. Imports point one way, so a result does
not import them: the package says, when it is imported, where they are found (`stands_under`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Above(Protocol):
    """What rooms above a result do with it."""

    def html_of(self, result: Any) -> str | None:
        """Its story, as HTML that can stand in a page; None where nothing is told of such a result."""

    def picture_of(self, result: Any, **options: Any) -> Figure:
        """Its picture. Raises InputError where there is none of such a result."""

    def page_suffixes(self) -> tuple[str, ...]:
        """Of the files that its story can be written to."""

    def intervals_of(self, law: Any, level: float) -> Mapping[str, Any]:
        """Intervals of a law's parameters, by name."""


_find: Callable[[], Above] | None = None


def stands_under(find: Callable[[], Above]) -> None:
    """Say what gives the rooms above; it is called when a result first needs them."""
    global _find
    _find = find


def above() -> Above:
    """The rooms above the results."""
    assert _find is not None, "planner/__init__.py says so before any result is made"
    return _find()


class Result:
    """Something that is told as a story."""

    def _repr_html_(self) -> str | None:
        """Its story, as Jupyter shows it; None, where there is none, shows its line of text."""
        return above().html_of(self)
