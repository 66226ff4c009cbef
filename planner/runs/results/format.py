"""Formats of evaluation results: an open list, one file a format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner.base.errors import RunsError
from planner.base.files import read_text
from planner.base.registry import Registry, load_entry_points
from planner.runs.results.reading import Reading
from planner.runs.results.scales import Rule


class ResultFormat(ABC):
    """How one evaluation tool writes what it measured."""

    name: str
    """Of the format, such as "lmms-eval"."""
    takes: str
    """The files that it reads, in words."""
    by_a_tool: bool = True
    """Whether only an evaluation tool writes such a file: a table may be one of measured runs as well."""
    rules: tuple[Rule, ...] = ()
    """Scales by task, the first that matches holds; a task without one is not read unless its full mark is named."""

    @abstractmethod
    def accepts(self, file: ResultFile) -> bool:
        """Whether a file is of this format."""

    @abstractmethod
    def read(self, file: ResultFile) -> list[Reading]:
        """What a file says, one reading for each model and task. Raises RunsError for a damaged one."""


class ResultFile:
    """A file that may hold results; its text and JSON are read once, when they are asked for."""

    def __init__(self, path: Path, root: Path) -> None:
        """A file found under `root`, which is what the user named."""
        self.path = path
        self.root = root
        self._json: Any = None
        self._read = False

    @property
    def shown(self) -> str:
        """How messages call it: its path below what the user named."""
        try:
            inside = self.path.relative_to(self.root)
        except ValueError:
            return self.path.name
        return str(inside) if str(inside) != "." else self.path.name

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders that it is in, the nearest first, up to what the user named."""
        base = self.root if self.root.is_dir() else self.root.parent
        found = []
        for parent in self.path.parents:
            found.append(parent.name)
            if parent == base:
                break
        return tuple(name for name in found if name)

    def text(self) -> str:
        return read_text(self.path, "evaluation results", RunsError)

    def json(self) -> Any:
        """The content of a .json file, None where it is not JSON or has another suffix."""
        if not self._read and self.path.suffix.lower() == ".json":
            import json

            try:
                self._json = json.loads(self.text())
            except (ValueError, RecursionError):
                self._json = None
        self._read = True
        return self._json


RESULTS: Registry[ResultFormat] = Registry("format of evaluation results", ResultFormat)

_FILES_MAX = 20_000
_SUFFIXES = (".json", ".csv", ".tsv", ".xlsx", ".md", ".tex", ".txt")


def format_of(file: ResultFile, name: str = "auto") -> ResultFormat | None:
    """The format of a file: the one of that name, or with "auto" the last registered that accepts it."""
    if name != "auto":
        return RESULTS.find(name)
    return next((one for one in reversed(tuple(RESULTS)) if one.accepts(file)), None)


def files_under(path: Path) -> Iterator[ResultFile]:
    """The file itself, or all files of a folder and its subfolders that can hold results, by name.

    Raises:
        RunsError: there is no such path, or too many files.
    """
    if not path.exists():
        raise RunsError(f"cannot read {path}: no such file or folder; expected evaluation results")
    if not path.is_dir():
        yield ResultFile(path, path)
        return
    load_entry_points()
    found = (one for one in sorted(path.rglob("*")) if one.suffix.lower() in _SUFFIXES and one.is_file())
    for count, one in enumerate(found):
        if count >= _FILES_MAX:
            raise RunsError(f"{path} holds more than {_FILES_MAX} files; name the folder of the results")
        yield ResultFile(one, path)


def number_of(value: Any) -> float | None:
    """A number of a JSON document as a float; None for what is none: a text such as "N/A", null, true."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value == value and abs(value) != float("inf") else None
