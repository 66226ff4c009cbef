"""What a fit saw and what was imposed on it, and how both stand in the law's file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from planner.base.codec import codec_of
from planner.base.place import Place

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FitData:
    """What a fit saw, in the order in which it saw it: enough to compute every interval again."""

    n: FloatArray
    """Language model sizes in units of `n_unit_params`."""
    t: FloatArray
    """Visual tokens."""
    y: FloatArray
    """Measured errors."""
    weights: FloatArray
    """Weights of the squared residuals, mean 1; a Huber fit's are those of its last iteration."""


def is_number(value: Any) -> bool:
    """Whether a value from JSON is a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False


class _Constraint:
    """What `constraints` holds of a parameter: value, expr, min, max."""

    expected = "an object of value, expr, min and max"

    def encode(self, value: Any, place: Place) -> dict[str, Any]:
        return self.decode(value, place)

    def decode(self, content: Any, place: Place) -> dict[str, Any]:
        if not isinstance(content, Mapping) or not set(content) <= {"value", "expr", "min", "max"}:
            raise place.wrong(self.expected, content)
        kinds = {name: str if name == "expr" else float for name in content}
        return {name: codec_of(kind).decode(content[name], place.at(name)) for name, kind in kinds.items()}


class _Runs:
    """The runs of a law: columns of equal length."""

    def encode(self, value: FitData, place: Place) -> dict[str, Any]:
        columns: dict[str, Any] = codec_of(FitData).encode(value, place)
        return columns

    def decode(self, content: Any, place: Place) -> FitData:
        found: FitData = codec_of(FitData).decode(content, place)
        columns = (found.n, found.t, found.y, found.weights)
        if len({column.shape for column in columns}) > 1 or found.n.ndim != 1 or not len(found.n):
            raise place.complaint("expected four columns of as many numbers")
        if min(found.n.min(), found.t.min(), found.weights.min()) <= 0:
            raise place.complaint("expected sizes, counts and weights above 0")
        return found


CONSTRAINT: Final = _Constraint()
RUNS: Final = _Runs()
