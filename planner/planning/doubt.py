"""How sure each candidate's error is: intervals, odds, ties, asked once for every (law, LLM, T) that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.laws.combined import Law
from planner.laws.uncertainty import DRAWS, Asked, uncertainty
from planner.planning.distinct import distinct_rows
from planner.planning.table import CandidateTable

FloatArray = NDArray[np.float64]

EQUAL_ERRORS = 5e-4
"""Expected errors that differ by less than this read as one number: of these the more probable candidate is named."""
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Doubt:
    """What is known of each point that fits; nothing where a law has no runs."""

    point_of_row: NDArray[np.intp]
    """Which point a candidate's row has, -1 for what does not fit; candidates that run differently share one."""
    low: FloatArray
    high: FloatArray
    probability_best: FloatArray
    """That nothing that fits is better: equals share it."""
    expected_regret: FloatArray
    tied: NDArray[np.bool_]
    """Whether the point is statistically tied with the best."""

    @classmethod
    def of(
        cls, laws: Sequence[Law], law_index: NDArray[np.intp], table: CandidateTable, asked: NDArray[np.bool_]
    ) -> Doubt:
        """Ask every law of its candidates.

        Only rows that are `asked` of compete with one another; of no others anything is known.

        Laws are fitted to different runs, so what they say of two points of different laws is independent; there two
        points are not tied only where the worse one's interval begins above the best one's end.

        Args:
            laws: each once.
            law_index: which of them a candidate rests on, shape (rows,).
            table: the candidates.
            asked: which of them, shape (rows,).
        """
        point_of_row = np.full(len(table), -1)
        none = np.zeros(0)
        nothing = cls(point_of_row, none, none, none, none, np.zeros(0, bool))
        rows = np.flatnonzero(asked)
        if not len(rows):
            return nothing
        known = [uncertainty(law) for law in laws]
        if any(one is None for one in known):
            return nothing
        names, label = np.unique(np.array([llm.name for llm in table.llms]), return_inverse=True)
        whose = label[table.llm_index]
        first, point_of_row[rows] = distinct_rows(law_index[rows], whose[rows], table.visual_tokens[rows])
        points = rows[first]
        owner, n, t = law_index[points], table.llm_params[points], table.visual_tokens[points]
        error, llm = table.predicted_error[points], names[whose[points]]
        best = int(np.argmin(error))
        low, high, tied = np.empty(len(n)), np.empty(len(n)), np.zeros(len(n), bool)
        draws: FloatArray | None = np.empty((DRAWS, len(n)))
        for index, one in enumerate(known):
            mine = np.flatnonzero(owner == index)
            if one is None or not len(mine):
                continue
            reference = int(np.flatnonzero(mine == best)[0]) if index == owner[best] else 0
            answer = one.ask(Asked(n[mine], t[mine], llm[mine], reference, seed=index))
            low[mine], high[mine] = answer.low, answer.high
            if index == owner[best]:
                tied[mine] = answer.not_worse
            if answer.draws is None or draws is None:
                draws = None
            else:
                draws[:, mine] = answer.draws
        foreign = owner != owner[best]
        tied[foreign] = low[foreign] <= high[best]
        odds = regret = np.full(len(n), np.nan)
        if draws is not None:
            above = draws - draws.min(axis=1, keepdims=True)
            odds, regret = (above <= _ROUNDING).mean(axis=0), above.mean(axis=0)
            odds, regret, low, high = _alike(owner, n, t, error, odds, regret, low, high)
            if len(n) > 1:
                odds = np.minimum(odds, 1 - 1 / DRAWS)  # draws tell no more
        return cls(point_of_row, low, high, odds, regret, tied)

    def led_by_the_pick(self, ranking: NDArray[np.intp], errors: FloatArray) -> tuple[int, NDArray[np.intp]]:
        """The row to name, and a ranking by expected errors with it moved to the front.

        It has the least expected error; of those that read the same the most probable.
        """
        best = int(ranking[0])
        if self.point_of_row[best] >= 0 and not np.isnan(self.probability_best).any():
            equal = ranking[(errors[ranking] <= errors[best] + EQUAL_ERRORS) & (self.point_of_row[ranking] >= 0)]
            best = int(equal[np.argmax(self.probability_best[self.point_of_row[equal]])])
        return best, np.concatenate([[best], ranking[ranking != best]])

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


def _alike(
    owner: NDArray[np.intp], n: FloatArray, t: FloatArray, error: FloatArray, *known: FloatArray
) -> list[FloatArray]:
    """What is known of models of one size that no run has: the same of each, as draws tell it of all of them."""
    _, which = distinct_rows(owner, n, t, error)
    counts = np.bincount(which)
    return [(np.bincount(which, values) / counts)[which] for values in known]
