"""Fixtures of all tests."""

from __future__ import annotations

import gc

import pytest
from support import Run, runner


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no later garbage collection looks through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process, on a terminal of 80 columns."""
    return runner(monkeypatch, capsys)
