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
from planner.laws.hierarchy.headroom import headroom, headroom_in_size

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
    among: Only | None = None
    """Of these cells alone; None: of all."""

    def mask(self, cells: CellColumns) -> NDArray[np.bool_]:
        found = np.isin(getattr(cells, self.column), self.values)
        found = ~found if self.excluded else found
        return found if self.among is None else found & self.among.mask(cells)


EVERYWHERE = Only("task", (), excluded=True)
TEXT = Only("task_class", ("text",))
NOT_TEXT = Only("task_class", ("text",), excluded=True)
PRUNING = Only("population", ("pruning",))
TRAINED = Only("population", ("pruning", "none"), excluded=True)
"""Trained compressors, and image sizes as a compressor."""
RELEASED = Only("population", ("released",))
"""Models that were published to be used, each with its own data, tower and images: series are far apart, and a series
has one family of language models."""
STUDIED = Only("population", ("released",), excluded=True)
"""Models of studies that compare."""
RELEASED_TEXT = Only("task_class", ("text",), among=RELEASED)
RELEASED_OTHER = Only("task_class", ("text",), excluded=True, among=RELEASED)
STUDIED_TEXT = Only("task_class", ("text",), among=STUDIED)
STUDIED_OTHER = Only("task_class", ("text",), excluded=True, among=STUDIED)


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

    @property
    def of_released(self) -> bool:
        """Whether it is one of released models alone."""
        only: Only | None = self.only
        while only is not None and only != RELEASED:
            only = only.among
        return only is not None


EFFECTS: tuple[Effect, ...] = (
    Effect("level", (), fixed_sd=1.0),
    Effect("slope in N", (), in_size, fixed_sd=0.1),
    Effect("slope in T", (), in_tokens, fixed_sd=0.1),
    Effect("task", ("task",)),
    Effect("study", ("study",), only=STUDIED),
    Effect("study x task", ("study", "task"), only=STUDIED),
    Effect("table x task", ("table", "task"), only=STUDIED),
    Effect("family", ("study", "family"), only=STUDIED),
    Effect("recipe", ("study", "recipe"), only=STUDIED),
    Effect("checkpoint", ("checkpoint",), only=STUDIED),
    Effect("recipe x text task", ("study", "recipe", "task"), only=STUDIED_TEXT),
    Effect("recipe x other task", ("study", "recipe", "task"), only=STUDIED_OTHER),
    Effect("family x task", ("family", "task"), only=STUDIED),
    Effect("checkpoint x task", ("checkpoint", "task"), only=STUDIED),
    Effect("slope in N: family", ("family",), in_size, STUDIED),
    Effect("slope in N: class", ("task_class",), in_size),
    Effect("slope in N: study x task", ("study", "task"), in_size, STUDIED),
    Effect("released table", ("table",), headroom, RELEASED),
    Effect("released table x task", ("table", "task"), headroom, RELEASED),
    Effect("released", ("population",), only=RELEASED),
    Effect("released x task", ("population", "task"), only=RELEASED),
    Effect("released series", ("study",), headroom, RELEASED),
    Effect("released series x task", ("study", "task"), headroom, RELEASED),
    Effect("released model", ("checkpoint",), headroom, RELEASED),
    Effect("released model x task", ("checkpoint", "task"), headroom, RELEASED),
    Effect("slope in N: released", ("population",), headroom_in_size, RELEASED),
    Effect("slope in N: released x task", ("population", "task"), headroom_in_size, RELEASED),
    Effect("slope in N: released series", ("study",), headroom_in_size, RELEASED),
    Effect("slope in N: released series x task", ("study", "task"), headroom_in_size, RELEASED),
    Effect("slope in T: class", ("task_class",), in_tokens),
    Effect("slope in T: text task", ("task",), in_tokens, TEXT),
    Effect("slope in T: other task", ("task",), in_tokens, NOT_TEXT),
    Effect("slope in T: study", ("study",), in_tokens, STUDIED),
    Effect("slope in T: checkpoint x text task", ("checkpoint", "task"), in_tokens, STUDIED_TEXT),
    Effect("compressor", ("compressor",), only=TRAINED),
    Effect("slope in T: compressor", ("compressor",), in_tokens, TRAINED),
    Effect("compressor x task", ("compressor", "task"), only=TRAINED),
    Effect("slope in T: compressor x task", ("compressor", "task"), in_tokens, TRAINED),
    Effect("slope in T: compressor x class", ("compressor", "task_class"), in_tokens, TRAINED),
    Effect("pruning", ("compressor",), only=PRUNING),
    Effect("slope in T: pruning", ("compressor",), in_tokens, PRUNING),
    Effect("pruning x task", ("compressor", "task"), only=PRUNING),
    Effect("slope in T: pruning x task", ("compressor", "task"), in_tokens, PRUNING),
    Effect("model at T", ("checkpoint", "compressor", "visual_tokens"), only=STUDIED),
    Effect("curve: study x text task", ("study", "task"), only=STUDIED_TEXT, smooth=True),
    Effect("curve: study x other task", ("study", "task"), only=STUDIED_OTHER, smooth=True),
    Effect("curve: released series x text task", ("study", "task"), headroom, RELEASED_TEXT, smooth=True),
    Effect("curve: released series x other task", ("study", "task"), headroom, RELEASED_OTHER, smooth=True),
    Effect("curve: compressor x class", ("compressor", "task_class"), only=TRAINED, smooth=True),
    Effect("curve: pruning x class", ("compressor", "task_class"), only=PRUNING, smooth=True),
)


def curve(left: FloatArray, right: FloatArray) -> FloatArray:
    """Correlation of a smooth effect at t, (n,), and t', (m,): (n, m)."""
    apart = left[:, None] - right[None, :]
    found: FloatArray = (1 - NUGGET) * np.exp(-(apart**2) / (2 * LENGTH**2)) + NUGGET * (apart == 0)
    return found
