"""Hold-out: does the law predict runs that it has not seen, better than what needs no law, and do its intervals hold?

Three ways of splitting the runs: roll-out over N (train on the k smallest sizes, predict each larger one), leave one N
out, leave one T out. Everything that predicts is fitted to the same training rows with the same weights:
the law (the form, fitted again) and the `baselines`, which need none.

Letters: m held-out runs of a fold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, InputError
from planner.base.quantities import format_params, format_percent, format_significant, format_tokens
from planner.base.result import Result
from planner.laws.baselines import baselines
from planner.laws.fit import fit, fit_beside
from planner.laws.fitted import NOT_IDENTIFIED, FittedLaw
from planner.laws.forms import DEFAULT_FORM
from planner.laws.intervals import KINDS, LEVEL, Interval, identifiable, profiler
from planner.runs import Runs, read_runs

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

SPLITS = {"rollout": "roll-out over N", "leave_one_n": "leave one N out", "leave_one_t": "leave one T out"}
"""Fields of HoldOut, and what people call them."""


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
    """The level: an LLM size in parameters, or visual tokens."""
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

    @property
    def distance(self) -> float:
        """The longest extrapolation, in units of the training range of ln N or ln T; 0 for none."""
        return float(max(self.n_distance.max(), self.t_distance.max()))

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


@dataclass(frozen=True, eq=False, repr=False)
class HoldOut(Result):
    """Every split of one table of runs that the form allows."""

    law: FittedLaw
    """Fitted to all runs."""
    rollout: tuple[Fold, ...]
    """Trained on the k smallest sizes, each larger one predicted, by k and size."""
    leave_one_n: tuple[Fold, ...]
    """One LLM size left out, by size."""
    leave_one_t: tuple[Fold, ...]
    """One number of visual tokens left out, by number."""
    skipped: tuple[str, ...]
    """Splits that could not be fitted, with the reason, in sentences."""

    def folds(self, split: str) -> tuple[Fold, ...]:
        """The folds of one of SPLITS."""
        return {"rollout": self.rollout, "leave_one_n": self.leave_one_n, "leave_one_t": self.leave_one_t}[split]

    def __repr__(self) -> str:
        folds = sum(len(self.folds(split)) for split in SPLITS)
        return f"HoldOut({self.law.form}, {self.law.n_runs} runs, {folds} folds, {len(self.skipped)} skipped)"

    def to_frame(self) -> pd.DataFrame:
        """A row for each held-out run of each fold: measured, and what the law and each baseline say of it."""
        import pandas as pd

        frames = [
            pd.DataFrame(
                {
                    "split": split,
                    "held_out": fold.held_out,
                    "llm_params": fold.llm_params,
                    "visual_tokens": fold.visual_tokens,
                    "measured": fold.measured,
                    "law": fold.predicted,
                    **fold.baselines,
                }
            )
            for split in SPLITS
            for fold in self.folds(split)
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def hold_out(runs: Runs | pd.DataFrame | str, form: str = DEFAULT_FORM, *, weights: str = "auto") -> HoldOut:
    """Fit the form to parts of the runs and score it on the rest, beside simple baselines.

    Each held-out run is scored by itself: repetitions and pooled tasks of one cell count one each. New-run intervals
    are those of a run of mean weight.

    Args:
        runs: as `read_runs` takes them.
        form: as `fit` takes it.
        weights: as `fit` takes them.

    Raises:
        RunsError: the table is bad.
        FitError: the runs do not allow the form, or no split of them does.
        UnknownNameError: no such form or weighting.
    """
    table = read_runs(runs)
    law = fit(table, form, weights=weights)
    n, t = table.llm_params, table.visual_tokens
    sizes, counts = np.unique(n), np.unique(t)
    plans: dict[str, list[tuple[NDArray[np.bool_], FloatArray]]] = {  # masks of the training runs, levels held out
        "rollout": [(n <= last, sizes[k + 1 :]) for k, last in enumerate(sizes[:-1])],
        "leave_one_n": [(n != size, sizes[[k]]) for k, size in enumerate(sizes)],
        "leave_one_t": [(t != count, counts[[k]]) for k, count in enumerate(counts)],
    }
    folds: dict[str, tuple[Fold, ...]] = {}
    skipped: list[str] = []
    for split, plan in plans.items():
        along, column, text = ("T", t, format_tokens) if split == "leave_one_t" else ("N", n, format_params)
        found: list[Fold] = []
        lost: dict[str, list[str]] = {}  # reason -> levels that cannot be held out
        for training, levels in plan:
            try:
                trained = fit_beside(law, table.take(training), weights)
            except FitError as error:
                lost.setdefault(str(error), []).extend(text(float(level)) for level in levels)
            else:
                found += [_fold(trained, table.take(column == level), along, float(level)) for level in levels]
        folds[split] = tuple(found)
        if split == "rollout":  # it starts at the first k that allows the form; where none does, the largest says why
            lost = {} if found else {list(lost)[-1]: []}
        for reason, names in lost.items():
            which = f" (without {', '.join(names)})" if found else ""
            skipped.append(f"{SPLITS[split]}{which}: {reason}")
    if not any(folds.values()):
        raise FitError(f"nothing can be held out, since what is left does not allow the form ({skipped[0]})")
    return HoldOut(law, folds["rollout"], folds["leave_one_n"], folds["leave_one_t"], tuple(skipped))


def score(folds: Sequence[Fold], name: str = "law") -> Score:
    """Errors of the law, or of one of BASELINES, over all held-out runs of some folds."""
    errors = np.concatenate([fold.relative_error(name) for fold in folds] or [np.zeros(0)])
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


def verdict(law: FittedLaw, intervals: Mapping[str, Interval], level: float = LEVEL) -> tuple[str, ...]:
    """What the runs identify, in words: parameters first, then predictions at every measured size and token count.

    Predictions count as identified where their widest interval is narrower than what the law moves inside the data:
    else it does not even tell the best cell from the worst.

    Args:
        law: a fitted law.
        intervals: of its parameters, as `profiler(law).parameters()` gives them.
        level: of the intervals.

    Raises:
        InputError: the law was given, not fitted.
        FitError: too few runs for an interval, or constraints that intervals are not made for.
    """
    region = profiler(law, level)
    share = f"{100 * level:g} %"
    sentences = [law.advice] if law.status == NOT_IDENTIFIED else []
    lost = [name for name, closed in identifiable(dict(intervals)).items() if not closed]
    for name in lost:
        low, high = intervals[name].low, intervals[name].high
        if math.isnan(low) and math.isnan(high):
            bound = f"the {share} interval is open on both sides"
        elif math.isnan(low):
            bound = f"{share} upper bound {format_significant(high)}"
        else:
            bound = f"{share} lower bound {format_significant(low)}"
        sentences.append(f"{name} is not identified: {bound}")
    if not lost:
        sentences.append(f"every parameter is identified: the data close all {share} intervals")
    data = region.data
    sizes, counts = np.unique(data.n)[:, None] * law.n_unit_params, np.unique(data.t)
    error = np.asarray(law.predict(sizes, counts))
    low_error, high_error = region.predictions(sizes, counts)
    half = (high_error - low_error) / 2
    positive = error > 0  # a straight line in ln N can fall below
    widest = float((half[positive] / error[positive]).max(initial=0.0))
    width = f"{share} half-width at most {format_percent(widest, 1)} of the error inside the data"
    moved = error.max() - error.min()
    if 2 * half.max() < moved:
        sentences.append(f"predictions are identified: {width}")
    else:
        sentences.append(f"predictions are not identified: {width}, where the law moves by {format_significant(moved)}")
    return tuple(sentences)


def _fold(law: FittedLaw, held: Runs, along: str, level: float) -> Fold:
    assert law.data is not None
    n, t = held.llm_params, held.visual_tokens
    try:
        intervals: Mapping[str, tuple[FloatArray, FloatArray]] = profiler(law).of_every_kind(n, t)
    except FitError:  # as many parameters as training runs
        intervals = {}
    return Fold(
        along=along,
        held_out=level,
        law=law,
        llm_params=n,
        visual_tokens=t,
        measured=held.error,
        predicted=np.asarray(law.predict(n, t)),
        intervals=intervals,
        baselines=baselines(law.data, n / law.n_unit_params, t, along),
        n_distance=_distance(n, law.llm_params_levels),
        t_distance=_distance(t, law.visual_tokens_levels),
    )


def _distance(values: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """ln(value / nearest level) / ln(largest / smallest level) outside the levels, 0 inside, (m,)."""
    x, low, high = np.log(values), math.log(levels[0]), math.log(levels[-1])
    return np.maximum(np.maximum(x - high, low - x), 0.0) / (high - low)  # every form needs two levels
