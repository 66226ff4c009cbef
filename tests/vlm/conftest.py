"""What the tests of the model need around them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from transformers.utils import logging


@pytest.fixture(autouse=True)
def _quiet_and_small() -> Iterator[None]:
    """Two threads, or one where tests run side by side, and no progress bars among the test results."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
    logging.disable_progress_bar()
    yield
    torch.set_num_threads(threads)
