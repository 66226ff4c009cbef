"""Importers: an open list of the formats that measured runs are read from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from planner.base.errors import RunsError
from planner.base.registry import Registry, load_entry_points
from planner.runs.importers.sheet import Sheet


class Importer(ABC):
    """One format of measured runs."""

    name: str
    """Of the format, such as "csv"."""
    takes: str
    """What it reads, in words: "the path of a CSV file"."""

    @abstractmethod
    def accepts(self, source: Any) -> bool:
        """Whether a source is of this format. The importer that was registered last is asked first."""

    def is_sure(self, source: Any) -> bool:
        """Whether accepting a source was more than a guess. Installed packages are asked before a guess is followed."""
        return True

    @abstractmethod
    def read(self, source: Any) -> Sheet:
        """The raw cells of a source that was accepted. Raises RunsError for one that is damaged."""


IMPORTERS: Registry[Importer] = Registry("importer of runs", Importer)


def sheet_of(source: Any) -> Sheet:
    """The raw cells of a source, by the importer that accepts it. Raises RunsError where none does."""
    importer = _accepting(source)
    if importer is None or not importer.is_sure(source):
        load_entry_points()
        importer = _accepting(source)
    if importer is None:
        *others, last = (one.takes for one in IMPORTERS)
        raise RunsError(f"runs: expected {', '.join(others)} or {last}, got {type(source).__name__}")
    return importer.read(source)


def _accepting(source: Any) -> Importer | None:
    """The importer that takes a source; the last registered is asked first."""
    return next((one for one in reversed(tuple(IMPORTERS)) if one.accepts(source)), None)
