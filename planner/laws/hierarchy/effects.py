"""The hierarchy as a table: which random effects the error of a cell is the sum of.

    y = level + slope in N * x + slope in T * t + sum of effects + noise

Every effect is a normal with mean 0, one value for each of its groups, times its covariate: 1, x or t. A smooth
effect is a curve in t for each group, a Gaussian process with the kernel exp(-(t - t')^2 / (2 length^2)). The rows of
the table are data: another effect is one more line, and its standard deviation is estimated with the others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import CellColumns, FloatArray, constant, in_size, in_tokens

LENGTH = 3.0
"""Of a smooth effect, in doublings of T."""

NUGGET = 1e-6
"""Share of a smooth effect's variance that differs between any two token counts: what makes its kernel invertible."""


@dataclass(frozen=True)
class Only:
    """The cells that an effect applies to: those with one of some values in a column."""

    column: str
    values: tuple[str, ...]
    excluded: bool = False
    """Whether it applies to the others instead."""

    def mask(self, cells: CellColumns) -> NDArray[np.bool_]:
        found = np.isin(getattr(cells, self.column), self.values)
        return ~found if self.excluded else found


EVERYWHERE = Only("task", (), excluded=True)
TEXT = Only("task_class", ("text",))
NOT_TEXT = Only("task_class", ("text",), excluded=True)
PRUNING = Only("population", ("pruning",))
TRAINED = Only("population", ("pruning", "none"), excluded=True)
"""Trained compressors, and image sizes as a compressor."""


@dataclass(frozen=True)
class Effect:
    """One line of the table."""

    name: str
    """As in the file of variances."""
    groups: tuple[str, ...]
    """Columns whose values together name a group; none: one group for all cells."""
    covariate: Callable[[CellColumns], FloatArray] = constant
    """What the effect multiplies."""
    only: Only = EVERYWHERE
    """Where it applies; elsewhere it is 0."""
    smooth: bool = False
    """Whether it is a curve in t."""
    fixed_sd: float | None = None
    """Standard deviation that is given, not estimated: a weak prior."""


EFFECTS: tuple[Effect, ...] = (
    Effect("level", (), fixed_sd=1.0),
    Effect("slope in N", (), in_size, fixed_sd=0.1),
    Effect("slope in T", (), in_tokens, fixed_sd=0.1),
    Effect("task", ("task",)),
    Effect("study", ("study",)),
    Effect("study x task", ("study", "task")),
    Effect("table x task", ("table", "task")),
    Effect("family", ("study", "family")),
    Effect("recipe", ("study", "recipe")),
    Effect("checkpoint", ("checkpoint",)),
    Effect("recipe x text task", ("study", "recipe", "task"), only=TEXT),
    Effect("recipe x other task", ("study", "recipe", "task"), only=NOT_TEXT),
    Effect("family x task", ("family", "task")),
    Effect("checkpoint x task", ("checkpoint", "task")),
    Effect("slope in N: family", ("family",), in_size),
    Effect("slope in N: class", ("task_class",), in_size),
    Effect("slope in N: study x task", ("study", "task"), in_size),
    Effect("slope in T: class", ("task_class",), in_tokens),
    Effect("slope in T: text task", ("task",), in_tokens, TEXT),
    Effect("slope in T: other task", ("task",), in_tokens, NOT_TEXT),
    Effect("slope in T: study", ("study",), in_tokens),
    Effect("slope in T: checkpoint x text task", ("checkpoint", "task"), in_tokens, TEXT),
    Effect("compressor", ("compressor",), only=TRAINED),
    Effect("slope in T: compressor", ("compressor",), in_tokens, TRAINED),
    Effect("compressor x task", ("compressor", "task"), only=TRAINED),
    Effect("slope in T: compressor x task", ("compressor", "task"), in_tokens, TRAINED),
    Effect("slope in T: compressor x class", ("compressor", "task_class"), in_tokens, TRAINED),
    Effect("pruning", ("compressor",), only=PRUNING),
    Effect("slope in T: pruning", ("compressor",), in_tokens, PRUNING),
    Effect("pruning x task", ("compressor", "task"), only=PRUNING),
    Effect("slope in T: pruning x task", ("compressor", "task"), in_tokens, PRUNING),
    Effect("model at T", ("checkpoint", "compressor", "visual_tokens")),
    Effect("curve: study x text task", ("study", "task"), only=TEXT, smooth=True),
    Effect("curve: study x other task", ("study", "task"), only=NOT_TEXT, smooth=True),
    Effect("curve: compressor x class", ("compressor", "task_class"), only=TRAINED, smooth=True),
    Effect("curve: pruning x class", ("compressor", "task_class"), only=PRUNING, smooth=True),
)


def curve(left: FloatArray, right: FloatArray) -> FloatArray:
    """Correlation of a smooth effect at t, (n,), and t', (m,): (n, m)."""
    apart = left[:, None] - right[None, :]
    found: FloatArray = (1 - NUGGET) * np.exp(-(apart**2) / (2 * LENGTH**2)) + NUGGET * (apart == 0)
    return found
