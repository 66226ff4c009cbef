"""One cell of a table of runs: reading a number, and saying what is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from planner.base.quantities import parse_params

_SMALLEST_LLM_PARAMS = 1e5  # below this a size was given in billions or millions
_ZERO_WITH_UNIT = re.compile(r"\s*0*\.?0*\s*[a-zA-Z]+\s*")


def number(cell: Any) -> float:
    """A cell as a float; infinite beyond all floats. Raises ValueError or TypeError for what is no number."""
    if isinstance(cell, bool | np.bool_):
        raise TypeError
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def params(cell: Any) -> float:
    """A size as a float, with or without a unit ("7B"); the sign is checked later."""
    try:
        return number(cell)
    except (TypeError, ValueError):
        if not isinstance(cell, str):
            raise
        sign, digits = (-1.0, cell[1:]) if cell.startswith("-") else (1.0, cell)
        if _ZERO_WITH_UNIT.fullmatch(digits):
            return 0.0
        return sign * parse_params(digits)  # a QuantityError is a ValueError


def number_hint(column: str, cell: Any) -> str:
    """What to write instead of a text that is nearly a number."""
    if column in ("error", "score") and str(cell).strip().endswith("%"):
        return "; write a fraction such as 0.43"
    return "; write 7e9 or 7B" if column == "llm_params" else ""


def check_params(value: float) -> str | None:
    if value <= 0:
        return "is not above 0; expected parameters such as 7e9 or 7B"
    if value < _SMALLEST_LLM_PARAMS:
        return f"is too small to be a parameter count; write {value:g} billion as {value:g}B"
    return None


def check_visual_tokens(value: float) -> str | None:
    return None if value >= 0 else "is negative; expected the visual tokens per image"


def check_fraction(metric: str) -> Callable[[float], str | None]:
    article = "an" if metric == "error" else "a"

    def check(value: float) -> str | None:
        if 0 <= value <= 1:
            return None
        if 1 < value <= 100:
            return f"is above 1; {article} {metric} is a fraction between 0 and 1, so divide percentages by 100"
        return f"is outside 0 to 1; {article} {metric} is a fraction"

    return check


def check_loss(value: float) -> str | None:
    return None if value >= 0 else "is negative; expected a loss, such as nats per token"


def check_positive(value: float) -> str | None:
    return None if value > 0 else "is not above 0; fill in a positive number or leave out the column"


def check_not_negative(value: float) -> str | None:
    return None if value >= 0 else "is negative; expected the text tokens of a prompt"
