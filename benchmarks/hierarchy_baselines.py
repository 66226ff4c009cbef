"""Simple predictions that the hierarchy is compared with: what one would do without it, from the same known rows.

Every function takes the rows, the positions that are known and those that are asked for, and gives the predicted
errors of the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.laws.hierarchy.cells import in_size, in_tokens
from planner.laws.hierarchy.rows import EvidenceRows

FloatArray = NDArray[np.float64]
Positions = NDArray[np.intp]
Baseline = Callable[[EvidenceRows, Positions, Positions], FloatArray]

CHAIN = ("study", "task", "checkpoint", "compressor")
RIDGES = np.logspace(-3, 2, 11)


def least_squares(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """Error = a + b x + c t by least squares on the rows of the same study and task."""
    return _local(rows, known, asked, (("study", "task"), ("task",), ("task_class",), ()), ("x", "t"))


def line_in_tokens(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """A line in ln T through the rows of the same model, compressor and task."""
    return _local(rows, known, asked, (CHAIN, CHAIN[:3], ("study", "task"), ("task",), ("task_class",), ()), ("t",))


def line_in_size(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """A line in ln N through the rows of the same study, task, compressor and T."""
    same = ("study", "task", "compressor", "visual_tokens")
    return _local(rows, known, asked, (same, ("study", "task"), ("task",), ("task_class",), ()), ("x",))


def copy(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """The nearest known row of the same study and task, by doublings of N and T; among equals the mean."""
    x, t = in_size(rows), in_tokens(rows)
    found = np.empty(len(asked))
    groups = [("study", "task"), ("task",), ("task_class",), ()]
    for i, row in enumerate(asked):
        own = _same(rows, known, row, groups)
        apart = abs(x[own] - x[row]) + abs(t[own] - t[row])
        found[i] = rows.error[own[apart <= apart.min() + 1e-9]].mean()
    return found


def own_mean(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """The mean of the known rows of the same study and task, else of the study, else of the task's class."""
    groups = [("study", "task"), ("study",), ("task_class",), ()]
    return np.array([rows.error[_same(rows, known, row, groups)].mean() for row in asked])


def class_slopes(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """An offset for each task in each study, slopes in x and t for each class of tasks, by least squares."""
    groups = np.array([f"{study}\n{task}" for study, task in zip(rows.study, rows.task, strict=True)])
    design = np.hstack([_indicators(groups, known), _slopes(rows)])
    weights = np.linalg.lstsq(design[known], rows.error[known], rcond=None)[0]
    found: FloatArray = design[asked] @ weights
    new = ~np.isin(groups[asked], groups[known])
    if new.any():
        found[new] = own_mean(rows, known, asked[new])
    return found


def ridge(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """Ridge regression on studies, tasks, families, compressors and slopes by class and by compressor, its strength
    by generalised cross-validation.
    """
    names = [_indicators(getattr(rows, column), known) for column in ("study", "task", "family", "compressor")]
    design = np.hstack([*names, _slopes(rows), names[3] * in_tokens(rows)[:, None]])
    middle = rows.error[known].mean()
    left, values, right = np.linalg.svd(design[known], full_matrices=False)
    target = left.T @ (rows.error[known] - middle)
    outside = float(((rows.error[known] - middle) ** 2).sum() - (target**2).sum())

    def score(strength: float) -> float:
        share = values**2 / (values**2 + strength)
        misfit = float((((1 - share) * target) ** 2).sum()) + outside
        return misfit / float(len(known) - share.sum()) ** 2

    strength = min(RIDGES.tolist(), key=score)
    weights = right.T @ (values / (values**2 + strength) * target)
    found: FloatArray = middle + design[asked] @ weights
    return found


def _slopes(rows: EvidenceRows) -> FloatArray:
    classes = _indicators(rows.task_class, np.arange(len(rows)))
    return np.hstack([classes * in_size(rows)[:, None], classes * in_tokens(rows)[:, None]])


def _indicators(names: NDArray[np.str_], known: Positions) -> FloatArray:
    found: FloatArray = np.equal(names[:, None], np.unique(names[known])).astype(float)
    return found


def _local(
    rows: EvidenceRows, known: Positions, asked: Positions, groups: Sequence[tuple[str, ...]], slopes: tuple[str, ...]
) -> FloatArray:
    columns = {"x": in_size(rows), "t": in_tokens(rows)}
    design = np.column_stack([np.ones(len(rows)), *(columns[name] for name in slopes)])
    found = np.empty(len(asked))
    for i, row in enumerate(asked):
        own = _same(rows, known, row, groups)
        varied = np.flatnonzero(np.ptp(design[own], axis=0) > 0)
        varied = np.append(0, varied)
        weights = np.linalg.lstsq(design[np.ix_(own, varied)], rows.error[own], rcond=None)[0]
        found[i] = design[row, varied] @ weights
    return found


def _same(rows: EvidenceRows, known: Positions, row: int, groups: Sequence[tuple[str, ...]]) -> Positions:
    """Known rows that share the first of some sets of columns with a row that any known row shares."""
    for columns in groups:
        same = np.ones(len(known), dtype=bool)
        for column in columns:
            values = getattr(rows, column)
            same &= values[known] == values[row]
        if same.any():
            return known[same]
    raise ValueError("no row is known")
