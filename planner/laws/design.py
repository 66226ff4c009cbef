"""What to measure next: the run that is expected to shrink the regret of the pick most.

What is believed of an average of forms has long tails: its gains come of joint draws (see `drawn`). Around the fit of
one form, the errors of any configurations are jointly Gaussian, predictions + L u with u ~ N(0, 1) each. A run at cell
c with noise sigma then moves what is predicted for the candidates by

    b z,  z ~ N(0, 1),  b = L_candidates l_c / sqrt(l_c . l_c + sigma^2)

and the law picks the smallest of m + b z instead of the smallest of m. The expected gain, min m - E min (m + b z), is
the knowledge gradient (Frazier, Powell and Dayanik 2009, INFORMS J. Computing 21), known in closed form: no draws. It
is never negative, and zero for a run that moves all candidates alike, however uncertain that run's own error is.
Where the belief reaches below 0 or above 1, an error that it puts there is 0 or 1: see `gain`.

The other criterion, "d-optimal", looks at the parameters and not at the pick: log det of the information matrix after
the run less before, = ln(1 + l_c . l_c / sigma^2) with L of the law's own form, all parameters free.

Letters: K candidates, C cells, P points, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.laws.beliefs import Points
from planner.laws.combined import Law
from planner.laws.run_gains import Gains, batch_of, gains, joined

FloatArray = NDArray[np.float64]

CRITERIA = ("regret", "d-optimal")


@dataclass(frozen=True)
class NextRun:
    """One run that could be made, and what it promises."""

    llm_params: float
    visual_tokens: float
    cost: float
    """In the unit of the costs given; 1 where none were."""
    expected_gain: float
    """Expected fall of the true error of what is picked, a fraction like the error itself."""
    probability_pick_changes: float
    """How likely the law picks another candidate after the run."""
    log_det_gain: float
    """By how much the run raises log det of the information matrix."""
    measured: bool
    """Whether the law rests on a run of this cell already; one more tells only what another seed would."""
    beside: tuple[float, float] | None = None
    """(llm_params, visual_tokens) of the run that it is made together with, where one alone tells a level that all
    candidates share; None of a run alone. Cost, gain and information are those of both then."""

    @property
    def gain_per_cost(self) -> float:
        """Expected gain for each unit of cost."""
        return self.expected_gain / self.cost


@dataclass(frozen=True)
class NextRuns:
    """The cells that could be measured, the most useful first."""

    runs: tuple[NextRun, ...]
    expected_regret_now: float
    """Expected true error of the law's pick above that of the best candidate: no run can gain more."""
    pick: tuple[float, float]
    """What the law picks now: (llm_params, visual_tokens)."""
    criterion: str
    """"regret" or "d-optimal"."""
    noise_sd: float
    """Standard deviation of a run's error that was reckoned with."""


@dataclass(frozen=True)
class Batch:
    """Runs to be made together, before any of them is evaluated."""

    runs: tuple[tuple[float, float], ...]
    """(llm_params, visual_tokens) of each, in the order in which they were chosen."""
    expected_gains: tuple[float, ...]
    """Of the first run alone, the first two together, and so on."""


def next_runs(
    law: Law,
    candidates: Points,
    cells: Points,
    cost: ArrayLike | None = None,
    *,
    criterion: str = "regret",
    per_cost: bool = False,
    forms: str = "all",
    noise_sd: float | None = None,
    llm: Sequence[str] | None = None,
    seed: int = 0,
) -> NextRuns:
    """Rank the runs that could be made by what they are expected to gain.

    Args:
        law: a fitted law, an average of forms, or a mix of tasks (a run is then one model evaluated on all of them).
        candidates: what the pick is chosen from, (llm_params, visual_tokens), each of shape (K,).
        cells: what could be measured, (llm_params, visual_tokens), each of shape (C,).
        cost: of each cell, shape (C,) or one number, in any unit.
        criterion: "regret" (expected gain in the error of the pick) or "d-optimal" (information on the parameters).
        per_cost: rank by gain per unit of cost.
        forms: "all" to believe in every form that the runs allow, by its evidence, "own" in the law's form alone.
        noise_sd: standard deviation of a run's error about the law; by default what the fit left.
        llm: names of the candidates' language models, (K,): where models may differ, one that was not measured is
            another than a measured one of its size. None: a size is one model.
        seed: of the samples behind `expected_regret_now` and, of an average of forms, behind all numbers.

    Raises:
        InputError: a law without runs or with tied parameters, or arrays that do not go together.
        FitError: too few runs to know the noise, and none was given.
        UnknownNameError: no such criterion.
    """
    check_criterion(criterion)
    points, count = joined(candidates, cells)
    found = gains(law, candidates, cells, forms=forms, noise_sd=noise_sd, llm=llm, seed=seed)
    costs = _costs(cost, len(points[0]) - count)
    picked = float(points[0][found.pick]), float(points[1][found.pick])
    runs = (points[0][count:], points[1][count:])
    return ranked(found, runs, costs, picked, criterion=criterion, per_cost=per_cost)


def check_criterion(criterion: str) -> None:
    """Raises UnknownNameError."""
    if criterion not in CRITERIA:
        raise UnknownNameError("criterion", criterion, CRITERIA)


def ranked(
    found: Gains,
    cells: tuple[FloatArray, FloatArray],
    costs: FloatArray,
    pick: tuple[float, float],
    *,
    criterion: str,
    per_cost: bool,
    beside: tuple[FloatArray, FloatArray] | None = None,
) -> NextRuns:
    """Runs in the order of what they promise.

    Args:
        found: what a run of each cell promises, or of each pair of cells.
        cells: (llm_params, visual_tokens), each of shape (C,).
        costs: of each, (C,).
        pick: (llm_params, visual_tokens) of what is picked now.
        criterion: one of `CRITERIA`.
        per_cost: rank by gain per unit of cost.
        beside: the other run of each pair, as `cells`; None: each is made alone.
    """
    gain, information = found.expected_gain, found.log_det_gain
    score, tie = (gain, information) if criterion == "regret" else (information, gain)
    order = np.lexsort((-tie, -score / costs if per_cost else -score))
    sizes, tokens = cells[0].tolist(), cells[1].tolist()
    others = [None] * len(sizes) if beside is None else list(zip(*(one.tolist() for one in beside), strict=True))
    runs = tuple(
        NextRun(
            llm_params=sizes[i],
            visual_tokens=tokens[i],
            cost=float(costs[i]),
            expected_gain=float(gain[i]),
            probability_pick_changes=float(found.probability_pick_changes[i]),
            log_det_gain=float(information[i]),
            measured=bool(found.measured[i]),
            beside=others[i],
        )
        for i in order
    )
    return NextRuns(
        runs=runs,
        expected_regret_now=found.expected_regret_now,
        pick=pick,
        criterion=criterion,
        noise_sd=found.noise_sd,
    )


def next_batch(
    law: Law,
    candidates: Points,
    cells: Points,
    count: int,
    *,
    forms: str = "all",
    noise_sd: float | None = None,
    llm: Sequence[str] | None = None,
    seed: int = 0,
) -> Batch:
    """Several runs to be made together, each chosen for what it adds to those before it. Arguments as `next_runs`."""
    chosen, total = batch_of(law, candidates, cells, count, forms=forms, noise_sd=noise_sd, llm=llm, seed=seed)
    points, split = joined(candidates, cells)
    runs = tuple((float(points[0][split + one]), float(points[1][split + one])) for one in chosen)
    return Batch(runs, total)


def _costs(cost: ArrayLike | None, count: int) -> FloatArray:
    given = np.asarray(1.0 if cost is None else cost, float)
    if given.shape not in ((), (count,)) or not (np.isfinite(given).all() and (given > 0).all()):
        raise InputError(f"cost: expected a number above 0 for each of {count} cells, got {shown(cost)}")
    return np.broadcast_to(given, (count,))
