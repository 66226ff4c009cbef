"""Fixtures of all tests."""

from __future__ import annotations

import pytest
from support import Run, runner


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process, on a terminal of 80 columns."""
    return runner(monkeypatch, capsys)
