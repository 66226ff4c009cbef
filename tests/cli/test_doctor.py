"""doctor: what is here is told as it is, and what is missing with the command that brings it."""

from __future__ import annotations

import os
from importlib import metadata

import pytest
import torch
from support import Run

import planner
from planner.bench import doctor as room


def test_what_is_here(run: Run) -> None:
    found = run("doctor", "--json").json
    assert found["vlm_planner"] == planner.__version__ and found["cores"] == os.cpu_count()
    assert found["packages"]["fit, plan, report"]["numpy"] == metadata.version("numpy")
    assert found["packages"]["build, ask, measure, verify"]["torch"] == metadata.version("torch")
    assert found["device"]["threads"] == torch.get_num_threads()
    assert 0 < found["device"]["free_bytes"] <= found["device"]["device_memory_bytes"]


def test_what_is_missing_comes_with_its_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_version", lambda name: None if name == "uvicorn" else "1.0")
    monkeypatch.setattr(room, "_device", lambda: None)
    monkeypatch.setattr(room.shutil, "which", lambda name: None)
    shown = run("doctor")
    assert "missing: explore: pip install 'vlm-planner[app]'" in shown.words
    assert "uvicorn MISSING" in shown.words and "needs a C compiler" in shown.words
    assert "nothing can be measured" in shown.words
    assert max(map(len, shown.out.splitlines())) <= 80


def test_every_extra_that_is_advised_exists() -> None:
    extras = metadata.metadata("vlm-planner").get_all("Provides-Extra") or []
    assert set(room._EXTRAS.values()) <= set(extras)
    assert set(room._EXTRAS) <= set(room._NEEDS)
