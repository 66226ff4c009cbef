"""How sure each candidate's error is: intervals, odds, ties, asked once for every (law, LLM, T) that fits.

Where a candidate is other than what its law was measured on, what that is known to change (`planner.planning.transfer`)
is added: with h the half-width of its 95 % interval,

    high = error + sqrt((high of the law - error)^2 + h^2),   low and gaps likewise

and to the law's joint draws, behind odds and regret, joint draws of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.combined import Law
from planner.laws.profile.base import LEVEL
from planner.laws.uncertainty import DRAWS, Asked, quantile, uncertainty
from planner.planning.distinct import distinct_rows
from planner.planning.margin import Margin
from planner.planning.table import CandidateTable
from planner.planning.transfer.effects import Effects
from planner.planning.transfer.transfer import COMPRESSOR, Transfer
from planner.runs.table import ERROR

FloatArray = NDArray[np.float64]

EQUAL_ERRORS = 5e-4
"""Expected errors that differ by less than this read as one number: of these the more probable candidate is named."""
EQUAL_SHARE = 0.2
"""So do errors that differ by less than this share of the standard deviation of what their difference is in doubt by,
as candidates are other than what the law was measured on."""
LAW = "law"
"""Of the parts of an interval, that of the law."""
SHARE_OF_REGRET = 0.5
"""And of those that differ by less than this share of what the least of them is expected to lose."""
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
    law_half_width: FloatArray
    """Half of the law's own 95 % interval."""
    effects: Effects
    """What else the interval is made of."""
    draws: FloatArray | None = None
    """Joint draws of the errors, (draws, points); None where there are none."""

    @classmethod
    def of(
        cls,
        laws: Sequence[Law],
        law_index: NDArray[np.intp],
        table: CandidateTable,
        asked: NDArray[np.bool_],
        transfer: Transfer,
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
            transfer: what the candidates are beside what the laws were measured on.
        """
        point_of_row = np.full(len(table), -1)
        none = np.zeros(0)
        nothing = cls(point_of_row, none, none, none, none, np.zeros(0, bool), none, Effects.none(0))
        rows = np.flatnonzero(asked)
        if not len(rows):
            return nothing
        known = [uncertainty(law) for law in laws]
        if any(one is None for one in known):
            return nothing
        names, label = np.unique(np.array([llm.name for llm in table.llms]), return_inverse=True)
        whose = label[table.llm_index]
        first, point_of_row[rows], effects = _points(laws, law_index[rows], whose[rows], transfer.at(rows))
        points, made_by = rows[first], np.array([one["compressor"] for one in table.setups])[table.setup_index]
        owner, n, t = law_index[points], table.llm_params[points], table.visual_tokens[points]
        error, llm = table.predicted_error[points], names[whose[points]]
        best = int(np.argmin(error))
        low, high, tied = np.empty(len(n)), np.empty(len(n)), np.zeros(len(n), bool)
        drawn: list[tuple[NDArray[np.intp], FloatArray | None]] = []
        wide = effects.half_width_95
        for index, one in enumerate(known):
            mine = np.flatnonzero(owner == index)
            if one is None or not len(mine):
                continue
            reference = int(np.flatnonzero(mine == best)[0]) if index == owner[best] else 0
            ways = made_by[points[mine]]
            answer = one.ask(Asked(n[mine], t[mine], llm[mine], reference, index, ways, table.model_index is not None))
            low[mine], high[mine] = answer.low, answer.high
            if index == owner[best]:
                gap = error[mine] - error[best]
                tied[mine] = lower_end(gap, answer.gap_low, wide * effects.sd_of_difference(best)[mine]) <= _ROUNDING
            drawn.append((mine, answer.draws))
        half = (high - low) / 2
        low, high = lower_end(error, low, wide * effects.sd), -lower_end(-error, -high, wide * effects.sd)
        foreign = owner != owner[best]
        tied[foreign] = low[foreign] <= high[best]
        odds = regret = np.full(len(n), np.nan)
        draws = _joint(drawn, len(n))
        if draws is not None:
            if effects:
                draws = np.add(draws, moved := effects.draws(DRAWS, seed=len(laws)), out=moved)
            above = draws - draws.min(axis=1, keepdims=True)
            odds, regret = (above <= _ROUNDING).mean(axis=0), above.mean(axis=0)
            kind = transfer.at(points).kinds() if effects else np.zeros(len(n), np.intp)
            odds, regret, low, high, half = _alike((owner, n, t, error, kind), odds, regret, low, high, half)
            if len(n) > 1:
                odds = np.minimum(odds, 1 - 1 / DRAWS)  # draws tell no more
        bounded = np.array([law.predicts == ERROR for law in laws])[owner]
        low, high = np.where(bounded, possible(low, error), low), np.where(bounded, possible(high, error), high)
        return cls(point_of_row, low, high, odds, regret, tied, half, effects, draws)

    def led_by_the_pick(self, ranking: NDArray[np.intp], errors: FloatArray) -> tuple[int, NDArray[np.intp]]:
        """The row to name, and a ranking by expected errors with it moved to the front.

        It has the least expected error. Of those whose expected error is hardly larger, by less than what is unsure of
        it anyway, it is the most probable.
        """
        best = int(ranking[0])
        if self._has_odds(best):
            known = ranking[self.point_of_row[ranking] >= 0]
            point, own = self.point_of_row[known], int(self.point_of_row[best])
            within = max(EQUAL_ERRORS, SHARE_OF_REGRET * float(self.expected_regret[own]))
            apart = self.effects.sd_of_difference(own)[point]
            equal = errors[known] <= errors[best] + np.maximum(within, EQUAL_SHARE * apart)
            best = int(known[equal][np.argmax(self.probability_best[point[equal]])])
        return best, np.concatenate([[best], ranking[ranking != best]])

    def next_best(self, ranking: NDArray[np.intp]) -> NDArray[np.intp]:
        """Of a ranking that the pick leads, the others that it out-rates: those that are not more probably the best.

        Where the belief is split, a candidate can be the best more often and yet lose so much otherwise that its
        expected error is clearly larger. Such a one is tied with the pick, and no next best.
        """
        best, others = int(ranking[0]), ranking[1:]
        if not self._has_odds(best):
            return others
        points = self.point_of_row[others]
        more: NDArray[np.bool_] = self.probability_best[points] > self.probability_best[self.point_of_row[best]]
        found: NDArray[np.intp] = others[~more | (points < 0)]
        return found

    def _has_odds(self, row: int) -> bool:
        return bool(self.point_of_row[row] >= 0 and not np.isnan(self.probability_best).any())

    def tied_rows(self) -> NDArray[np.intp]:
        """Rows that are statistically tied with the best."""
        if not len(self.tied):
            return np.zeros(0, np.intp)
        rows = np.flatnonzero(self.point_of_row >= 0)
        found: NDArray[np.intp] = rows[self.tied[self.point_of_row[rows]]]
        return found

    def columns(self, level_known: bool = True) -> dict[str, FloatArray]:
        """What is known of each candidate, each of shape (rows,); nan of what does not fit; {} without runs.

        Ends of intervals are left out where only differences of errors are known.
        """
        if not len(self.low):
            return {}
        known = self.point_of_row >= 0
        columns = {"error_low": self.low, "error_high": self.high} if level_known else {}
        columns["probability_best"] = self.probability_best
        return {name: np.where(known, values[self.point_of_row], np.nan) for name, values in columns.items()}

    def _parts(self, point: int) -> dict[str, float]:
        """Half-widths of the 95 % interval by what they are of, the law first; {} where the law is all."""
        sds = {axis: float(sd[point]) for axis, sd in self.effects.sd_by_axis.items()}
        others = {axis: self.effects.half_width_95 * sd for axis, sd in sds.items() if sd > 0}
        return {LAW: float(self.law_half_width[point]), **others} if others else {}

    def differences(self, row: int, pick: int, errors: FloatArray) -> dict[str, Any]:
        """The uncertain fields of the candidate of a row, where only differences of errors are known.

        Args:
            row: the candidate's.
            pick: that of the pick.
            errors: expected, up to a level, of all rows.
        """
        found = {name: value for name, value in self.facts(row).items() if not name.startswith("interval")}
        here, there = int(self.point_of_row[row]), int(self.point_of_row[pick])
        interval = None
        if self.draws is not None and here >= 0 and there >= 0 and row != pick:
            gaps = 100 * np.sort(self.draws[:, here] - self.draws[:, there])[:, None]
            tail = (1 - LEVEL) / 2
            interval = (float(quantile(gaps, tail)[0]), float(quantile(gaps, 1 - tail)[0]))
        return {**found, "above_pick": Margin(100 * float(errors[row] - errors[pick]), interval)}

    def facts(self, row: int) -> dict[str, Any]:
        """The uncertain fields of the candidate of a row."""
        point = int(self.point_of_row[row])
        if point < 0:
            return {}
        odds, regret = float(self.probability_best[point]), float(self.expected_regret[point])
        return {
            "interval": (float(self.low[point]), float(self.high[point])),
            "interval_parts": self._parts(point),
            "probability_best": None if np.isnan(odds) else odds,
            "expected_regret": None if np.isnan(regret) else regret,
        }


def _points(
    laws: Sequence[Law], law_index: NDArray[np.intp], whose: NDArray[np.intp], transfer: Transfer
) -> tuple[NDArray[np.intp], NDArray[np.intp], Effects]:
    """Where each point stands first, which one each row is, and the effects on the points.

    Candidates of one law, model and number of tokens are one point, unless their compressors may differ in error.
    """
    tokens, (_, made_by) = transfer.targets.visual_tokens, np.unique(transfer.targets.compressor, return_inverse=True)
    first, which = distinct_rows(law_index, whose, tokens, made_by)
    effects = transfer.at(first).effects(laws, law_index[first])
    told = np.array([law.reckons_with_transfer for law in laws])[law_index[first]]
    apart = np.where(effects.touched(COMPRESSOR) | told, made_by[first] + 1, 0)
    again, place = distinct_rows(law_index[first], whose[first], tokens[first], apart)
    return first[again], place[which], effects.at(again)


def _joint(drawn: Sequence[tuple[NDArray[np.intp], FloatArray | None]], points: int) -> FloatArray | None:
    """The draws of all points side by side, given those of some at a time; None where some have none."""
    whole: FloatArray | None = None
    for mine, draws in drawn:
        if draws is None or draws.shape[1] == points:
            return draws
        whole = np.empty((DRAWS, points)) if whole is None else whole
        whole[:, mine] = draws
    return whole


def possible(end: FloatArray, error: FloatArray) -> FloatArray:
    """An end of an interval, no farther than an error can be: 0 to 1, or the predicted error itself where a law says
    one outside."""
    return np.clip(end, np.minimum(error, 0.0), np.maximum(error, 1.0))


def lower_end(middle: FloatArray, low: FloatArray, half: FloatArray) -> FloatArray:
    """The lower end of an interval, widened by what has such a half-width itself."""
    distance = np.sqrt(np.maximum(middle - low, 0.0) ** 2 + half**2)
    return np.where(half > 0, middle - distance, low)


def _alike(alike: tuple[NDArray[Any], ...], *known: FloatArray) -> list[FloatArray]:
    """What is known of models of one size that no run has: the same of each, as draws tell it of all of them.

    Args:
        alike: columns that are equal for such models.
        known: of each of shape (points,).
    """
    _, which = distinct_rows(*alike)
    counts = np.bincount(which)
    return [(np.bincount(which, values) / counts)[which] for values in known]
