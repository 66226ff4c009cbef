"""Formats of load test results: an open list, one file a format; which one a file is of, is seen in its content."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planner.base.files import read_text
from planner.base.registry import Registry, load_entry_points
from planner.bench.loadtests.load_test import LoadTest
from planner.bench.loadtests.said import Said

EXPECTED = "results of a load test"
_START_MAX = 4096
"""Characters in which the first line of a CSV file ends."""


class LoadTestFile:
    """A file that may hold results; its text and documents are read once, when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text: str | None = None
        self._documents: tuple[Any, ...] | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.path.name

    @property
    def text(self) -> str:
        """Its text. Raises InputError for what is none."""
        if self._text is None:
            self._text = read_text(self.path, EXPECTED)
        return self._text

    @property
    def first_line(self) -> str:
        return self.text[:_START_MAX].lstrip().partition("\n")[0].strip()

    @property
    def documents(self) -> tuple[Any, ...]:
        """The JSON documents in it: one, or one in each line; () for a file that is no JSON."""
        if self._documents is None:
            self._documents = _documents(self.text)
        return self._documents


def _documents(text: str) -> tuple[Any, ...]:
    if text.lstrip()[:1] not in ("{", "["):
        return ()
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        pass
    try:
        return tuple(json.loads(line) for line in text.splitlines() if line.strip())
    except (ValueError, RecursionError):
        return ()


class LoadTestFormat(ABC):
    """How one tool writes what it measured."""

    name: str
    """Of the format, such as "guidellm"."""
    takes: str
    """The files that it reads, in words."""
    tool: str
    """Whose format it is."""
    rank: int = 0
    """Of files of one tool in one folder, those of the highest rank are read, with what the others add."""

    @abstractmethod
    def accepts(self, file: LoadTestFile) -> bool:
        """Whether a file is of this format, by its content."""

    @abstractmethod
    def read(self, file: LoadTestFile, said: Said, beside: Sequence[LoadTestFile] = ()) -> list[LoadTest]:
        """The load tests in a file.

        Args:
            file: one that it accepts.
            said: what the user says of the test. It is filled in afterwards (`Said.of`): only what a test cannot be
                without has to be taken from it here.
            beside: files of the same tool and folder, of formats of a lower rank.

        Raises:
            InputError: a damaged file, or something that neither the file nor the user says.
        """


LOAD_TESTS: Registry[LoadTestFormat] = Registry("format of load test results", LoadTestFormat)


def format_of(file: LoadTestFile) -> LoadTestFormat | None:
    """The last registered format that accepts a file; None for a file of another kind."""
    load_entry_points()
    return next((one for one in reversed(tuple(LOAD_TESTS)) if one.accepts(file)), None)
