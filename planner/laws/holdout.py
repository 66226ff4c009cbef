"""Hold-out: does the law predict runs that it has not seen, better than what needs no law, and do its intervals hold?

Three ways of splitting the runs: roll-out over N (train on the k smallest sizes, predict each larger one), leave one N
out, leave one T out; `splits` says what is one size and which are held out. Everything that predicts is fitted to the
same training rows with the same weights: the law (the form, fitted again) and the `baselines`, which need none.

Letters: m held-out runs of a fold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, InputError
from planner.base.quantities import format_params, format_significant, format_tokens
from planner.base.result import Result
from planner.laws.baselines import baselines
from planner.laws.fit import fit, fit_beside
from planner.laws.fitted import FittedLaw
from planner.laws.forms import DEFAULT_FORM, get_form
from planner.laws.intervals import KINDS, profiler
from planner.laws.levels import check_levels
from planner.laws.splits import Levels, distance
from planner.laws.weighting import RELATIVE
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

    @property
    def distance(self) -> float:
        """The longest extrapolation, in units of the training range of ln N or ln T; 0 for none."""
        return float(max(self.n_distance.max(), self.t_distance.max()))

    @property
    def undetermined(self) -> bool:
        """Whether the law predicts an error that no model has, above 1 or below 0, and its own 95 % interval says no
        more: it is wider than the largest error trained on.

        Three sizes that hardly bend a power let it be as steep as it likes below the smallest. Such a fold is not
        scored.
        """
        errors = np.append(self.law.data.y, self.measured) if self.law.data is not None else self.measured
        possible = errors.max() > 1 or bool(((self.predicted >= 0) & (self.predicted <= 1)).all())  # above 1: losses
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
    notes: tuple[str, ...] = ()
    """Near-equal sizes or token counts that were held out together, levels that were not held out, and folds that are
    not scored, in sentences."""

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


def hold_out(
    runs: Runs | pd.DataFrame | str, form: str = DEFAULT_FORM, *, weights: str = "auto", error_se: str = RELATIVE
) -> HoldOut:
    """Fit the form to parts of the runs and score it on the rest, beside simple baselines.

    Each held-out run is scored by itself: repetitions and pooled tasks of one cell count one each. New-run intervals
    are those of a run of mean weight. Sizes, and token counts, less than 5 % apart are one level; of more than twelve
    levels twelve are held out, spread evenly; `notes` says so.

    Args:
        runs: as `read_runs` takes them.
        form: as `fit` takes it.
        weights: as `fit` takes them.
        error_se: as `fit` takes it.

    Raises:
        RunsError: the table is bad.
        FitError: the runs do not allow the form, or no split of them does.
        UnknownNameError: no such form or weighting.
    """
    table = read_runs(runs)
    law = fit(table, form, weights=weights, error_se=error_se)
    shape = get_form(law.form)
    sizes, counts = Levels.of(table.llm_params), Levels.of(table.visual_tokens)
    n, t = sizes.snapped(table.llm_params), counts.snapped(table.visual_tokens)
    by_level = replace(table, llm_params=n, visual_tokens=t)
    n_held, t_held = sizes.chosen(), counts.chosen()
    plans: dict[str, list[tuple[NDArray[np.bool_], FloatArray]]] = {  # masks of the training runs, levels held out
        "rollout": [(n <= last, n_held[k + 1 :]) for k, last in enumerate(n_held[:-1])],
        "leave_one_n": [(n != size, n_held[[k]]) for k, size in enumerate(n_held) if len(n_held) > 1],
        "leave_one_t": [(t != count, t_held[[k]]) for k, count in enumerate(t_held)],
    }
    folds: dict[str, tuple[Fold, ...]] = {}
    skipped: list[str] = []
    unscored: list[str] = []
    for split, plan in plans.items():
        along, column, text = ("T", t, format_tokens) if split == "leave_one_t" else ("N", n, format_params)
        found: list[Fold] = []
        lost: dict[str, list[str]] = {}  # reason -> levels that cannot be held out
        for training, levels in plan:
            try:
                check_levels(by_level.take(training), shape, shape.param_names)
                trained = fit_beside(law, table.take(training), weights)
            except FitError as error:
                lost.setdefault(str(error), []).extend(text(float(level)) for level in levels)
            else:
                found += _folds(trained, table, along, [(float(level), column == level) for level in levels])
        folds[split] = tuple(found)
        unscored += _unscored(split, found, text)
        if split == "rollout":  # it starts at the first k that allows the form; where none does, the largest says why
            lost = {reason: [] for reason in list(lost)[-1:] if not found}
        for reason, names in lost.items():
            which = f" (without {', '.join(names)})" if found else ""
            skipped.append(f"{SPLITS[split]}{which}: {reason}")
    if not any(folds.values()):
        raise FitError(f"nothing can be held out, since what is left does not allow the form ({skipped[0]})")
    notes = (*sizes.notes("LLM sizes", format_params), *counts.notes("visual token counts", format_tokens), *unscored)
    return HoldOut(law, folds["rollout"], folds["leave_one_n"], folds["leave_one_t"], tuple(skipped), notes)


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


def _folds(
    law: FittedLaw, table: Runs, along: str, levels: Sequence[tuple[float, NDArray[np.bool_]]]
) -> Iterator[Fold]:
    """A fold for each level and the runs (n,) that it holds, all predicted by one law."""
    assert law.data is not None
    rows = np.concatenate([np.flatnonzero(held) for _, held in levels])
    n, t = table.llm_params[rows], table.visual_tokens[rows]
    try:
        intervals = profiler(law).of_every_kind(n, t)
    except FitError:  # as many parameters as training runs
        intervals = {}
    predicted, beside = np.asarray(law.predict(n, t)), baselines(law.data, n / law.n_unit_params, t, along)
    distances = distance(n, law.llm_params_levels), distance(t, law.visual_tokens_levels)
    start = 0
    for level, held in levels:
        own = slice(start, start := start + int(held.sum()))
        yield Fold(
            along=along,
            held_out=level,
            law=law,
            llm_params=n[own],
            visual_tokens=t[own],
            measured=table.error[rows[own]],
            predicted=predicted[own],
            intervals={kind: (low[own], high[own]) for kind, (low, high) in intervals.items()},
            baselines={name: values[own] for name, values in beside.items()},
            n_distance=distances[0][own],
            t_distance=distances[1][own],
        )


def _unscored(split: str, folds: Sequence[Fold], text: Callable[[float], str]) -> list[str]:
    """Which folds are not scored, in a sentence."""
    lost = [fold for fold in folds if fold.undetermined]
    if not lost:
        return []
    widest = max(lost, key=lambda fold: float(np.ptp(fold.intervals["mean"], axis=0).max()))
    low, high = (ends[np.ptp(widest.intervals["mean"], axis=0).argmax()] for ends in widest.intervals["mean"])
    levels = ", ".join(dict.fromkeys(text(fold.held_out) for fold in lost))
    return [
        f"{SPLITS[split]}: {len(lost)} of {len(folds)} folds not scored ({levels}): the runs trained on do not "
        f"determine the error there (interval {format_significant(float(low))} to {format_significant(float(high))})"
    ]
