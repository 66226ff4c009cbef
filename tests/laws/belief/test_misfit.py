"""The sizes of what forms leave out rest on what is recorded of published grids."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from planner.laws.belief.believe import PRIOR_NOISE
from planner.laws.belief.misfit import LLM_SIZES, PRIOR_ODDS

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def recorded(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((BENCHMARKS / "results" / f"{name}.json").read_text("utf-8"))
    return found


def test_offsets_reach_beyond_the_published_ones() -> None:
    found = recorded("model_offsets")["one_standard_error"]
    assert isinstance(found, list)
    low, high = (end / PRIOR_NOISE for end in found)
    assert any(low < size < high for size in LLM_SIZES)
    assert max(LLM_SIZES) > 1.5 * high


def test_that_models_have_no_offsets_is_no_less_likely_than_published_grids_say() -> None:
    grids = recorded("offset_sizes")["grids"]
    assert isinstance(grids, dict)
    of_none = 1 / (1 + PRIOR_ODDS[2] * np.count_nonzero(LLM_SIZES))
    assert grids["all"]["series"] > 50
    assert grids["all"]["share_of_each_size"]["0.0"] < of_none < 0.5


def test_shares_that_are_planted_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 series of four models' means: offsets of none or of three times their noise."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from offset_sizes import shares

    random = np.random.default_rng(1)
    size = np.where(random.random(3000) < 0.3, 0.0, 3.0)
    squares = (np.sqrt(1 + size[:, None] ** 2) * random.standard_normal((3000, 4))) ** 2
    of_each = [np.exp(-0.5 * squares.sum(axis=1) / (1 + one**2)) / (1 + one**2) ** 2 for one in (0.0, 3.0)]
    assert shares(np.column_stack(of_each)) == pytest.approx([0.3, 0.7], abs=0.03)
