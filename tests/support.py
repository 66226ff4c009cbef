"""What several tests need: a command run in this process, and what it left behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from planner import cli


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout; NaN and infinities are no JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out, parse_constant=pytest.fail)

    @property
    def words(self) -> str:
        """What was printed, whatever the line breaks."""
        assert (self.code, self.err) == (0, "")
        return " ".join(self.out.split())

    @property
    def complaint(self) -> str:
        """The one line on stderr of a command that did nothing."""
        assert self.out == ""
        assert self.err.startswith("error: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("error: ").removesuffix("\n")


Run = Callable[..., Done]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """What runs the command line in this process, on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def main(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["vlm-planner", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Done(code, *capsys.readouterr())

    return main
