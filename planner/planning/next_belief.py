"""What a plan believes, together with what could be measured: gains come of the belief that its interval and odds show.

A run of a cell shows the law at its size and tokens, and the effects of what it is: of its compressor, family, recipe,
as the plan reckons with them for its candidates (`planner.planning.transfer`). So a run with the compressor that is
planned for tells what that compressor changes, and an evaluation of a released model tells where its family and itself
stand.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.laws.combined import Law
from planner.laws.joint_belief import Configurations, JointBelief, joint_belief
from planner.parts.catalog import family_of
from planner.parts.released import Checkpoint
from planner.planning.distinct import distinct_rows
from planner.planning.result import Plan
from planner.planning.transfer.origin import Targets, checkpoint_family
from planner.planning.transfer.spreads import shipped_spreads
from planner.planning.transfer.transfer import Transfer

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measurable:
    """Cells that could be run, of shape (C,) each."""

    llm: NDArray[np.str_]
    """Names of the language models, or of the released models."""
    targets: Targets
    """What they are, in the names of transfer."""

    @classmethod
    def to_train(cls, plan: Plan, sizes: FloatArray, visual_tokens: FloatArray) -> Measurable:
        """Training runs with the compressor of the pick.

        A size is the plan's language model of it, of several one that the law measured, and where there is none a model
        of the family of the one that is nearest in size.
        """
        law, tried = plan.law, plan.tried
        ordered = sorted(tried.llms, key=lambda one: one.name not in law.llms)
        known = np.log([float(one.nominal_params) for one in ordered])
        names, families = [], []
        for size in sizes.tolist():
            apart = np.abs(known - np.log(size))
            nearest = ordered[int(np.argmin(apart))]
            names.append(nearest.name if apart.min() < 1e-9 else f"{size / 1e9:g}B")
            families.append(family_of(nearest.name) or nearest.family)
        nothing = np.zeros(len(sizes), "<U1")
        ways = np.full(len(sizes), plan.best.compressor.name)
        targets = Targets(sizes, visual_tokens, np.array(families), ways, nothing, nothing, False)
        return cls(np.array(names), targets)

    @classmethod
    def released(cls, models: list[Checkpoint], visual_tokens: FloatArray) -> Measurable:
        """Evaluations of released models, one for each number of tokens."""
        families = np.array([checkpoint_family(one) for one in models])
        names = np.array([one.name for one in models])
        sizes = np.array([float(one.llm.nominal_params) for one in models])
        hub = np.array([one.hub_id.lower() for one in models])
        return cls(names, Targets(sizes, visual_tokens, families, families, names, hub, True))


@dataclass(frozen=True, eq=False)
class PlanBelief:
    """What a plan believes of what fits, and of cells that could be run."""

    law: Law
    asked: Configurations
    regret_now: float | None
    """What the plan expects its pick to lose; None where it does not know."""

    @classmethod
    def of(cls, plan: Plan, cells: Measurable) -> PlanBelief:
        """Of a plan with its table. Raises InputError where its candidates rest on several laws."""
        if any(one is not plan.law for one in plan.laws.values()):
            raise InputError(
                "law: what to measure next is asked of one law, and the plan has one for each compressor; give one"
            )
        table, law = plan.table, plan.law
        rows = np.flatnonzero(table.fits)
        whole = Targets.of(table, plan.tried.released).at(rows)
        released = plan.tried.released is not None
        names = whole.checkpoint if released else np.array([one.name for one in table.llms])[table.llm_index[rows]]
        made_by = np.array([one["compressor"] for one in table.setups])[table.setup_index[rows]]
        first, _ = distinct_rows(names, whole.visual_tokens, made_by)
        targets = _joined(whole.at(first), cells.targets)
        transfer = Transfer(targets, shipped_spreads(), plan.as_measured)
        names_of = targets.family, targets.compressor, targets.checkpoint, targets.hub_id
        one, which = distinct_rows(*names_of, targets.llm_params, targets.visual_tokens)  # most cells are candidates
        few = transfer.at(one).effects([law], np.zeros(len(one), np.intp))
        effects = few.at(which)
        ways = made_by[first], np.broadcast_to(np.array(made_by[0]) if released else cells.targets.compressor,
                                               cells.llm.shape)  # fmt: skip
        asked = Configurations(
            llm_params=targets.llm_params,
            visual_tokens=targets.visual_tokens,
            llm=np.concatenate([names[first], cells.llm]),
            compressor=np.concatenate(ways),
            released=released,
            count=len(first),
            effects=effects.loadings,
            tail=effects.tail if effects else None,
        )
        return cls(law, asked, plan.best.expected_regret)

    @property
    def has_effects(self) -> bool:
        """Whether anything is other than what the law was measured on, or the law reckons with that itself."""
        return bool(self.asked.effects.shape[1]) or self.law.reckons_with_transfer or not self.law.level_known

    def joint(self, noise_sd: float | None = None, questions: int | None = None) -> JointBelief:
        """As `planner.laws.joint_belief`."""
        return joint_belief(self.law, self.asked, noise_sd=noise_sd, questions=questions)


def _joined(candidates: Targets, cells: Targets) -> Targets:
    columns = {
        one.name: np.concatenate([getattr(candidates, one.name), getattr(cells, one.name)])
        for one in fields(Targets)
        if one.name != "released"
    }
    return Targets(**columns, released=candidates.released)
