"""The published runs, read once."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from planner.runs import Runs, read_runs


def _read(name: str) -> Runs:
    return read_runs(Path(str(resources.files("fitted_laws") / "runs" / f"qwen1.5_tokenpacker_{name}.csv")))


@pytest.fixture(scope="session")
def reasoning() -> Runs:
    return _read("reasoning")


@pytest.fixture(scope="session")
def ocr() -> Runs:
    return _read("ocr")
