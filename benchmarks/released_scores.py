"""What are published scores of released models worth for models and tasks that nobody has published?

    python benchmarks/released_scores.py            seconds on one core

Hides scores of released models, of one task or of all, predicts them from all other rows of the evidence at the shipped
variances, and compares with the mean of the task, with the model nearest in size, and with least squares on an offset
for each model and each task. Intervals have the shipped tail and the noise of the print.

    choices     of two hidden models on one task, how often the one predicted to be better was
"""

from __future__ import annotations

from typing import Any

import numpy as np
from environment import environment, say, write_result
from hierarchy_splits import groups
from numpy.typing import NDArray

from planner.laws.hierarchy.cells import in_size
from planner.laws.hierarchy.left_out import left_out
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows
from planner.laws.hierarchy.shipped import shipped_posterior
from planner.laws.hierarchy.variances import shipped_variances

FloatArray = NDArray[np.float64]
Positions = NDArray[np.intp]

SPLITS: dict[str, tuple[str, ...]] = {
    "a model on a task": ("checkpoint", "task"),
    "a series on a task": ("study", "task"),
    "a model on all tasks": ("checkpoint",),
    "a series on all tasks": ("study",),
}
"""What is hidden together, by the columns that name it."""


def mean_of_task(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """The mean of the known scores of the task."""
    return np.array([rows.error[known[rows.task[known] == rows.task[one]]].mean() for one in asked])


def nearest_size(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """The known model of the task that is nearest in doublings of N; of equally near ones the mean."""
    x, found = in_size(rows), []
    for one in asked:
        same = known[rows.task[known] == rows.task[one]]
        apart = abs(x[same] - x[one])
        found.append(rows.error[same[apart <= apart.min() + 1e-9]].mean())
    return np.array(found)


def model_and_task(rows: EvidenceRows, known: Positions, asked: Positions) -> FloatArray:
    """Offsets of models and of tasks by least squares; a model without scores is an average one."""
    names = [np.unique(getattr(rows, column)[known]) for column in ("checkpoint", "task")]
    design = np.hstack(
        [
            (getattr(rows, column)[:, None] == own).astype(float)
            for column, own in zip(("checkpoint", "task"), names, strict=True)
        ]
    )
    middle = rows.error[known].mean()
    weights = np.linalg.lstsq(design[known], rows.error[known] - middle, rcond=None)[0]
    found: FloatArray = middle + design[asked] @ weights
    return found


BASELINES = {"mean of the task": mean_of_task, "nearest size": nearest_size, "model and task": model_and_task}


def split(rows: EvidenceRows, columns: tuple[str, ...]) -> dict[str, Any]:
    """One row of the table."""
    released = rows.population == "released"
    tasks = [
        task for task in np.unique(rows.task[released]) if len(set(rows.study[released & (rows.task == task)])) > 2
    ]
    scored = released & np.isin(rows.task, tasks)
    folds = groups(rows, columns, scored)
    tail = shipped_variances().tail
    misses, sds, right = [], [], []
    simple: dict[str, list[FloatArray]] = {name: [] for name in BASELINES}
    for fold, errors in zip(folds, left_out(shipped_posterior().factor, rows.error, folds), strict=True):
        known = np.setdiff1d(np.flatnonzero(released), fold)
        misses.append(rows.error[fold] - errors.mean)
        sds.append(errors.sd)
        for name, predict in BASELINES.items():
            simple[name].append(rows.error[fold] - predict(rows, known, fold))
        first, second = np.triu_indices(len(fold), 1)
        pair = (rows.task[fold][first] == rows.task[fold][second]) & (
            rows.table[fold][first] == rows.table[fold][second]
        )
        pair &= rows.checkpoint[fold][first] != rows.checkpoint[fold][second]
        measured = (rows.error[fold][second] - rows.error[fold][first])[pair]
        predicted = (errors.mean[second] - errors.mean[first])[pair]
        right.append((np.sign(predicted) == np.sign(measured))[measured != 0])
    miss, sd, choices = np.concatenate(misses), np.concatenate(sds), np.concatenate(right)
    text = np.concatenate([rows.task_class[fold] == "text" for fold in folds])
    covered = abs(miss) <= tail.quantile(0.975) * sd
    return {
        "scores": len(miss),
        "rmse": _rms(miss),
        "coverage": round(float(covered.mean()), 3),
        "coverage_of_text_tasks": round(float(covered[text].mean()), 3),
        "mean_half_width": round(float(tail.quantile(0.975) * sd.mean()), 4),
        "choices": len(choices),
        "choices_right": round(float(choices.mean()), 3) if len(choices) else None,
        "baselines": {name: _rms(np.concatenate(found)) for name, found in simple.items()},
    }


def _rms(values: FloatArray) -> float:
    return round(float(np.sqrt((values**2).mean())), 4)


def measure() -> dict[str, Any]:
    """The whole of it."""
    rows = shipped_rows()
    released = rows.population == "released"
    table = {name: split(rows, columns) for name, columns in SPLITS.items()}
    for name, row in table.items():
        say(f"{name}: {row}")
    return {
        "scores": int(released.sum()),
        "models": len(set(rows.checkpoint[released].tolist())),
        "tables": len(set(rows.table[released].tolist())),
        "checked": int((released & rows.checked).sum()),
        "table": table,
    }


def main() -> None:
    write_result("released_scores", {"environment": environment(("numpy",)), **measure()})


if __name__ == "__main__":
    main()
