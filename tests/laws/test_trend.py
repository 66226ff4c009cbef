"""What is said of a law without an effect: flat, rising, or falling where the fit has no room for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planner
from planner.laws.fit_data import FitData
from planner.laws.fitted import NOT_IDENTIFIED
from planner.laws.trend import trend_of
from planner.runs import Runs, read_runs

AI2D = Path(__file__).parent / "tables" / "paligemma2_ai2d.csv"
"""PaliGemma 2 (arXiv 2412.03555v1), table 13: means of five fine-tunings."""


def data(n: list[float], t: list[float], y: list[float]) -> FitData:
    return FitData(np.array(n), np.array(t), np.array(y), np.ones(len(n)))


def test_a_trend_is_that_of_runs_of_one_size() -> None:
    """Larger models were measured with fewer tokens: pooled, the error rises with T; at one size it falls."""
    found = trend_of("T", data([1, 1, 8, 8], [256, 1024, 16, 64], [0.5, 0.49, 0.3, 0.29]))
    assert found.change == pytest.approx(-0.01 * np.log(64) / np.log(4))
    assert found.falls
    assert found.step(1e9) == "by 0.03 from 16 to 1024"
    assert not trend_of("T", data([1, 1, 8, 8], [16, 64, 16, 64], [0.5, 0.49, 0.3, 0.31])).falls
    assert trend_of("N", data([1, 8], [16, 16], [0.3, 0.5])).rises
    nothing = trend_of("N", data([1, 8], [16, 64], [0.3, 0.5]))  # no two sizes at one token count
    assert (nothing.falls, nothing.rises) == (False, False)


def test_an_error_that_falls_at_every_size_is_not_said_to_be_flat() -> None:
    """Weights by error_se and a slope in N shared with a task of its own make c2 of AI2D 0, although it falls."""
    ai2d = read_runs(AI2D)
    assert ai2d.error.tolist() == pytest.approx([0.253, 0.169, 0.168, 0.24, 0.156, 0.154])
    assert trend_of("T", FitData(ai2d.llm_params, ai2d.visual_tokens, ai2d.error, np.ones(6))).falls
    flat_in_n = np.array([0.3, 0.295, 0.292, 0.28, 0.275, 0.272])
    both = Runs(
        llm=ai2d.llm * 2,
        llm_params=np.tile(ai2d.llm_params, 2),
        visual_tokens=np.tile(ai2d.visual_tokens, 2),
        error=np.concatenate([ai2d.error, flat_in_n]),
        error_se=np.concatenate([ai2d.error_se, np.full(6, 0.0003)]),  # type: ignore[list-item]
        task=("AI2D",) * 6 + ("other",) * 6,
    )
    joint = planner.fit_joint(both, "log-linear", by="task", shared=["c1"])
    law = joint["AI2D"]
    assert law.params["c2"] == 0
    assert law.status == NOT_IDENTIFIED
    assert law.advice.startswith("the error falls with T in the runs, by 0.013 from 256 to 1024 at the same N, but")
    assert "no fall" not in law.advice
    alone = planner.fit(ai2d, "log-linear")
    assert alone.params["c2"] > 0


def test_a_rise_is_said() -> None:
    sizes, tokens = np.array([(n, t) for n in (1, 2, 4) for t in (4, 16, 64)], float).T
    runs = Runs(("m",) * 9, sizes * 1e9, tokens, 0.5 - 0.05 * np.log(sizes) + 0.01 * np.log(tokens))
    advice = planner.fit(runs, "log-linear").advice
    assert "no fall of the error with T but a rise, by 0.028 from 4 to 64: more visual tokens do not help" in advice
