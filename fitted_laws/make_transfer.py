"""What the evidence says of the compressors that can be planned with: python -m fitted_laws.make_transfer [--check]

Writes evidence/transfer.json, which plans read where a compressor is another one than the law's runs had (see
planner/planning/transfer), where its numbers have changed by more than rounding. With --check it writes nothing and
fails where they have.

The error of a cell with a compressor, less that of the same cell without one, is the compressor's effect. Its mean and
covariance given the evidence, over compressors, classes of tasks and token counts, are kept as a mean and a root R,
covariance R R^T. What differs from task to task within a class stays out: it is unknown for a task that is not
measured, and enters with its population's spread.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.files import file_text
from planner.laws.hierarchy.cells import MIDDLE_TOKENS, Cells
from planner.laws.hierarchy.conditioning import Gaussian, Posterior
from planner.laws.hierarchy.rows import shipped_rows, task_classes
from planner.laws.hierarchy.shipped import posterior_of
from planner.laws.hierarchy.variances import shipped_variances

FloatArray = NDArray[np.float64]

FILE = Path(__file__).parent / "evidence" / "transfer.json"
COMPRESSORS: Mapping[str, str] = {
    "quecc": "quecc",
    "tokenpacker": "tokenpacker",
    "average-pool": "average-pooling",
}
"""Compressors of `planner.COMPRESSORS` that were measured, with their names in the evidence."""
LEVELS = (1, 4, 16, 64, 256, 1024)
"""Visual tokens: two doublings apart, where a curve with a length of three is all but straight between."""
CLASSES = ("text", "general", "knowledge", "")
"""Of tasks that these compressors were measured on; "" of any other."""
MEANS: Mapping[str, tuple[str, int]] = {
    "visual-reasoning (mean of the paper's benchmarks)": ("general", 9),
    "ocr-like (mean)": ("text", 1),
}
"""Means over benchmarks that shipped laws are fitted to: their class, and over how many. arXiv 2411.03312 averages nine
visual-reasoning benchmarks (read second-hand); how many text-reading ones, is not known, and 1 is the widest."""
_ROUNDING = 2e-5
_SMALL = 1e-3
"""Standard deviations in error below which a direction of the covariance is left out."""


def make_transfer() -> dict[str, Any]:
    """The content of the file."""
    rows = shipped_rows()
    studies = rows.where(rows.population != "released")  # of released models nobody varies the compressor
    mean, covariance = _effects(posterior_of(studies, shipped_variances()))
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _SMALL**2
    root = vectors[:, kept] * np.sqrt(values[kept])
    shape = len(CLASSES), len(COMPRESSORS), len(LEVELS)
    return {
        "tokens": list(LEVELS),
        "classes": list(CLASSES),
        "compressors": list(COMPRESSORS),
        "mean": mean.reshape(shape).round(5).tolist(),
        "root": root.reshape(*shape, -1)[..., ::-1].round(5).tolist(),
        "tasks": dict(task_classes()) | {name: label for name, (label, _) in MEANS.items()},
        "means": {name: count for name, (_, count) in MEANS.items()},
    }


def _effects(posterior: Posterior) -> tuple[FloatArray, FloatArray]:
    """Mean, (P,), and covariance, (P, P), of the effects over classes, compressors and token counts, P of them."""
    sds = shipped_variances().sds
    labels = [(label, name, tokens) for label in CLASSES for name in COMPRESSORS.values() for tokens in LEVELS]
    with_one = _cells([(label, name, "trained", tokens) for label, name, tokens in labels])
    without = _cells([(label, "of none", "none", tokens) for label, _, tokens in labels])
    both: Gaussian = posterior.predict(with_one.then(without))
    difference = np.hstack([np.eye(len(labels)), -np.eye(len(labels))])
    mean, covariance = difference @ both.mean, difference @ both.covariance @ difference.T
    label, name, tokens = (np.array(column) for column in zip(*labels, strict=True))
    t = np.log2(tokens / MIDDLE_TOKENS)
    one_class, one_name, one_count = (column[:, None] == column for column in (label, name, tokens))
    on_task = sds["compressor x task"] ** 2 + sds["slope in T: compressor x task"] ** 2 * np.outer(t, t)
    at_count = sds["model at T"] ** 2 * (one_count * 1.0 + (one_count & one_name))
    covariance = covariance - on_task * (one_class & one_name) - at_count
    return mean, (covariance + covariance.T) / 2


def _cells(rows: list[tuple[str, str, str, int]]) -> Cells:
    """Cells of one new model and a new task of each class: class, compressor, population, visual tokens."""
    labels, names, populations, tokens = (np.array(column) for column in zip(*rows, strict=True))
    new = np.full(len(rows), "new")
    return Cells(
        study=new,
        table=new,
        task=np.char.add("new of class ", labels),
        task_class=np.where(labels == "", "new", labels),
        family=new,
        recipe=new,
        checkpoint=new,
        compressor=names,
        population=populations,
        llm_params=np.full(len(rows), 7e9),
        visual_tokens=tokens.astype(float),
    )


def agree(shipped: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Whether two contents say the same but for rounding: of a root, its covariance alone is determined."""
    numbers = ("mean", "root")
    if {name: value for name, value in shipped.items() if name not in numbers} != {
        name: value for name, value in made.items() if name not in numbers
    }:
        return False
    (mean, covariance), (other_mean, other) = (_moments(one) for one in (shipped, made))
    return bool(np.abs(mean - other_mean).max() < _ROUNDING and np.abs(covariance - other).max() < _ROUNDING)


def _moments(content: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    root = np.array(content["root"])
    root = root.reshape(-1, root.shape[-1])
    return np.array(content["mean"]).ravel(), root @ root.T


def main(check: bool) -> int:
    made = make_transfer()
    if FILE.exists() and agree(json.loads(FILE.read_text(encoding="utf-8")), made):
        return 0
    if check:
        print(f"{FILE.name} is another one: run python -m fitted_laws.make_transfer", file=sys.stderr)
        return 1
    FILE.write_text(file_text(made), encoding="utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
