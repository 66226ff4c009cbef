"""How sure is a comparison of configurations? Intervals, ties and draws of their errors.

An average of forms is asked through the belief that its runs support (`planner.laws.belief`), which reckons with what
all forms leave out. One form alone knows the uncertainty of its parameters only: its likelihood region, and draws of
its posterior.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import FitError, InputError
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.memo import remembered
from planner.laws.profile.base import LEVEL
from planner.laws.runs_belief import belief_of, points_of

FloatArray = NDArray[np.float64]
Labels = NDArray[np.str_]

DRAWS = 2000
"""Draws behind the probability of being best and the expected regret: they tell odds up to 99.9 %."""
_ROUNDING = 1e-12  # a point compared with itself differs by rounding


@dataclass(frozen=True, eq=False)
class Asked:
    """Configurations that are compared, and which of them the others are compared with."""

    llm_params: FloatArray
    """Nominal sizes in parameters, shape (Q,)."""
    visual_tokens: FloatArray
    """Per image, shape (Q,)."""
    llm: Labels
    """Names of the language models, shape (Q,)."""
    reference: int
    """Position of the best one."""
    seed: int = 0
    compressor: Labels | None = None
    """What makes the visual tokens of each, shape (Q,); None: the same of all."""
    released: bool = False
    """Whether the language models are named by released models."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What is known of the errors asked about."""

    low: FloatArray
    """Lower end of the 95 % interval of each, shape (Q,)."""
    high: FloatArray
    gap_low: FloatArray
    """Lower end of the 95 % interval of each error minus that of the reference, shape (Q,)."""
    gap_high: FloatArray
    draws: FloatArray | None
    """Joint draws of the errors, shape (DRAWS, Q); None where there are none to give."""

    @property
    def not_worse(self) -> NDArray[np.bool_]:
        """Which may be as good as the reference, at 95 %, shape (Q,)."""
        return self.gap_low <= _ROUNDING


class Uncertainty(Protocol):
    """Whoever says how sure errors are."""

    def ask(self, asked: Asked) -> Answer: ...


@dataclass(frozen=True)
class AllForms:
    """The belief over all forms and what they leave out, of an average of forms."""

    law: FittedLaw
    """Any of the forms: it has the runs."""

    def ask(self, asked: Asked) -> Answer:
        points = points_of(self.law, asked.llm_params, asked.visual_tokens, asked.llm)
        return _from_draws(belief_of(self.law).draws(points, DRAWS, asked.seed), asked.reference)


@dataclass(frozen=True)
class OneForm:
    """A form alone: what other forms say, and what it leaves out, are left out."""

    law: FittedLaw

    def ask(self, asked: Asked) -> Answer:
        from planner.laws.intervals import profiler  # only a plan by one form pays for their import
        from planner.laws.posterior import posterior

        region = profiler(self.law, LEVEL)
        n, t, best = asked.llm_params, asked.visual_tokens, asked.reference
        low, high = region.predictions(n, t)
        gaps = region.differences(n, t, (float(n[best]), float(t[best])))
        try:
            draws = posterior(self.law, DRAWS, seed=asked.seed).predict(n, t)
        except FitError:  # errors that do not fall as the form says: the law's own status says so
            draws = None
        return Answer(low, high, *gaps, draws)


@dataclass(frozen=True)
class OneOfJointFit:
    """The law of one group of a joint fit; its intervals rest on the runs of all groups.

    Joint fits are loaded here, for laws that come of one: most plans rest on other laws. They keep the edge of their
    region, but no draws.
    """

    law: FittedLaw

    def ask(self, asked: Asked) -> Answer:
        from planner.laws.joint import joint_difference, joint_interval

        n, t, best = asked.llm_params, asked.visual_tokens, asked.reference
        low, high = joint_interval(self.law, n, t, LEVEL)
        gaps = joint_difference(self.law, n, t, (float(n[best]), float(t[best])), LEVEL)
        return Answer(low, high, *gaps, None)


@dataclass(frozen=True)
class Published:
    """Published results: errors of all candidates are known together, up to what all of them share."""

    law: EvidenceLaw

    def ask(self, asked: Asked) -> Answer:
        from planner.laws.hierarchy.belief import error_draws  # only plans on published results pay for their import

        names = [""] * len(asked.llm) if asked.compressor is None else asked.compressor.tolist()
        n, t = asked.llm_params, asked.visual_tokens
        drawn = error_draws(self.law, n, t, asked.llm, names, asked.released, DRAWS, asked.seed)
        return _from_draws(drawn, asked.reference)


@dataclass(frozen=True)
class Mixed:
    """The tasks of a mix, which were measured independently."""

    tasks: tuple[Uncertainty, ...]
    weights: tuple[float, ...]

    def ask(self, asked: Asked) -> Answer:
        answers = [task.ask(asked) for task in self.tasks]
        total: FloatArray | None = np.zeros((DRAWS, len(asked.llm)))
        for place, (weight, answer) in enumerate(zip(self.weights, answers, strict=True)):
            if answer.draws is None or total is None:
                total = None
                continue
            # the tasks are independent: pair their draws at random
            total = total + weight * answer.draws[np.random.default_rng([asked.seed, place]).permutation(DRAWS)]
        if total is not None:
            return _from_draws(total, asked.reference)
        ends = [(one.low, one.high) for one in answers], [(one.gap_low, one.gap_high) for one in answers]
        (low, high), (gap_low, gap_high) = (self._added(np.array(both)) for both in ends)
        return Answer(low, high, gap_low, gap_high, None)

    def _added(self, ends: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The interval of a weighted sum of what is independent, of intervals of shape (tasks, 2, Q)."""
        weights = np.array(self.weights)[:, None]
        centre = np.sum(weights * ends.mean(axis=1), axis=0)
        half = np.sqrt(np.sum((weights * (ends[:, 1] - ends[:, 0]) / 2) ** 2, axis=0))
        return centre - half, centre + half


def uncertainty(law: Law) -> Uncertainty | None:
    """Whom to ask how sure a law is; None for a law that was given, or whose constraints have no profile."""
    try:
        return _of(law)
    except (FitError, InputError):
        return None


def _of(law: Law) -> Uncertainty:
    if isinstance(law, CombinedLaw):
        if law.kind == MIX:
            return Mixed(tuple(_of(member) for member in law.members), law.weights)
        first = law.runs_of
        belief_of(first)
        return AllForms(first)
    if isinstance(law, EvidenceLaw):
        return Published(law)
    return _of_form(law)


@remembered
def _of_form(law: FittedLaw) -> Uncertainty:
    if not law.joint:
        from planner.laws.intervals import profiler

        profiler(law, LEVEL)
        return OneForm(law)
    from planner.laws.joint import joint_interval

    joint_interval(law, 1e9, 1.0)  # raises FitError where the fit kept no region
    return OneOfJointFit(law)


def _from_draws(draws: FloatArray, reference: int) -> Answer:
    tail = (1 - LEVEL) / 2
    ordered = np.sort(draws, axis=0)
    gaps = draws - draws[:, [reference]]
    gaps.sort(axis=0)
    low, high, gap_low, gap_high = (quantile(one, end) for one in (ordered, gaps) for end in (tail, 1 - tail))
    return Answer(low, high, gap_low, gap_high, draws)


def quantile(ordered: FloatArray, share: float) -> FloatArray:
    """Of columns in ascending order, as `np.quantile`, which loads all of masked arrays for it."""
    place = share * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 2)
    found: FloatArray = ordered[below] + (place - below) * (ordered[below + 1] - ordered[below])
    return found
