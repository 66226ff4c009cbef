"""Fixtures of the command line's tests: the published runs as files."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest


def _published(name: str) -> Iterator[Path]:
    with resources.as_file(resources.files("fitted_laws") / "runs" / f"qwen1.5_tokenpacker_{name}.csv") as path:
        yield path


@pytest.fixture(scope="session")
def runs() -> Iterator[Path]:
    """The published reasoning runs, as a CSV file."""
    yield from _published("reasoning")


@pytest.fixture(scope="session")
def ocr() -> Iterator[Path]:
    """The published text-reading runs, as a CSV file."""
    yield from _published("ocr")
