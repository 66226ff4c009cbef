"""What a law, and what it is known to leave out, say together of candidates and of what runs would show.

    error of a candidate = what its law says + effects that it shares with others

The law's part is Gaussian by its own covariance, draws of an average of forms cut to what an error can be; effects come
from whoever knows the candidates (`planner.planning.transfer`). A law of published results knows them itself: all that
it says has their tails, and a run of it shows an error for each task of its mix.

Letters: K candidates, C cells, P = K + C points.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.laws.beliefs import gaussian_belief, of_questions
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.run_gains import Gains, measured_cells
from planner.laws.tailed import TailedBeliefs

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Configurations:
    """Candidates, then cells that could be run, of shape (P,) each."""

    llm_params: FloatArray
    visual_tokens: FloatArray
    llm: NDArray[np.str_]
    """Names of the language models, or of the released models."""
    compressor: NDArray[np.str_]
    """What makes the visual tokens."""
    released: bool
    count: int
    """K: how many are candidates."""
    effects: FloatArray
    """Loadings of what they share beside their law, (P, effects)."""
    tail: Tail | None
    """Of the effects."""


@dataclass(frozen=True, eq=False)
class JointBelief:
    """What is believed of the candidates, and of every cell what a run of it shows."""

    asked: Configurations
    rows: TailedBeliefs
    runs: tuple[tuple[int, ...], ...]
    """Of each cell its rows, C of them: one outcome, or one for each task."""
    log_det_gain: FloatArray
    """By how much a run of each cell raises log det of the information, (C,)."""
    measured: NDArray[np.bool_]
    """Whether the law rests on a run of the very cell, (C,)."""
    noise_sd: float
    """Of a run of the law."""

    def gains(self, regret_now: float | None = None, sets: Sequence[Sequence[int]] | None = None) -> Gains:
        """What runs are expected to gain, none more than the pick is expected to lose now.

        Args:
            regret_now: what that is, where it is known from elsewhere.
            sets: cells that are run together; by default each cell alone.
        """
        count = self.asked.count
        sets = [(cell,) for cell in range(len(self.runs))] if sets is None else sets
        regret = self.rows.expected_regret(count) if regret_now is None else regret_now
        found = self._gains(sets)
        noise = [np.mean([self.rows.noise[row] for cell in cells for row in self.runs[cell]]) for cells in sets]
        return Gains(
            expected_gain=np.minimum(found[:, 0], regret),
            probability_pick_changes=found[:, 1],
            log_det_gain=np.array([self.log_det_gain[list(cells)].sum() for cells in sets]),
            measured=np.array([bool(self.measured[list(cells)].all()) for cells in sets], bool),
            pick=int(np.argmin(self.rows.errors[:count])),
            noise_sd=self.noise_sd,
            run_noise_sd=np.sqrt(noise),
            regret_now=lambda: regret,
        )

    def batch(
        self, count: int, cells: Sequence[int], regret_now: float, once: bool = False, first: Sequence[int] = ()
    ) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Cells to run together, each chosen for what it adds, and what they gain up to each.

        Args:
            count: how many.
            cells: to choose from.
            regret_now: what the pick is expected to lose now: no runs gain more.
            once: whether a cell is chosen once at most: where another run of it would show the same.
            first: cells that are chosen already.
        """
        chosen: list[int] = list(first)
        total = [min(self._together(chosen[: place + 1])[0], regret_now) for place in range(len(chosen))]
        while len(chosen) < count:
            left = [cell for cell in cells if not (once and cell in chosen)]
            gains = [self._together([*chosen, cell])[0] for cell in left]
            best = int(np.argmax(gains))
            chosen.append(left[best])
            total.append(min(max(gains[best], *total[-1:], 0.0), regret_now))
        return tuple(chosen), tuple(total)

    def _together(self, cells: Sequence[int]) -> tuple[float, float]:
        gain, changes = self._gains([cells])[0]
        return float(gain), float(changes)

    def _gains(self, sets: Sequence[Sequence[int]]) -> FloatArray:
        """Gain, and probability that another candidate is picked, of runs of some cells made at once, (sets, 2)."""
        rows = [[row for cell in cells for row in self.runs[cell]] for cells in sets]
        if all(len(one) == 1 for one in rows):
            return np.column_stack(self.rows.gains(self.asked.count, np.array(rows, np.intp).ravel()))
        return np.array([self.rows.gain_of(self.asked.count, one) for one in rows])


def joint_belief(
    law: Law, asked: Configurations, *, noise_sd: float | None = None, questions: int | None = None
) -> JointBelief:
    """What is believed of candidates and cells.

    Args:
        law: of all of them.
        asked: the candidates and the cells.
        noise_sd: standard deviation of a run's error; by default that of the law's own runs.
        questions: that a run is evaluated on, each right or wrong: where `noise_sd` is not given, the draw of so many
            adds e (1 - e) / questions to the variance; None: adds nothing.

    Raises:
        InputError: a law without runs, or a noise that is not above 0.
        FitError: too few runs to know the noise, and none was given.
    """
    if noise_sd is not None and not (np.isfinite(noise_sd) and noise_sd > 0):
        raise InputError(f"noise_sd: expected a number above 0, got {shown(noise_sd)}")
    count, cells = asked.count, len(asked.llm_params) - asked.count
    tasks = 1
    if isinstance(law, EvidenceLaw):
        parts, tasks = _published(law, asked, count), len(law.mix)
    else:
        parts = _parts(law, asked)
    shown_by = np.concatenate([np.arange(count), count + np.repeat(np.arange(cells), tasks)])
    first, which = _distinct([row.tobytes() for row in asked.effects])
    own = asked.effects[first]
    shared = own @ own.T
    where = which[shown_by]
    noise = np.where(np.arange(len(shown_by)) < count, 0.0, parts.noise if noise_sd is None else noise_sd**2)
    own_noise = float(np.sqrt(np.mean(noise[count:])))
    if questions is not None and noise_sd is None:
        noise[count:] += of_questions(parts.errors[count:], questions)
    rows = TailedBeliefs(
        parts.errors,
        parts.law,
        parts.effects + shared[where[:, None], where],
        asked.tail or parts.tail,
        noise,
        law.level_known,
    )
    known, touched = measured_cells(law), asked.effects[count:].any(axis=1)
    names = zip(asked.llm_params[count:].tolist(), asked.visual_tokens[count:].tolist(), strict=True)
    return JointBelief(
        asked=asked,
        rows=rows,
        runs=tuple(tuple(range(count + tasks * i, count + tasks * (i + 1))) for i in range(cells)),
        log_det_gain=parts.log_det_gain[count:].reshape(cells, tasks).sum(axis=1),
        measured=np.array([known.holds(n, t) for n, t in names]) & ~touched,
        noise_sd=own_noise,
    )


@dataclass(frozen=True, eq=False)
class _Parts:
    errors: FloatArray
    law: FloatArray
    """Covariance of what a law leaves open."""
    effects: FloatArray
    """Covariance of what has tails."""
    tail: Tail | None
    noise: FloatArray
    """Variance of a run's measured error at each row."""
    log_det_gain: FloatArray


def _parts(law: Law, asked: Configurations) -> _Parts:
    """One row a point."""
    if isinstance(law, EvidenceLaw):
        return _published(law, asked, len(asked.llm_params))
    if isinstance(law, CombinedLaw) and law.kind == MIX:
        # one model is evaluated on all tasks; what is known of them was measured independently
        tasks = [(weight, _parts(one, asked)) for weight, one in zip(law.weights, law.members, strict=True)]
        return _Parts(
            errors=np.sum([w * one.errors for w, one in tasks], axis=0),
            law=np.sum([w**2 * one.law for w, one in tasks], axis=0),
            effects=np.sum([w**2 * one.effects for w, one in tasks], axis=0),
            tail=next((one.tail for _, one in tasks if one.tail is not None), None),
            noise=np.sum([w**2 * one.noise for w, one in tasks], axis=0),
            log_det_gain=np.sum([one.log_det_gain for _, one in tasks], axis=0),
        )
    columns = (one.tolist() for one in (asked.llm_params, asked.visual_tokens, asked.llm))
    first, which = _distinct(list(zip(*columns, strict=True)))
    found = gaussian_belief(law, asked.llm_params[first], asked.visual_tokens[first], asked.llm[first])
    return _Parts(
        errors=found.errors[which],
        law=(found.loadings @ found.loadings.T)[which[:, None], which],
        effects=np.zeros((len(which), len(which))),
        tail=None,
        noise=np.array(found.noise)[which],
        log_det_gain=found.log_det_gain[which],
    )


def _distinct(rows: Sequence[Hashable]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each distinct row stands first, and which of them each is: most cells are candidates too."""
    place: dict[Hashable, int] = {}
    which = np.array([place.setdefault(row, len(place)) for row in rows], np.intp)
    first = np.zeros(len(place), np.intp)
    first[which[::-1]] = np.arange(len(rows))[::-1]
    return first, which


def _published(law: EvidenceLaw, asked: Configurations, count: int) -> _Parts:
    """One row a point for the first `count`, after them one a task."""
    from planner.laws.hierarchy.belief import outcomes  # only laws of published results pay for its import
    from planner.laws.hierarchy.variances import shipped_variances

    n, t, ways = asked.llm_params, asked.visual_tokens, asked.compressor.tolist()
    found = outcomes(law, n, t, asked.llm, ways, asked.released, count)
    nothing = np.zeros_like(found.covariance)
    variance = np.diag(found.covariance)
    information = np.log1p(variance / found.noise)
    return _Parts(found.mean, nothing, found.covariance, shipped_variances().tail, found.noise, information)
