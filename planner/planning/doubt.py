"""How sure each candidate's error is: intervals, odds, ties, asked once for every (law, N, T) that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError
from planner.laws.combined import Law
from planner.laws.uncertainty import Uncertainty, uncertainty
from planner.planning.distinct import distinct_rows

FloatArray = NDArray[np.float64]

DRAWS = 1000
"""Posterior draws behind the probability of being best and the expected regret."""


@dataclass(frozen=True, eq=False)
class Doubt:
    """What is known of each point that fits; nothing where a law has no runs."""

    point_of_row: NDArray[np.intp]
    """Which point a candidate's row has, -1 for what does not fit; candidates that run differently share one."""
    low: FloatArray
    high: FloatArray
    probability_best: FloatArray
    expected_regret: FloatArray
    tied: NDArray[np.bool_]
    """Whether the point is statistically tied with the best."""

    @classmethod
    def of(
        cls,
        laws: Sequence[Law],
        law_index: NDArray[np.intp],
        llm_params: FloatArray,
        visual_tokens: FloatArray,
        errors: FloatArray,
        asked: NDArray[np.bool_],
    ) -> Doubt:
        """Ask every form that the runs of each law allow. All arrays have one entry a row.

        Only rows that are `asked` of compete with one another; of no others anything is known.

        Laws are fitted to different runs, so what they say of two points of different laws is independent; there two
        points are not tied only where the worse one's interval begins above the best one's end.
        """
        point_of_row = np.full(len(errors), -1)
        none = np.zeros(0)
        nothing = cls(point_of_row, none, none, none, none, np.zeros(0, bool))
        rows = np.flatnonzero(asked)
        if not len(rows):
            return nothing
        known = [uncertainty(law) for law in laws]
        if any(one is None for one in known):
            return nothing
        first, point_of_row[rows] = distinct_rows(law_index[rows], llm_params[rows], visual_tokens[rows])
        points = rows[first]
        owner, n, t = law_index[points], llm_params[points], visual_tokens[points]
        error = errors[points]
        best = int(np.argmin(error))
        low, high, tied = np.empty(len(n)), np.empty(len(n)), np.zeros(len(n), bool)
        drawn: list[FloatArray | None] = []
        for index, one in enumerate(known):
            mine = np.flatnonzero(owner == index)
            if one is None or not len(mine):
                continue
            low[mine], high[mine] = one.intervals(n[mine], t[mine])
            if index == owner[best]:
                tied[mine] = one.not_worse(n[mine], t[mine], (float(n[best]), float(t[best])))
            drawn.append(_draws(one, n[mine], t[mine], seed=index))
        foreign = owner != owner[best]
        tied[foreign] = low[foreign] <= high[best]
        winners = regret = np.full(len(n), np.nan)
        if all(draws is not None for draws in drawn):
            order = np.concatenate([np.flatnonzero(owner == index) for index in range(len(known))])
            draws = np.empty((DRAWS, len(n)))
            draws[:, order] = np.concatenate([one for one in drawn if one is not None], axis=1)
            winners = np.bincount(draws.argmin(axis=1), minlength=len(n)) / DRAWS
            regret = (draws - draws.min(axis=1, keepdims=True)).mean(axis=0)
        return cls(point_of_row, low, high, winners, regret, tied)

    def tied_rows(self) -> NDArray[np.intp]:
        """Rows that are statistically tied with the best."""
        if not len(self.tied):
            return np.zeros(0, np.intp)
        rows = np.flatnonzero(self.point_of_row >= 0)
        found: NDArray[np.intp] = rows[self.tied[self.point_of_row[rows]]]
        return found

    def columns(self) -> dict[str, FloatArray]:
        """What is known of each candidate, each of shape (rows,); nan of what does not fit; {} without runs."""
        if not len(self.low):
            return {}
        known = self.point_of_row >= 0
        columns = {"error_low": self.low, "error_high": self.high, "probability_best": self.probability_best}
        return {name: np.where(known, values[self.point_of_row], np.nan) for name, values in columns.items()}

    def facts(self, row: int) -> dict[str, Any]:
        """The uncertain fields of the candidate of a row."""
        point = int(self.point_of_row[row])
        if point < 0:
            return {}
        odds, regret = float(self.probability_best[point]), float(self.expected_regret[point])
        return {
            "interval": (float(self.low[point]), float(self.high[point])),
            "probability_best": None if np.isnan(odds) else odds,
            "expected_regret": None if np.isnan(regret) else regret,
        }


def _draws(known: Uncertainty, n: FloatArray, t: FloatArray, seed: int) -> FloatArray | None:
    """Errors of points in draws of the law, shape (DRAWS, points); None where a law has none to give."""
    try:
        return known.draws(n, t, DRAWS, seed=seed)
    except FitError:  # errors that do not fall as the form says: the law's own status says so
        return None
