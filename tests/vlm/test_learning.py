"""What a compressor can learn: one visual token holds what was asked for, where the query reaches the compressor."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

STEPS = 1500
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
"""The segments of a seven-segment display that show 0 to 9: a on top, then clockwise, g in the middle."""
BARS = {
    "a": (0, slice(2, 6)),
    "b": (slice(0, 4), 5),
    "c": (slice(4, 8), 5),
    "d": (7, slice(2, 6)),
    "e": (slice(4, 8), 2),
    "f": (slice(0, 4), 2),
    "g": (slice(3, 5), slice(2, 6)),
}


def drawn_digits() -> tuple[Tensor, Tensor]:
    """Digits of a display, (100, 8, 8), each in ten brightnesses, and which they are: nothing to install."""
    glyphs = torch.zeros(10, 8, 8)
    for digit, segments in enumerate(SEGMENTS):
        for segment in segments:
            glyphs[(digit, *BARS[segment])] = 1
    brightness = torch.linspace(0.7, 1.0, 10)[:, None, None, None]
    return (brightness * glyphs).flatten(0, 1), torch.arange(10).repeat(10)


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("learn_query", BENCHMARKS / "learn_query.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "learn_query", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_one_token_learns_what_the_question_asks_for(experiment: ModuleType) -> None:
    torch.set_num_threads(1)
    train, test = experiment.split(*drawn_digits(), images=16_000)
    scores = {
        variant.name: experiment.learn(variant, 0, train, test, steps=STEPS, every=STEPS)["accuracy"]
        for variant in experiment.VARIANTS
        if variant.name in ("quecc, gradient", "quecc, no query")
    }
    assert scores["quecc, gradient"] > 0.8
    assert scores["quecc, no query"] < 0.6
