"""What evaluations are expected to gain: by the belief of the plan, or with offsets of models whose size was given."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.beliefs import believe
from planner.laws.combined import Law
from planner.laws.joint_belief import JointBelief
from planner.laws.run_gains import Gains, batch_of, gains
from planner.laws.spread import Spread
from planner.planning.next_belief import PlanBelief

FloatArray = NDArray[np.float64]
Chosen = tuple[tuple[int, ...], tuple[float, ...]]


class Believed(Protocol):
    """Whoever says what evaluations of C cells are expected to gain."""

    def gains(self) -> Gains:
        """Of each cell."""

    def batch(self, count: int, cells: Sequence[int]) -> Chosen:
        """Some of `cells` to be evaluated at once, each chosen for what it adds, and what they gain up to each."""

    def regret_by_law(self) -> float | None:
        """What the pick is expected to lose if all models follow the law; None where that is not known."""


@dataclass(frozen=True)
class AsPlanned:
    """The belief that the plan's interval and odds show: other families, recipes and connectors are off the law."""

    belief: PlanBelief
    """With every model at every value of its knob as cells, so that all who ask are told the same."""
    cells: tuple[int, ...]
    """Which of these could be evaluated, C of them."""
    noise_sd: float | None
    questions: int

    @cached_property
    def _joint(self) -> JointBelief:
        return self.belief.joint(self.noise_sd, self.questions)

    @cached_property
    def _gains(self) -> Gains:
        return self._joint.gains(self.belief.regret_now, [(cell,) for cell in self.cells])

    def gains(self) -> Gains:
        return self._gains

    def batch(self, count: int, cells: Sequence[int]) -> Chosen:
        place = {self.cells[one]: one for one in cells}
        chosen, total = self._joint.batch(count, list(place), self._gains.expected_regret_now, once=True)
        return tuple(place[one] for one in chosen), total

    def regret_by_law(self) -> float | None:
        if self.belief.law.reckons_with_transfer:
            return None
        asked, questions = self.belief.asked, self.questions
        points = asked.llm_params, asked.visual_tokens
        alone = believe(self.belief.law, points, noise_sd=self.noise_sd, questions=questions)
        return alone.expected_regret(asked.count)


@dataclass(frozen=True)
class WithOffsets:
    """Each model is off the law by an offset of its own, of a size that somebody gave."""

    law: Law
    candidates: tuple[FloatArray, FloatArray]
    """Sizes and visual tokens of what could be picked, (K,) each."""
    cells: tuple[FloatArray, FloatArray]
    """Of what could be evaluated, (C,) each."""
    sd: float
    """Of an offset, in error."""
    owner: NDArray[np.intp]
    """Model of each candidate, then of each cell, (K + C,); -1: one that the law was fitted to, which has none."""
    noise_sd: float | None
    questions: int

    def gains(self) -> Gains:
        return self._gains(self.sd)

    def _gains(self, sd: float) -> Gains:
        return gains(
            self.law,
            self.candidates,
            self.cells,
            noise_sd=self.noise_sd,
            spread=Spread(sd, self.owner),
            questions=self.questions,
        )

    def batch(self, count: int, cells: Sequence[int]) -> Chosen:
        some, split = np.asarray(cells), len(self.candidates[0])
        chosen, total = batch_of(
            self.law,
            self.candidates,
            (self.cells[0][some], self.cells[1][some]),
            count,
            noise_sd=self.noise_sd,
            spread=Spread(self.sd, np.concatenate([self.owner[:split], self.owner[split:][some]])),
            questions=self.questions,
        )
        return tuple(int(some[one]) for one in chosen), total

    def regret_by_law(self) -> float:
        return self._gains(0.0).expected_regret_now
