"""How the time of a matrix product grows with few rows, as measured: no roofline says it.

    t(m) = g(m) B0        up to the last row M of the table, B0 = seconds that reading the weights for one row takes
    t(m) = f(m) + g(M) B0 - f(M)   beyond it, with f the roofline of `planner.costs.kernels`

Libraries take another way for one row (a vector product, as fast as weights are read), for two or three (several vector
products: slower than four rows may be) and for more (weights are packed first; whole tiles are computed). Between two
entries g is linear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class FewRows:
    """A table of one card and precision. Raises InputError for rows that do not rise from 1 on, or times that cannot
    be."""

    BY_HAND: ClassVar[str] = "entry of a table by rows"

    rows: tuple[float, ...]
    """Rows of a product, rising from 1."""
    times: tuple[float, ...]
    """g: seconds of a product of so many rows over those of one row, its launch left out; 1 for one row."""

    def __post_init__(self) -> None:
        rows, times = self.rows, self.times
        if not all(map(_number, rows)) or len(rows) < 2 or rows[0] != 1 or any(b <= a for a, b in pairwise(rows)):
            raise InputError(f"rows: expected at least two numbers that rise from 1, got {shown(list(rows))}")
        if not all(map(_number, times)) or len(times) != len(rows) or times[0] != 1 or min(times) <= 0:
            raise InputError(
                f"times: expected 1 and then a number above 0 for each of the {len(rows)} rows, got "
                f"{shown(list(times))}"
            )

    @property
    def most(self) -> float:
        """The last row of the table."""
        return self.rows[-1]

    def at(self, rows: FloatArray | float) -> FloatArray:
        """g of so many rows, of any shape; beyond the table that of its last row."""
        found: FloatArray = np.asarray(np.interp(rows, *self._columns))
        return found

    @cached_property
    def _columns(self) -> tuple[FloatArray, FloatArray]:
        return np.array(self.rows, float), np.array(self.times, float)


_ALIKE = {"bf16": "fp16", "fp16": "bf16"}


def table_of(tables: Mapping[str, FewRows], precision: str) -> FewRows | None:
    """The table of a precision of weights; one 16-bit format stands for the other. None where there is none."""
    return tables.get(precision) or tables.get(_ALIKE.get(precision, precision))


def checked_tables(tables: object, precisions: Iterable[str]) -> dict[str, FewRows]:
    """Tables by precision. Raises InputError for a precision that is not known, or what is no table."""
    if not isinstance(tables, Mapping):
        raise InputError(f"few_rows: expected tables by precision, got {shown(tables)}")
    for precision, table in tables.items():
        if precision not in precisions:
            raise InputError(f"few_rows: {UnknownNameError('precision', str(precision), precisions)}")
        if not isinstance(table, FewRows):
            raise InputError(f"few_rows: {precision}: expected a table, got {shown(table)}")
    return dict(tables)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
