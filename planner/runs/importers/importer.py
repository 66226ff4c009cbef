"""Importers: an open list of the formats that measured runs are read from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from planner.base.errors import RunsError
from planner.base.quantities import shown
from planner.base.registry import Registry
from planner.runs.importers.sheet import Sheet


class Importer(ABC):
    """One format of measured runs."""

    name: str
    """Of the format, such as "csv"."""
    takes: str
    """What it reads, in words: "the path of a CSV file"."""

    @abstractmethod
    def accepts(self, source: Any) -> bool:
        """Whether a source is of this format; the last registered importer is asked first."""

    @abstractmethod
    def read(self, source: Any) -> Sheet:
        """The raw cells of a source that was accepted. Raises RunsError for one that is damaged."""


IMPORTERS: Registry[Importer] = Registry("importer of runs", Importer)


def sheet_of(source: Any) -> Sheet:
    """The raw cells of a source, by the importer that accepts it. Raises RunsError where none does."""
    for importer in reversed(tuple(IMPORTERS)):
        if importer.accepts(source):
            return importer.read(source)
    *others, last = (importer.takes for importer in IMPORTERS)
    got = type(source).__name__ if not isinstance(source, str) else shown(source)
    raise RunsError(f"runs: expected {', '.join(others)} or {last}, got {got}")
