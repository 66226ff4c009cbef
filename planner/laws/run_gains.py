"""What a run of each cell is expected to gain, by what a law believes; and which runs are best made together.

Letters: K candidates, C cells, P points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import whole_number
from planner.laws.beliefs import Points, believe, fitted_law, run_data
from planner.laws.combined import CombinedLaw, Law
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.spread import Spread

FloatArray = NDArray[np.float64]


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
    regret_now: Callable[[], float] = field(repr=False, compare=False)
    """Works out `expected_regret_now`, which not everybody asks for."""

    @cached_property
    def expected_regret_now(self) -> float:
        """Expected true error of the pick above that of the best candidate: no run can gain more."""
        return self.regret_now()


def gains(
    law: Law,
    candidates: Points,
    cells: Points,
    *,
    forms: str = "all",
    noise_sd: float | None = None,
    spread: Spread | None = None,
    questions: int | None = None,
    llm: Sequence[str] | None = None,
    seed: int = 0,
) -> Gains:
    """What a run of each cell is expected to gain. Arguments and errors as `next_runs`.

    Args:
        questions: that a run is evaluated on, each right or wrong: where `noise_sd` is not given, the draw of so many
            adds e (1 - e) / questions to the variance that the fit left; None: adds nothing.
        spread: how far models lie off the law, of candidates and cells, in this order; None: not at all.
    """
    points, count = joined(candidates, cells)
    beliefs = believe(
        law, points, forms=forms, noise_sd=noise_sd, spread=spread, questions=questions, llm=llm, seed=seed
    )
    gain, changes = beliefs.gains(count, seed)
    known = measured_cells(law)
    cell_names = zip(points[0][count:].tolist(), points[1][count:].tolist(), strict=True)
    return Gains(
        expected_gain=gain,
        probability_pick_changes=changes,
        log_det_gain=beliefs.log_det_gain[count:],
        measured=np.array([known.holds(n, t) for n, t in cell_names]),
        pick=int(np.argmin(beliefs.errors[:count])),
        noise_sd=float(np.sqrt(beliefs.noise_variance)),
        run_noise_sd=np.sqrt(beliefs.noise[count:]),
        regret_now=lambda: beliefs.expected_regret(count, seed),
    )


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
    llm: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Positions of the cells to be run together, in the order in which they were chosen, and what they gain up to each.

    Arguments as `gains`. The same questions asked of a model again tell nothing new.
    """
    whole_number(count, "count", 1)
    points, split = joined(candidates, cells)
    beliefs = believe(
        law, points, forms=forms, noise_sd=noise_sd, spread=spread, questions=questions, llm=llm, seed=seed
    )
    return beliefs.batch(split, count, questions is not None, seed)


def joined(candidates: Points, cells: Points) -> tuple[tuple[FloatArray, FloatArray], int]:
    """Candidates, then cells, as one list of points, and how many of them are candidates. Raises InputError."""
    parts = []
    for what, pair in (("candidates", candidates), ("cells", cells)):
        n, t = np.broadcast_arrays(*(np.atleast_1d(np.asarray(column, float)) for column in pair))
        if n.ndim != 1 or not n.size:
            raise InputError(f"{what}: expected one size and one token count for each of at least one, got {n.shape}")
        parts.append((n, t))
    return (np.concatenate([n for n, _ in parts]), np.concatenate([t for _, t in parts])), len(parts[0][0])


@dataclass(frozen=True)
class Cells:
    """The cells that a law rests on."""

    names: frozenset[tuple[str, str]]

    def holds(self, llm_params: float, visual_tokens: float) -> bool:
        """Whether the law rests on a run of this size and number of tokens, whatever the rounding of its size."""
        return _cell(llm_params, visual_tokens) in self.names


def measured_cells(law: Law) -> Cells:
    """The cells that a law rests on; of published results, runs of one's own. Raises InputError for a given law."""
    return Cells(frozenset(_measured(law)))


def _measured(law: Law) -> set[tuple[str, str]]:
    if isinstance(law, CombinedLaw):
        return set[tuple[str, str]]().union(*(_measured(member) for member in law.members))
    if isinstance(law, EvidenceLaw):
        return {_cell(one.llm_params, one.visual_tokens) for one in law.own}
    law = fitted_law(law, "what to measure next")
    data = run_data(law)
    return {_cell(n * law.n_unit_params, t) for n, t in zip(data.n.tolist(), data.t.tolist(), strict=True)}


def _cell(llm_params: float, visual_tokens: float) -> tuple[str, str]:
    return f"{llm_params:.6g}", f"{visual_tokens:.6g}"
