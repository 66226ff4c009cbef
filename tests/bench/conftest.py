"""One thread and one take, so that tests beside each other disturb each other less; no progress bars of
transformers; ceilings measured once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from bench.once import ceilings_once
from transformers.utils import logging


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    monkeypatch.setattr("planner.bench.retakes.RETAKES", 0)
    ceilings_once(monkeypatch)
    yield
    torch.set_num_threads(threads)
