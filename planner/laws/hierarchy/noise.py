"""Noise of one printed number: a study's, times a factor of the task, and the number's own standard error on top.

    variance = (study * task)^2 + error_se^2

A study prints every number from one training run, or the mean of five; a task has 500 questions, or 12,000, or a judge.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.laws.hierarchy.cells import FloatArray, StrArray


@dataclass(frozen=True)
class Noise:
    """Noise of the evidence, and what it makes of another study's."""

    study: Mapping[str, float]
    """In error, by study."""
    task: Mapping[str, float]
    """Factor by task; 1 of a task that is not there."""
    median: float
    """Of another study: ln s ~ N(ln median, spread^2). In error."""
    spread: float
    """Of the natural logarithm of a study's noise."""
    task_spread: float
    """Of the natural logarithm of a task's factor, around 0."""

    def of_studies(self, names: StrArray) -> FloatArray:
        """(n,) of each row's study. Raises InputError for a study whose noise was not estimated."""
        for name in np.unique(names).tolist():
            if name not in self.study:
                raise InputError(
                    f"study: the noise of {shown(name)} was not estimated; give its rows as a study of one's own"
                )
        return np.array([self.study[name] for name in names.tolist()])

    def of_tasks(self, names: StrArray) -> FloatArray:
        """(n,) factors."""
        return np.array([self.task.get(name, 1.0) for name in names.tolist()])

    def variance(self, study: StrArray, task: StrArray, error_se: FloatArray) -> FloatArray:
        """(n,) of rows of the evidence, nan where a row has no standard error of its own. Raises as `of_studies`."""
        return noise_variance(self.of_studies(study) * self.of_tasks(task), error_se)


def noise_variance(sd: FloatArray, error_se: FloatArray) -> FloatArray:
    """(n,) variance of rows with a study's and a task's noise of `sd`, and standard errors or nan."""
    found: FloatArray = sd**2 + np.nan_to_num(error_se, nan=0.0) ** 2
    return found
