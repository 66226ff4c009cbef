"""The folds of a hold-out: what a law said of runs that it had not seen, and how far off that was.

Letters: m held-out runs of a fold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import KINDS
from planner.runs.table import ERROR

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """How far predictions were from what was measured."""

    mean_relative_error: float
    """Mean of |predicted - measured| / measured; NaN where nothing was scored."""
    max_relative_error: float
    """The largest one; NaN where nothing was scored."""
    runs_count: int
    """Runs scored; those measured at error 0 are not, since they have no relative error."""


@dataclass(frozen=True)
class Coverage:
    """How many held-out runs fell inside their interval."""

    inside_count: int
    runs_count: int
    """Held-out runs that had an interval."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One split: a law fitted to the training runs, and what it says of the others."""

    along: str
    """"N" or "T": of which one level is held out."""
    held_out: float
    """The level: an LLM size in parameters, or visual tokens; of near-equal ones, held out together, the largest."""
    law: FittedLaw
    """Fitted to the training runs only; its levels are what it was trained on."""
    llm_params: FloatArray
    """Of the held-out runs, nominal, in parameters, (m,)."""
    visual_tokens: FloatArray
    """Of the held-out runs, (m,)."""
    measured: FloatArray
    """Their errors, 0 to 1, (m,)."""
    predicted: FloatArray
    """What the law says of them, (m,)."""
    intervals: Mapping[str, tuple[FloatArray, FloatArray]]
    """By kind ("mean", "new-run"): low and high of the 95 % profile interval, (m,) each; empty if there are none."""
    baselines: Mapping[str, FloatArray]
    """What each of BASELINES says of them, (m,)."""
    n_distance: FloatArray
    """How far ln N lies outside the training sizes, in units of their range in ln N; 0 inside, (m,)."""
    t_distance: FloatArray
    """The same for ln T, (m,)."""
    llm: str = ""
    """The language model that is held out, of a split by LLM; `held_out` is its size."""

    @property
    def distance(self) -> float:
        """The longest extrapolation, in units of the training range of ln N or ln T; 0 for none."""
        return float(max(self.n_distance.max(), self.t_distance.max()))

    @property
    def impossible(self) -> FloatArray:
        """What the law predicts although no model has it: below 0, or of errors above 1."""
        found: FloatArray = self.predicted[
            (self.predicted < 0) | (self.predicted > (1.0 if self.law.predicts == ERROR else math.inf))
        ]
        return found

    @property
    def undetermined(self) -> bool:
        """Whether the law predicts what no model has, and its own 95 % interval says no
        more: it is wider than the largest error trained on.

        Three sizes that hardly bend a power let it be as steep as it likes below the smallest. Such a fold is not
        scored.
        """
        errors = np.append(self.law.data.y, self.measured) if self.law.data is not None else self.measured
        possible = not self.impossible.size
        if possible or "mean" not in self.intervals:
            return False
        low, high = self.intervals["mean"]
        return bool((high - low).max() > errors.max())

    def relative_error(self, name: str = "law") -> FloatArray:
        """|predicted - measured| / measured of the law or a baseline, (m,); NaN where the measured error is 0."""
        predicted = self.predicted if name == "law" else self.baselines[name]
        measured = np.where(self.measured > 0, self.measured, np.nan)
        return np.abs(predicted - measured) / measured

    def inside(self, kind: str) -> NDArray[np.bool_]:
        """Which held-out runs lie in their interval, (m,); of shape (0,) if there are no intervals."""
        if kind not in self.intervals:
            return np.zeros(0, bool)
        low, high = self.intervals[kind]
        return (low <= self.measured) & (self.measured <= high)


def score(folds: Sequence[Fold], name: str = "law") -> Score:
    """Errors of the law, or of one of BASELINES, over the held-out runs of some folds, those undetermined left out."""
    errors = np.concatenate([fold.relative_error(name) for fold in folds if not fold.undetermined] or [np.zeros(0)])
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return Score(math.nan, math.nan, 0)
    return Score(float(errors.mean()), float(errors.max()), len(errors))


def coverage(folds: Sequence[Fold], kind: str = "new-run") -> Coverage:
    """How many held-out runs of some folds lie in their 95 % interval.

    A measured run has noise of its own, so "new-run" intervals should hold 95 % of them and "mean" intervals fewer.

    Raises:
        InputError: no such kind.
    """
    if kind not in KINDS:
        raise InputError(f"kind: expected {' or '.join(KINDS)}, got {kind!r}")
    inside = np.concatenate([fold.inside(kind) for fold in folds] or [np.zeros(0, bool)])
    return Coverage(int(inside.sum()), len(inside))
