"""Spreads that are planted, and laws and targets to try them on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from planner.laws.fitted import FittedLaw
from planner.planning.transfer.origin import Targets
from planner.planning.transfer.spreads import Spreads

NOTHING: dict[str, float] = dict.fromkeys(
    (
        "family",
        "family_slope",
        "family_task",
        "recipe",
        "recipe_text_task",
        "recipe_other_task",
        "checkpoint",
        "checkpoint_task",
        "checkpoint_text_slope",
        "compressor",
        "compressor_slope",
        "compressor_task",
        "compressor_task_slope",
        "compressor_class_slope",
        "compressor_class_curve",
    ),
    0.0,
)


def spreads(**more: Any) -> Spreads:
    """Nothing but what is named."""
    known: dict[str, Any] = {"classes_of_tasks": {"GQA": "general", "DocVQA": "text"}, "means": {"nine": 9}}
    return Spreads(**{**NOTHING, **known, **more})


def law(**more: Any) -> FittedLaw:
    """A law of Qwen1.5 with TokenPacker, on one task."""
    facts: dict[str, Any] = {"llms": ("Qwen1.5-4B", "Qwen1.5-7B"), "compressors": ("tokenpacker", "none"), "n_runs": 28}
    return FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.008}, **{**facts, "tasks": ("GQA",), **more})


def targets(
    family: Sequence[str],
    compressor: Sequence[str] | None = None,
    llm_params: Sequence[float] | None = None,
    visual_tokens: Sequence[float] | None = None,
    checkpoint: Sequence[str] | None = None,
) -> Targets:
    """Candidates, of 7B with 144 tokens from TokenPacker where nothing else is said."""
    count = len(family)
    return Targets(
        llm_params=np.array(llm_params or [7e9] * count, float),
        visual_tokens=np.array(visual_tokens or [144] * count, float),
        family=np.array(family),
        compressor=np.array(compressor or ["tokenpacker"] * count),
        checkpoint=np.array(checkpoint or [""] * count),
        hub_id=np.array([""] * count),
        released=checkpoint is not None,
    )
