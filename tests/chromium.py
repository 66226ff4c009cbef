"""A real browser for pages: Chromium with its driver and selenium, where they are found."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def missing(*packages: str) -> list[str]:
    """What of the browser, of selenium and of further packages is not found here."""
    found = [name for name in ("selenium", *packages) if importlib.util.find_spec(name) is None]
    return found + [what for what, where in (("chromium", CHROMIUM), ("chromedriver", DRIVER)) if where is None]


def needs_browser(*packages: str) -> list[pytest.MarkDecorator]:
    """Marks for a module of tests: skipped where something is missing, but in CI, which installs all, they fail."""
    lacks = missing(*packages)
    return [
        pytest.mark.skipif(
            bool(lacks) and os.environ.get("CI") != "true", reason=f"not found here: {', '.join(lacks)}"
        ),
        pytest.mark.filterwarnings("ignore::ResourceWarning"),  # selenium leaves its log pipe open
    ]


@contextmanager
def opened(profile: Path, size: tuple[int, int], downloads: Path | None = None) -> Iterator[Any]:
    """The browser, with its log of complaints and of what it asks of the network."""
    assert not missing(), f"not found here: {', '.join(missing())}"
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--window-size={size[0]},{size[1]}", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield found
    finally:
        found.quit()
