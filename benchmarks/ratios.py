"""Our seconds of a walk, and how ratios to other seconds are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from planner.configuration import Run
from planner.costs.seconds import Clocks
from planner.hardware import Hardware
from planner.parts.walk import Walk


def summary(ratios: Iterable[float]) -> dict[str, Any]:
    """Quartiles and ends of some ratios."""
    found = np.array(list(ratios))
    if not found.size:
        return {"shapes": 0}
    low, median, high = (float(f"{value:.3g}") for value in np.percentile(found, (25, 50, 75)))
    ends = [float(f"{value:.3g}") for value in (found.min(), found.max())]
    return {"shapes": int(found.size), "median": median, "quartiles": [low, high], "ends": ends}


def seconds_of(walk: Walk, card: Hardware, precision: str = "bf16") -> float:
    """Our seconds of a walk on one device."""
    return float(Clocks.of(card, Run(card, precision)).time(walk).seconds)


def ms(seconds: float) -> float:
    return float(f"{seconds * 1e3:.4g}")


def us(seconds: float) -> float:
    return float(f"{seconds * 1e6:.4g}")


def three_digits(ratio: float) -> float:
    return float(f"{ratio:.3g}")
