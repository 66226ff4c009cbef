"""Hold-out: does the law predict runs that it has not seen, better than what needs no law, and do its intervals hold?

Ways of splitting the runs: roll-out over N (train on the k smallest sizes, predict each larger one), leave one N out,
leave one T out; `splits` says what is one size and which are held out. Where several language models are of one such
size, by their names, each of them is also left out alone, the others of its size trained on. Everything that predicts
is fitted to the same training rows with the same weights: the law (the form, fitted again) and the `baselines`, which
need none. What became of each fold is in `folds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import FitError
from planner.base.quantities import format_params, format_significant, format_tokens
from planner.base.result import Result
from planner.laws.baselines import baselines
from planner.laws.fit import fit, fit_beside
from planner.laws.fitted import FittedLaw
from planner.laws.folds import Fold
from planner.laws.folds import coverage as coverage
from planner.laws.folds import score as score
from planner.laws.forms import DEFAULT_FORM, get_form
from planner.laws.intervals import profiler
from planner.laws.levels import check_levels
from planner.laws.splits import Left, Levels, distance, models_beside_others
from planner.laws.weighting import RELATIVE
from planner.laws.zero_tokens import with_tokens
from planner.runs import Runs, read_runs

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

SPLITS = {"rollout": "roll-out over N", "leave_one_n": "leave one N out", "leave_one_t": "leave one T out"}
"""Fields of HoldOut, and what people call them."""
SPLITS_BY_NAME = {"leave_one_llm": "leave one LLM of a size out"}
"""The same of those that only runs allow in which several language models are of one size."""
_TITLES = {**SPLITS, **SPLITS_BY_NAME}


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
    leave_one_llm: tuple[Fold, ...]
    """One language model left out while others of its size are trained on, by size and name; () where every size, with
    near-equal ones taken as one, is of one model."""
    skipped: tuple[str, ...]
    """Splits that could not be fitted, with the reason, in sentences."""
    notes: tuple[str, ...] = ()
    """Near-equal sizes or token counts that were held out together, levels that were not held out, and folds that are
    not scored, in sentences."""

    def folds(self, split: str) -> tuple[Fold, ...]:
        """The folds of one of `splits`."""
        found: dict[str, tuple[Fold, ...]] = {one: getattr(self, one) for one in _TITLES}
        return found[split]

    @property
    def splits(self) -> dict[str, str]:
        """SPLITS, and of SPLITS_BY_NAME those that have folds."""
        return {one: title for one, title in _TITLES.items() if one in SPLITS or self.folds(one)}

    def __repr__(self) -> str:
        folds = sum(len(self.folds(split)) for split in self.splits)
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
            for split in self.splits
            for fold in self.folds(split)
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def hold_out(
    runs: Runs | pd.DataFrame | str, form: str = DEFAULT_FORM, *, weights: str = "auto", error_se: str = RELATIVE
) -> HoldOut:
    """Fit the form to parts of the runs and score it on the rest, beside simple baselines.

    Each held-out run is scored by itself: repetitions and pooled tasks of one cell count one each. New-run intervals
    are those of a run of mean weight. Sizes, and token counts, less than 5 % apart are one level; of more than twelve
    levels twelve are held out, spread evenly; `notes` says so. Of one size are all language models within 5 %, whatever
    their names: a size is left out with all of them. Each of several models of a size is then left out alone too.

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
    table = with_tokens(read_runs(runs), "baselines and distances are in ln T")
    law = fit(table, form, weights=weights, error_se=error_se)
    shape = get_form(law.form)
    sizes, counts = Levels.of(table.llm_params), Levels.of(table.visual_tokens)
    n, t = sizes.snapped(table.llm_params), counts.snapped(table.visual_tokens)
    by_level = replace(table, llm_params=n, visual_tokens=t)
    n_held, t_held = sizes.chosen(), counts.chosen()
    models = models_beside_others(table.llm, n, n_held)
    plans: dict[str, list[tuple[NDArray[np.bool_], list[Left]]]] = {  # masks of the training runs, what is held out
        "rollout": [(n <= last, Left.of(n, n_held[k + 1 :])) for k, last in enumerate(n_held[:-1])],
        "leave_one_n": [(n != size, Left.of(n, [size])) for size in n_held if len(n_held) > 1],
        "leave_one_t": [(t != count, Left.of(t, [count])) for count in t_held],
        "leave_one_llm": [(~one.runs, [one]) for one in models],
    }
    folds: dict[str, tuple[Fold, ...]] = {}
    skipped: list[str] = []
    unscored: list[str] = []
    for split, plan in plans.items():
        along, text = ("T", format_tokens) if split == "leave_one_t" else ("N", format_params)
        found: list[Fold] = []
        lost: dict[str, list[str]] = {}  # reason -> levels that cannot be held out
        for training, left in plan:
            try:
                check_levels(by_level.take(training), shape, shape.param_names, left=True)
                trained = fit_beside(law, table.take(training), weights)
            except FitError as error:
                lost.setdefault(str(error), []).extend(one.llm or text(one.level) for one in left)
            else:
                found += _folds(trained, table, along, left)
        folds[split] = tuple(found)
        unscored += _unscored(split, found, text)
        if split == "rollout":  # it starts at the first k that allows the form; where none does, the largest says why
            lost = {reason: [] for reason in list(lost)[-1:] if not found}
        for reason, names in lost.items():
            which = f" (without {', '.join(names)})" if found else ""
            skipped.append(f"{_TITLES[split]}{which}: {reason}")
    if not any(folds.values()):
        raise FitError(f"nothing can be held out, since what is left does not allow the form ({skipped[0]})")
    notes = (*sizes.notes("LLM sizes", format_params), *counts.notes("visual token counts", format_tokens), *unscored)
    return HoldOut(law, **folds, skipped=tuple(skipped), notes=notes)


def _folds(law: FittedLaw, table: Runs, along: str, left: Sequence[Left]) -> Iterator[Fold]:
    """A fold for each level or model held out, all predicted by one law."""
    assert law.data is not None
    rows = np.concatenate([np.flatnonzero(one.runs) for one in left])
    n, t = table.llm_params[rows], table.visual_tokens[rows]
    try:
        intervals = profiler(law).of_every_kind(n, t)
    except FitError:  # as many parameters as training runs
        intervals = {}
    predicted, names = np.asarray(law.predict(n, t)), [table.llm[row] for row in rows.tolist()]
    beside = baselines(law.data, n / law.n_unit_params, t, along, names)
    distances = distance(n, law.llm_params_levels), distance(t, law.visual_tokens_levels)
    start = 0
    for one in left:
        own = slice(start, start := start + int(one.runs.sum()))
        yield Fold(
            along=along,
            held_out=one.level,
            law=law,
            llm_params=n[own],
            visual_tokens=t[own],
            measured=table.error[rows[own]],
            predicted=predicted[own],
            intervals={kind: (low[own], high[own]) for kind, (low, high) in intervals.items()},
            baselines={name: values[own] for name, values in beside.items()},
            n_distance=distances[0][own],
            t_distance=distances[1][own],
            llm=one.llm,
        )


def _unscored(split: str, folds: Sequence[Fold], text: Callable[[float], str]) -> list[str]:
    """Which folds are not scored, in a sentence."""
    lost = [fold for fold in folds if fold.undetermined]
    if not lost:
        return []
    widest = max(lost, key=lambda fold: float(np.ptp(fold.intervals["mean"], axis=0).max()))
    low, high = (ends[np.ptp(widest.intervals["mean"], axis=0).argmax()] for ends in widest.intervals["mean"])
    levels = ", ".join(dict.fromkeys(fold.llm or text(fold.held_out) for fold in lost))
    return [
        f"{_TITLES[split]}: {len(lost)} of {len(folds)} folds not scored ({levels}): the runs trained on do not "
        f"determine the error there (interval {format_significant(float(low))} to {format_significant(float(high))})"
    ]
