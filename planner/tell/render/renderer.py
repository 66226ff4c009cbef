"""Renderers: an open list, found by the suffix of the file that is to be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from planner.base.dataclass import dataclass
from planner.base.registry import Registry, load_entry_points
from planner.base.suffix import wrong_suffix
from planner.tell.document import Document


@dataclass(frozen=True)
class Renderer:
    """What makes the text of a file of a Document."""

    name: str
    suffix: str
    """Of the files that it writes, such as ".html"."""
    render: Callable[[Document], str]


def _fill() -> None:
    """What is built in; loaded when a file is to be written, the console shows documents without it."""
    from planner.tell.render.html import html
    from planner.tell.render.json import json
    from planner.tell.render.markdown import markdown

    for name, suffix, render in (("html", ".html", html), ("markdown", ".md", markdown), ("json", ".json", json)):
        RENDERERS.register(Renderer(name, suffix, render))


RENDERERS: Registry[Renderer] = Registry("renderer", Renderer, _fill)


def suffixes() -> tuple[str, ...]:
    """Of every file that can be written."""
    return tuple(renderer.suffix for renderer in RENDERERS)


def renderer_of(path: str | os.PathLike[str], what: str = "a page") -> Renderer:
    """The renderer of a file, by its suffix. Raises InputError, with the suffixes that are known."""
    suffix = Path(path).suffix.lower()
    found = _of_suffix(suffix)
    if found is None:
        load_entry_points()
        found = _of_suffix(suffix)
    if found is None:
        raise wrong_suffix(what, path, suffixes())
    return found


def _of_suffix(suffix: str) -> Renderer | None:
    return next((renderer for renderer in RENDERERS if renderer.suffix == suffix), None)
