"""The table of effects as numbers: the group that each cell belongs to, what multiplies its effect, and kernels.

Letters: n cells, e effects, g groupings (sets of columns that name groups), q columns of effects across tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.cells import CellColumns, FloatArray, in_tokens
from planner.laws.hierarchy.effects import EFFECTS, Effect, curve

IntArray = NDArray[np.int64]

_BITS = 20  # of a column's code within a group's: three columns fit

Book = dict[object, int]
"""The number of each name of a column, in the order of their first appearance."""


@dataclass(frozen=True)
class Grouping:
    """Effects whose groups are named by the same columns."""

    columns: tuple[str, ...]
    at: int
    """Its row in `Side.keys`."""
    plain: tuple[int, ...]
    """Effects with one value per group: their rows in `Side.values`."""
    smooth: tuple[int, ...]
    """Effects that are curves."""


@dataclass(frozen=True)
class Layout:
    """How the effects of a table are grouped."""

    effects: tuple[Effect, ...]

    @cached_property
    def groupings(self) -> tuple[Grouping, ...]:
        found: list[Grouping] = []
        for columns in dict.fromkeys(effect.groups for effect in self.effects):
            members = [e for e, effect in enumerate(self.effects) if effect.groups == columns]
            plain = tuple(e for e in members if not self.effects[e].smooth)
            smooth = tuple(e for e in members if self.effects[e].smooth)
            found.append(Grouping(columns, len(found), plain, smooth))
        return tuple(found)

    @cached_property
    def within_task(self) -> tuple[Grouping, ...]:
        """Those that never join cells of different tasks."""
        return tuple(one for one in self.groupings if "task" in one.columns)

    @cached_property
    def across_tasks(self) -> tuple[tuple[int, Grouping], ...]:
        """Effects that join cells of different tasks, each with its grouping."""
        return tuple((e, one) for one in self.groupings if "task" not in one.columns for e in (*one.plain, *one.smooth))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column that names groups."""
        return tuple(dict.fromkeys(column for one in self.groupings for column in one.columns))


LAYOUT = Layout(EFFECTS)


@dataclass(frozen=True)
class Side:
    """Cells as the kernels see them."""

    keys: IntArray
    """(g, n): number of the group, in each grouping."""
    values: FloatArray
    """(e, n): covariates, 0 where an effect does not apply."""
    t: FloatArray
    """(n,): doublings of visual tokens."""
    task: IntArray
    """(n,): number of the task."""

    def at(self, index: slice | IntArray | NDArray[np.intp]) -> Side:
        """Some of the cells."""
        return Side(self.keys[:, index], self.values[:, index], self.t[index], self.task[index])

    def __len__(self) -> int:
        return len(self.t)


def side(layout: Layout, cells: CellColumns, books: Mapping[str, Book]) -> tuple[Side, dict[str, Book]]:
    """Cells as numbers, with books that have every name of theirs: those given, longer by the names that are new.

    Raises InputError for sizes and token counts that are not above 0.
    """
    books = {column: dict(books.get(column, ())) for column in layout.columns}
    codes = {column: _coded(getattr(cells, column).tolist(), book) for column, book in books.items()}
    n = len(cells.llm_params)
    keys = np.zeros((len(layout.groupings), n), dtype=np.int64)
    for grouping in layout.groupings:
        for column in grouping.columns:
            keys[grouping.at] = (keys[grouping.at] << _BITS) + codes[column]
    masks = {only: only.mask(cells) for only in {effect.only for effect in layout.effects}}
    covariates = {of: of(cells) for of in {effect.covariate for effect in layout.effects}}
    values = np.zeros((len(layout.effects), n))
    for row, effect in zip(values, layout.effects, strict=True):
        np.copyto(row, covariates[effect.covariate], where=masks[effect.only])
    return Side(keys, values, in_tokens(cells), codes["task"]), books


def _coded(names: Sequence[object], book: Book) -> IntArray:
    return np.array([book.setdefault(name, len(book)) for name in names], dtype=np.int64)


def kernel(groupings: Sequence[Grouping], left: Side, right: Side, sds: FloatArray) -> FloatArray:
    """Covariance of the effects of some groupings between two sets of cells, (n, m).

    Args:
        groupings: which.
        left: n cells.
        right: m cells.
        sds: (e,) standard deviations of the effects.
    """
    total = np.zeros((len(left), len(right)))
    curves: FloatArray | None = None
    for one in groupings:
        same = left.keys[one.at][:, None] == right.keys[one.at][None, :]
        part: FloatArray | None = None
        if one.plain:
            part = _products(one.plain, left, right, sds)
        if one.smooth:
            curves = curve(left.t, right.t) if curves is None else curves
            bent = _products(one.smooth, left, right, sds)
            bent *= curves
            part = bent if part is None else part + bent
        if part is not None:
            part *= same
            total += part
    return total


def _products(effects: tuple[int, ...], left: Side, right: Side, sds: FloatArray) -> FloatArray:
    chosen = list(effects)
    found: FloatArray = (left.values[chosen] * (sds[chosen] ** 2)[:, None]).T @ right.values[chosen]
    return found


@dataclass(frozen=True)
class Columns:
    """One effect across tasks, as columns of a design matrix whose coefficients are N(0, 1), independent.

    A plain effect has one column per group. A curve has one per group and token count, through the Cholesky factor of
    its kernel, so that the coefficients are independent again.
    """

    effect: int
    grouping: Grouping
    smooth: bool
    groups: IntArray
    """(groups,) ascending keys of the groups that the rows have."""
    first: IntArray
    """(groups + 1,): each group's columns, from first[i] to first[i + 1], from 0 for this effect."""
    t: FloatArray
    """(columns,) of a curve: where it is known."""
    roots: tuple[FloatArray, ...]
    """Of a curve: the inverse of each group's Cholesky factor."""

    def __len__(self) -> int:
        return int(self.first[-1])

    def fill(self, design: FloatArray, cells: Side, sd: float) -> None:
        """Write the design of some cells into zeros, (n, columns). It stays zero for groups that the rows do not have;
        between known token counts a curve has its conditional mean.
        """
        keys = cells.keys[self.grouping.at]
        scale = sd * cells.values[self.effect]
        at = np.searchsorted(self.groups, keys)
        at[at == len(self.groups)] = 0
        known = np.flatnonzero((self.groups[at] == keys) & (scale != 0)) if len(self.groups) else np.array([], int)
        if not self.smooth:
            design[known, at[known]] = scale[known]
            return
        for group in np.unique(at[known]):
            rows = known[at[known] == group]
            own = slice(self.first[group], self.first[group + 1])
            design[rows, own] = scale[rows, None] * (curve(cells.t[rows], self.t[own]) @ self.roots[group].T)


def columns(layout: Layout, rows: Side) -> tuple[Columns, ...]:
    """The columns of every effect across tasks, for the groups that some rows have."""
    return tuple(
        _columns(effect, grouping, effect in grouping.smooth, rows) for effect, grouping in layout.across_tasks
    )


def _columns(effect: int, grouping: Grouping, smooth: bool, rows: Side) -> Columns:
    applies = rows.values[effect] != 0
    keys, t = rows.keys[grouping.at][applies], rows.t[applies]
    groups = np.unique(keys)
    if not smooth:
        return Columns(effect, grouping, False, groups, np.arange(len(groups) + 1), np.array([]), ())
    known = [np.unique(t[keys == key]) for key in groups]
    first = np.cumsum([0, *(len(one) for one in known)])
    roots = tuple(np.linalg.inv(np.linalg.cholesky(curve(one, one))) for one in known)
    return Columns(effect, grouping, True, groups, first, np.concatenate([*known, np.array([])]), roots)
