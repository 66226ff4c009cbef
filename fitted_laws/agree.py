"""Whether a shipped file and what its script makes today are the same but for rounding.

A processor with wider vectors adds in another order (NumPy with and without AVX-512, OpenBLAS by its kernels), so the
last bits of an optimum differ from one machine to the next, and bytes cannot be compared. A script leaves a file alone
whose numbers agree: made anew it would be no better, only different.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from planner.laws.known import unpacked

ROUNDING = 1e-9
"""Relative difference of what a solver gives: it ends where no step gains more than rounding."""
ROUNDING_OF_ARRAYS = 1e-7
"""The same of nodes and draws, which add up the rounding of many steps; relative to the largest of an array."""
MET = 1e-3
"""The same of the kept edge of a region, which is met to 1e-4 of its width."""
NEAR_ZERO = 1e-12
"""Numbers below this are rounding of zero."""

_HEXADECIMAL = re.compile(r"0x[0-9a-f.]+p[+-][0-9]+")


def same(shipped: Any, made: Any, within: float = ROUNDING) -> bool:
    """Whether two contents of JSON are equal, their numbers to rounding, packed arrays and kept edges to theirs."""
    if isinstance(shipped, Mapping) and isinstance(made, Mapping):
        shipped, made = _rounded_keys(shipped), _rounded_keys(made)
        if set(shipped) != set(made):
            return False
        if set(shipped) == {"shape", "float64"}:
            return _same_arrays(shipped, made)
        return all(same(shipped[key], made[key], MET if key == "profile" else within) for key in shipped)
    if isinstance(shipped, list | tuple) and isinstance(made, list | tuple):
        return len(shipped) == len(made) and all(
            same(one, other, within) for one, other in zip(shipped, made, strict=True)
        )
    if isinstance(shipped, float) and isinstance(made, float | int):
        return math.isclose(shipped, made, rel_tol=within, abs_tol=NEAR_ZERO)
    return bool(shipped == made)


def _rounded_keys(content: Mapping[str, Any]) -> dict[str, Any]:
    """Keys name laws by their exact parameters, which are numbers too: nine digits of them."""
    return {_HEXADECIMAL.sub(lambda one: f"{float.fromhex(one[0]):.9g}", key): value for key, value in content.items()}


def _same_arrays(shipped: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    one, other = (unpacked({"": content})[""] for content in (shipped, made))
    if one.shape != other.shape:
        return False
    largest = float(np.abs(other).max(initial=0.0))  # steps between nodes are small differences of large numbers
    return bool(np.allclose(one, other, rtol=ROUNDING_OF_ARRAYS, atol=ROUNDING_OF_ARRAYS * largest + NEAR_ZERO))
