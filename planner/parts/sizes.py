"""Sizes that stand in models' names."""

from __future__ import annotations

import math
import re

_UNITS = {"b": 1e9, "m": 1e6}
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?[BMbm])(?![A-Za-z0-9])")


def nominal_params(name: str, params: int) -> float | None:
    """The size in a name, in parameters, that is closest to the exact count; None where there is none.

    "7B-Instruct-1M" has two numbers.
    """
    sizes = [size for text in _SIZE.findall(name) if (size := float(text[:-1]) * _UNITS[text[-1].lower()]) > 0]
    return min(sizes, key=lambda size: abs(math.log(size / params)), default=None)
