"""What a fit saw and what was imposed on it, and how both stand in the law's file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from planner.base.codec import SPARSE, codec_of
from planner.base.dataclass import dataclass
from planner.base.place import Place

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FitData:
    """What a fit saw, in the order in which it saw it: enough to compute every interval again."""

    n: FloatArray
    """Language model sizes in units of `n_unit_params`."""
    t: FloatArray
    """Visual tokens; 0 for runs without an image, which a law of a form that is finite there may hold."""
    y: FloatArray
    """Measured errors."""
    weights: FloatArray
    """Weights of the squared residuals, mean 1; a Huber fit's are those of its last iteration."""
    llm: tuple[str, ...] = field(default=(), metadata=SPARSE)
    """Name of each run's language model; () where nobody named them, and a size is one model."""

    def take(self, rows: NDArray[Any]) -> FitData:
        """Some of the runs, by position or by a mask."""
        names = tuple(np.array(self.llm, dtype=str)[rows].tolist()) if self.llm else ()
        return FitData(self.n[rows], self.t[rows], self.y[rows], self.weights[rows], names)

    @property
    def with_tokens(self) -> FitData:
        """The runs with visual tokens: all of them, mostly."""
        return self if self.t.all() else self.take(self.t > 0)

    def llm_labels(self) -> NDArray[np.str_]:
        """What the language model of each run is called, shape (runs,): its size, with its name where several models
        have that size."""
        names = self.llm or ("",) * len(self.n)
        return np.array([self.llm_label(*one) for one in zip(self.n.tolist(), names, strict=True)], dtype=str)

    def llm_label(self, size: float, name: str) -> str:
        """What a language model of a measured size is called; `name` counts where several models have that size."""
        label = f"{size:.9g}"
        return f"{label} {name}" if len(self._names_of_size.get(label, ())) > 1 else label

    def measured(self, size: float, name: str) -> bool:
        """Whether runs of a language model are there, by its name and its size in the unit of `n`."""
        return any(math.isclose(size, own, rel_tol=1e-9) for own in self._sizes_of_name.get(name, ()))

    def llm_groups(self) -> NDArray[np.intp]:
        """A number for the language model of each run, shape (runs,): by size, then by name."""
        size = np.unique(self.n, return_inverse=True)[1].ravel()
        if not any(len(names) > 1 for names in self._names_of_size.values()):
            return size
        name = np.unique(np.array(self.llm, dtype=str), return_inverse=True)[1].ravel()
        found: NDArray[np.intp] = np.unique(size * (name.max() + 1) + name, return_inverse=True)[1].ravel()
        return found

    @cached_property
    def _names_of_size(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for size, name in zip(self.n.tolist(), self.llm, strict=bool(self.llm)):
            found.setdefault(f"{size:.9g}", set()).add(name)
        return found

    @cached_property
    def _sizes_of_name(self) -> dict[str, set[float]]:
        found: dict[str, set[float]] = {}
        for size, name in zip(self.n.tolist(), self.llm, strict=bool(self.llm)):
            found.setdefault(name, set()).add(size)
        return found


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
        if min(found.n.min(), found.weights.min()) <= 0 or found.t.min() < 0:
            raise place.complaint("expected sizes and weights above 0, and counts of 0 or more")
        if found.llm and len(found.llm) != len(found.n):
            raise place.complaint("expected the name of a language model for each run")
        return found


CONSTRAINT: Final = _Constraint()
RUNS: Final = _Runs()
