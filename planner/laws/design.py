"""What to measure next: the run that is expected to shrink the regret of the pick most.

Around a fit, the errors of any configurations are jointly Gaussian, predictions + L u with u ~ N(0, 1) each (see
`beliefs`). A run at cell c with noise sigma then moves what is predicted for the candidates by

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

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown, whole_number
from planner.laws.beliefs import Beliefs, Points, Spread, believe, run_data
from planner.laws.combined import CombinedLaw, Law
from planner.laws.gain import expected_gain, expected_regret, inside, rivals

FloatArray = NDArray[np.float64]

CRITERIA = ("regret", "d-optimal")

_BATCH_SAMPLES = 512


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


@dataclass(frozen=True, eq=False)
class Gains:
    """What a run of each cell promises, each of shape (C,), and what is known before it."""

    expected_gain: FloatArray
    probability_pick_changes: FloatArray
    log_det_gain: FloatArray
    measured: NDArray[np.bool_]
    """Whether the law rests on a run of this size and number of tokens."""
    pick: int
    """Position of the candidate with the least predicted error."""
    noise_sd: float
    """Of a run of the law."""
    run_noise_sd: FloatArray
    """Of a run of each cell, (C,)."""
    candidates: Beliefs
    """What is believed of the candidates before it."""
    seed: int = 0

    @property
    def expected_regret_now(self) -> float:
        """Expected true error of the pick above that of the best candidate: no run can gain more."""
        return expected_regret(self.candidates.errors, self.candidates.loadings, self.seed)


def gains(
    law: Law,
    candidates: Points,
    cells: Points,
    *,
    forms: str = "all",
    noise_sd: float | None = None,
    spread: Spread | None = None,
    questions: int | None = None,
    seed: int = 0,
) -> Gains:
    """What a run of each cell is expected to gain. Arguments and errors as `next_runs`.

    Args:
        questions: that a run is evaluated on, each right or wrong: where `noise_sd` is not given, the draw of so many
            adds e (1 - e) / questions to the variance that the fit left; None: adds nothing.
        spread: how far models lie off the law, of candidates and cells, in this order; None: not at all.
    """
    points, count = _joined(candidates, cells)
    beliefs = believe(law, points, forms=forms, noise_sd=noise_sd, spread=spread, questions=questions)
    errors = beliefs.errors[:count]
    few, split = (beliefs, count) if spread is None else _rivals_only(beliefs, count)
    steps = few.steps(slice(0, split), slice(split, None))
    gain, changes = expected_gain(few.errors[:split], steps, few.sd[:split])
    known = _measured(law)
    cell_names = zip(points[0][count:].tolist(), points[1][count:].tolist(), strict=True)
    return Gains(
        expected_gain=gain,
        probability_pick_changes=changes,
        log_det_gain=beliefs.log_det_gain[count:],
        measured=np.array([_cell(n, t) in known for n, t in cell_names]),
        pick=int(np.argmin(errors)),
        noise_sd=float(np.sqrt(beliefs.noise_variance)),
        run_noise_sd=np.sqrt(beliefs.noise[count:]),
        candidates=beliefs.only(np.arange(count)),
        seed=seed,
    )


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
        seed: of the samples behind `expected_regret_now`; nothing else is sampled.

    Raises:
        InputError: a law without runs or with tied parameters, or arrays that do not go together.
        FitError: too few runs to know the noise, and none was given.
        UnknownNameError: no such criterion.
    """
    if criterion not in CRITERIA:
        raise UnknownNameError("criterion", criterion, CRITERIA)
    points, count = _joined(candidates, cells)
    found = gains(law, candidates, cells, forms=forms, noise_sd=noise_sd, seed=seed)
    costs = _costs(cost, len(points[0]) - count)
    gain, information = found.expected_gain, found.log_det_gain
    score, tie = (gain, information) if criterion == "regret" else (information, gain)
    order = np.lexsort((-tie, -score / costs if per_cost else -score))
    sizes, tokens = points[0][count:].tolist(), points[1][count:].tolist()
    runs = tuple(
        NextRun(
            llm_params=sizes[i],
            visual_tokens=tokens[i],
            cost=float(costs[i]),
            expected_gain=float(gain[i]),
            probability_pick_changes=float(found.probability_pick_changes[i]),
            log_det_gain=float(information[i]),
            measured=bool(found.measured[i]),
        )
        for i in order
    )
    return NextRuns(
        runs=runs,
        expected_regret_now=found.expected_regret_now,
        pick=(float(points[0][found.pick]), float(points[1][found.pick])),
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
    seed: int = 0,
) -> Batch:
    """Several runs to be made together, each chosen for what it adds to those before it. Arguments as `next_runs`."""
    chosen, total = batch_of(law, candidates, cells, count, forms=forms, noise_sd=noise_sd, seed=seed)
    points, split = _joined(candidates, cells)
    runs = tuple((float(points[0][split + one]), float(points[1][split + one])) for one in chosen)
    return Batch(runs, total)


def batch_of(
    law: Law,
    candidates: Points,
    cells: Points,
    count: int,
    *,
    forms: str = "all",
    noise_sd: float | None = None,
    spread: Spread | None = None,
    questions: int | None = None,
    seed: int = 0,
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Positions of the cells to be run together, in the order in which they were chosen, and what they gain up to each.

    Arguments as `gains`.
    """
    whole_number(count, "count", 1)
    points, split = _joined(candidates, cells)
    beliefs = believe(law, points, forms=forms, noise_sd=noise_sd, spread=spread, questions=questions)
    bounded = not inside(beliefs.errors[:split], beliefs.sd[:split])
    if spread is not None:
        beliefs, split = _rivals_only(beliefs, split)
    random = np.random.default_rng(seed)
    samples = _BATCH_SAMPLES // (16 if bounded else 1 if spread is None else 4)
    errors = beliefs.errors[None, :split]  # what may be predicted once the runs chosen so far are known, (S, K)
    chosen: list[int] = []
    total: list[float] = []
    for _ in range(count):
        steps, sd = beliefs.steps(slice(0, split), slice(split, None)), beliefs.sd[:split]
        added, _ = expected_gain(errors[:, None], steps[None], sd)
        mean = added.mean(axis=0)
        if questions is not None:
            mean[chosen] = -np.inf  # the same questions again tell nothing new
        best = int(np.argmax(mean))
        chosen.append(best)
        total.append((total[-1] if total else 0.0) + float(added[:, best].mean()))
        half = random.standard_normal(samples // 2)
        errors = errors + np.concatenate([half, -half])[:, None] * steps[best]
        beliefs = beliefs.after(split + best)
    return tuple(chosen), tuple(total)


def _rivals_only(beliefs: Beliefs, count: int) -> tuple[Beliefs, int]:
    """The beliefs without those of the first `count` points that could never be picked, and how many are left."""
    kept = rivals(beliefs.errors[:count], beliefs.loadings[:count])
    return beliefs.only(np.concatenate([kept, np.arange(count, len(beliefs.errors))])), len(kept)


def _joined(candidates: Points, cells: Points) -> tuple[tuple[FloatArray, FloatArray], int]:
    """Candidates, then cells, as one list of points, and how many of them are candidates. Raises InputError."""
    parts = []
    for what, pair in (("candidates", candidates), ("cells", cells)):
        n, t = np.broadcast_arrays(*(np.atleast_1d(np.asarray(column, float)) for column in pair))
        if n.ndim != 1 or not n.size:
            raise InputError(f"{what}: expected one size and one token count for each of at least one, got {n.shape}")
        parts.append((n, t))
    return (np.concatenate([n for n, _ in parts]), np.concatenate([t for _, t in parts])), len(parts[0][0])


def _costs(cost: ArrayLike | None, count: int) -> FloatArray:
    given = np.asarray(1.0 if cost is None else cost, float)
    if given.shape not in ((), (count,)) or not (np.isfinite(given).all() and (given > 0).all()):
        raise InputError(f"cost: expected a number above 0 for each of {count} cells, got {shown(cost)}")
    return np.broadcast_to(given, (count,))


def _measured(law: Law) -> set[tuple[str, str]]:
    """The cells that the law rests on."""
    if isinstance(law, CombinedLaw):
        return set[tuple[str, str]]().union(*(_measured(member) for member in law.members))
    data = run_data(law)
    return {_cell(n * law.n_unit_params, t) for n, t in zip(data.n.tolist(), data.t.tolist(), strict=True)}


def _cell(llm_params: float, visual_tokens: float) -> tuple[str, str]:
    """A name for a cell, the same whatever the rounding of its size."""
    return f"{llm_params:.6g}", f"{visual_tokens:.6g}"
