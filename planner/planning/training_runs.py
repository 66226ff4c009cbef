"""Which training runs would better the pick of a plan most, by what the plan believes.

Where nothing is other than what the law was measured on, what it believes has long tails and joint draws tell gains
(`planner.laws.drawn`); else they are told by the law's covariance and what candidates and runs share beside it
(`planner.laws.tailed`). Without runs of one's own, published results leave the level of all errors open: one run alone
would tell that, so pairs of runs are ranked.

Letters: C cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.laws.design import Batch, NextRuns, check_criterion, next_batch, next_runs, ranked
from planner.laws.hierarchy.law import EVIDENCE
from planner.planning.load_plan import replan
from planner.planning.next_belief import Measurable, PlanBelief
from planner.planning.result import Plan

FloatArray = NDArray[np.float64]


def rank_training_runs(
    plan: Plan,
    cells: tuple[FloatArray, FloatArray],
    costs: FloatArray,
    *,
    criterion: str = "regret",
    per_cost: bool = False,
    noise_sd: float | None = None,
    together: int = 1,
) -> tuple[NextRuns, Batch | None]:
    """The ranked runs, and those to be made at once; None of one.

    Args:
        plan: of what is to be trained.
        cells: (llm_params, visual_tokens) of what could be run, each of shape (C,), with the pick's compressor.
        costs: of each, (C,).
        criterion: one of `planner.laws.design.CRITERIA`.
        per_cost: rank by gain per unit of cost.
        noise_sd: standard deviation of a run's error; by default that of the law's runs.
        together: how many to choose for being made at once.

    Raises:
        InputError: a law without runs, several laws, or what does not go together.
        FitError: too few runs to know the noise, and none was given.
        UnknownNameError: no such criterion.
    """
    check_criterion(criterion)
    made = plan if plan.all_candidates is not None else replan(plan)
    belief = PlanBelief.of(made, Measurable.to_train(made, *cells))
    if not belief.has_effects:
        law, candidates, llm = made.law, made.tried.fitting_points, made.tried.fitting_llms(made.law)
        alone = next_runs(
            law, candidates, cells, costs, criterion=criterion, per_cost=per_cost, noise_sd=noise_sd, llm=llm
        )
        if together == 1:
            return alone, None
        return alone, next_batch(law, candidates, cells, together, noise_sd=noise_sd, llm=llm)
    if criterion != "regret" and made.law.status == EVIDENCE:
        raise InputError(
            f"criterion={criterion!r} asks for the parameters of a law, and published results have none; leave it out"
        )
    joint, pick = belief.joint(noise_sd), (float(made.best.llm.nominal_params), float(made.best.visual_tokens))
    sets = None if made.level_known else _pairs(*cells)
    found = joint.gains(belief.regret_now, sets)
    asked, beside = cells, None
    first: tuple[int, ...] = ()
    if sets is not None:
        one, other = np.array(sets).T
        asked, beside = ((cells[0][some], cells[1][some]) for some in (one, other))
        costs, first = costs[one] + costs[other], sets[int(np.argmax(found.expected_gain))]
    ranked_runs = ranked(found, asked, costs, pick, criterion=criterion, per_cost=per_cost, beside=beside)
    if together == 1:
        return ranked_runs, None
    chosen, total = joint.batch(together, range(len(cells[0])), found.expected_regret_now, first=first)
    return ranked_runs, Batch(tuple((float(cells[0][one]), float(cells[1][one])) for one in chosen), total)


def _pairs(sizes: FloatArray, visual_tokens: FloatArray) -> list[tuple[int, int]]:
    """Two runs that differ in one thing: of one language model, or with equal tokens. Raises InputError for one run."""
    found = [
        (one, other)
        for one in range(len(sizes))
        for other in range(one + 1, len(sizes))
        if sizes[one] == sizes[other] or visual_tokens[one] == visual_tokens[other]
    ]
    if not found:
        raise InputError(
            "visual_tokens: one run alone tells the level of all errors, not which candidate is best; name a second "
            "number, or a second size"
        )
    return found
