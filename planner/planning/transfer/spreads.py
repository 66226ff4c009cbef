"""How far apart models, compressors and recipes lie that a law takes for one: what the published grids say.

Each standard deviation is that of a normal effect with mean 0 on the error, per doubling where it multiplies
x = log2(N / 7e9) or t = log2(T / 144); one on a task is averaged over the tasks of a law. Of compressors that were
measured side by side the evidence knows more than that: where each of them stands, kept as a mean and a root of the
covariance over classes of tasks, compressors and token counts (`fitted_laws/make_transfer.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.hierarchy.effects import curve
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.hierarchy.variances import Variances, shipped_variances

FloatArray = NDArray[np.float64]

FOLDER, FILE = "evidence", "transfer.json"
"""In the data package."""
TEXT = "text"
"""The class of tasks of reading text in images."""
MIDDLE_PARAMS, MIDDLE_TOKENS = 7e9, 144.0
"""Where x and t are 0."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Where compressors stand that were measured: C classes of tasks, M compressors, L token counts, K directions."""

    t: FloatArray
    """Of the token counts, ascending, (L,)."""
    classes: tuple[str, ...]
    """Of tasks, C; "" stands for any other."""
    compressors: tuple[str, ...]
    """M names."""
    mean: FloatArray
    """Of a compressor's effect, (C, M, L)."""
    root: FloatArray
    """R: the covariance over all of them is R R^T, (C, M, L, K)."""

    def at(self, compressor: str, t: FloatArray, shares: Mapping[str, float]) -> FloatArray:
        """Loadings of a compressor's effect on a mean of tasks, (points, K + 1): the mean, then each direction.

        The mean is taken for one more direction: whether the next law would see it is not known.

        Args:
            compressor: a measured one.
            t: of the points; beyond the token counts the effect stays what it is at the last.
            shares: of classes in the mean.
        """
        found = np.concatenate([self.mean[..., None], self.root], axis=-1)[:, self.compressors.index(compressor)]
        known = {label: place for place, label in enumerate(self.classes)}
        places = [known.get(label, known[""]) for label in shares]
        total: FloatArray = np.tensordot(np.array([*shares.values()]), found[places], axes=1)
        return self._between(t) @ total

    def _between(self, t: FloatArray) -> FloatArray:
        """Weights of the token counts in a value at t, (points, L): a line and a smooth curve through all of them."""
        t = np.clip(t, self.t[0], self.t[-1])
        line = np.column_stack([np.ones(len(self.t)), self.t])
        system = np.block([[curve(self.t, self.t), line], [line.T, np.zeros((2, 2))]])
        right = np.column_stack([curve(t, self.t), np.ones(len(t)), t])
        weights: FloatArray = np.linalg.solve(system, right.T).T[:, : len(self.t)]
        return weights


@dataclass(frozen=True, eq=False, kw_only=True)
class Spreads:
    """Standard deviations in error, and what is known of measured compressors and of tasks."""

    family: float
    """Of families of language models."""
    family_slope: float
    """Per doubling of N."""
    family_task: float
    """Of a family on one task, beside its mean."""
    recipe: float
    """Of the data and the schedule that a model was trained with."""
    recipe_text_task: float
    """Of a recipe on one task of reading, beside its mean."""
    recipe_other_task: float
    checkpoint: float
    """Of a released model beside its recipe: its latent quality."""
    checkpoint_task: float
    checkpoint_text_slope: float
    """Per doubling of T, of a released model on one task of reading."""
    compressor: float
    """Of compressors that a model is trained with."""
    compressor_slope: float
    """Per doubling of T."""
    compressor_task: float
    compressor_task_slope: float
    compressor_class_slope: float
    """Of a compressor on one class of tasks."""
    compressor_class_curve: float
    """Of what compressors differ by beside a line in t: a smooth curve on each class, squared exponential."""
    pruning: float = 0.0
    """Of ways to prune a model that was trained with all its tokens."""
    pruning_slope: float = 0.0
    """Per doubling of T."""
    pruning_task: float = 0.0
    pruning_task_slope: float = 0.0
    pruning_class_curve: float = 0.0
    measured: Measured | None = None
    """None: nothing is known of any compressor but its population."""
    classes_of_tasks: Mapping[str, str]
    """Class of each known task."""
    means: Mapping[str, int]
    """Over how many benchmarks a task is a mean, where it is one."""
    tail: Tail | None = None
    """Of what is predicted, where it is no normal."""

    def shares(self, tasks: Iterable[str]) -> dict[str, float]:
        """Of classes in the mean over tasks; "" is the class of a task that is not known."""
        labels = [self.classes_of_tasks.get(task, "") for task in tasks] or [""]
        return {label: labels.count(label) / len(labels) for label in dict.fromkeys(labels)}

    def reading(self, tasks: Iterable[str]) -> float:
        """Share of tasks of reading in the mean over tasks; a task that is not known may be one."""
        shares = self.shares(tasks)
        return shares.get(TEXT, 0.0) + shares.get("", 0.0)

    def count(self, tasks: Iterable[str]) -> int:
        """Benchmarks in the mean over tasks: 1 where they are not listed."""
        return max(sum(self.means.get(task, 1) for task in tasks), 1)


@cache
def shipped_spreads() -> Spreads:
    """Those that ship with the package."""
    content = json.loads((resources.files("fitted_laws") / FOLDER / FILE).read_text("utf-8"))
    measured = Measured(
        t=np.log2(np.array(content["tokens"], float) / MIDDLE_TOKENS),
        classes=tuple(content["classes"]),
        compressors=tuple(content["compressors"]),
        mean=np.array(content["mean"]),
        root=np.array(content["root"]),
    )
    return spreads_of(shipped_variances(), content["tasks"], content["means"], measured)


def spreads_of(
    variances: Variances, classes: Mapping[str, str], means: Mapping[str, int], measured: Measured | None
) -> Spreads:
    """Those of estimated variances, with what is known of tasks and of measured compressors."""
    sds = variances.sds
    return Spreads(
        family=sds["family"],
        family_slope=sds["slope in N: family"],
        family_task=sds["family x task"],
        recipe=sds["recipe"],
        recipe_text_task=sds["recipe x text task"],
        recipe_other_task=sds["recipe x other task"],
        checkpoint=sds["checkpoint"],
        checkpoint_task=sds["checkpoint x task"],
        checkpoint_text_slope=sds["slope in T: checkpoint x text task"],
        compressor=sds["compressor"],
        compressor_slope=sds["slope in T: compressor"],
        compressor_task=sds["compressor x task"],
        compressor_task_slope=sds["slope in T: compressor x task"],
        compressor_class_slope=sds["slope in T: compressor x class"],
        compressor_class_curve=sds["curve: compressor x class"],
        pruning=sds["pruning"],
        pruning_slope=sds["slope in T: pruning"],
        pruning_task=sds["pruning x task"],
        pruning_task_slope=sds["slope in T: pruning x task"],
        pruning_class_curve=sds["curve: pruning x class"],
        measured=measured,
        classes_of_tasks=classes,
        means=means,
        tail=variances.tail,
    )
