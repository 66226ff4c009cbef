"""What a cell of a table of results is, to the hierarchy: a task, a model, a compressor and a number of visual tokens.

x = log2(N / 7e9) and t = log2(T / 144), with N the parameters of the language model and T the visual tokens, measure
size and tokens in doublings from the middle of what is published.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown

FloatArray = NDArray[np.float64]
StrArray = NDArray[np.str_]

NAMED = (
    "study",
    "table",
    "task",
    "task_class",
    "family",
    "recipe",
    "checkpoint",
    "compressor",
    "population",
)
"""The columns that groups are made of."""

MIDDLE_PARAMS, MIDDLE_TOKENS = 7e9, 144.0
"""Where x and t are 0."""


class CellColumns(Protocol):
    """Columns of equal length, one entry per cell. Rows of evidence are such cells with errors."""

    @property
    def study(self) -> StrArray:
        """The setup in which it was measured: training data, vision tower, evaluation."""

    @property
    def table(self) -> StrArray:
        """The printed table."""

    @property
    def task(self) -> StrArray:
        """The benchmark."""

    @property
    def task_class(self) -> StrArray:
        """text, general, knowledge or localisation."""

    @property
    def family(self) -> StrArray:
        """Of the language model."""

    @property
    def recipe(self) -> StrArray:
        """How the model was trained."""

    @property
    def checkpoint(self) -> StrArray:
        """The trained model."""

    @property
    def compressor(self) -> StrArray:
        """What reduces the visual tokens."""

    @property
    def population(self) -> StrArray:
        """trained, pruning, resize or none: of which kind the compressor is."""

    @property
    def llm_params(self) -> FloatArray:
        """N: parameters of the language model."""

    @property
    def visual_tokens(self) -> FloatArray:
        """T: visual tokens that the language model reads."""


@dataclass(frozen=True)
class Cells:
    """Cells to predict: columns of equal length, as `CellColumns` names them. A name that no evidence has is a new
    group: its effects keep the spread of their population.
    """

    study: StrArray
    table: StrArray
    task: StrArray
    task_class: StrArray
    family: StrArray
    recipe: StrArray
    checkpoint: StrArray
    compressor: StrArray
    population: StrArray
    llm_params: FloatArray
    visual_tokens: FloatArray

    def __len__(self) -> int:
        return len(self.llm_params)

    @classmethod
    def of(cls, columns: CellColumns) -> Cells:
        """The cells of rows of evidence."""
        return cls(*(getattr(columns, one.name) for one in fields(cls)))

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Cells:
        """Some of them, by mask or by index."""
        return Cells(*(getattr(self, one.name)[chosen] for one in fields(self)))

    def then(self, others: Cells) -> Cells:
        """These cells, followed by others."""
        return Cells(*(np.concatenate([getattr(self, one.name), getattr(others, one.name)]) for one in fields(self)))


def in_size(cells: CellColumns) -> FloatArray:
    """x = log2(N / 7e9), of each cell. Raises InputError for N that is not above 0."""
    return _doublings(cells.llm_params, MIDDLE_PARAMS, "parameters of a language model")


def in_tokens(cells: CellColumns) -> FloatArray:
    """t = log2(T / 144), of each cell. Raises InputError for T that is not above 0."""
    return _doublings(cells.visual_tokens, MIDDLE_TOKENS, "visual tokens")


def constant(cells: CellColumns) -> FloatArray:
    """1, of each cell."""
    return np.ones(len(cells.llm_params))


def _doublings(values: FloatArray, middle: float, what: str) -> FloatArray:
    bad = ~((values > 0) & np.isfinite(values))
    if bad.any():
        raise InputError(f"{what}: expected a number above 0, got {shown(float(values[bad][0]))}; leave the cell out")
    return np.log2(values / middle)
