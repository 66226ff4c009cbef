"""What tests of measuring need of the device as a whole, measured once in each process."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import pytest

from planner.bench.ceilings import measure_ceilings

_ONCE = cache(measure_ceilings)


def ceilings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements share the ceilings of a device and type: taking them costs more than a small model."""
    monkeypatch.setattr(import_module("planner.bench.measure"), "measure_ceilings", _ONCE)
