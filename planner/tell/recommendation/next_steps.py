"""What is assumed, and what to measure next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.base.errors import FitError, InputError, NothingFitsError
from planner.laws.combined import Law, single_laws
from planner.laws.design import NextRuns
from planner.laws.fitted import FittedLaw
from planner.planning.result import Plan
from planner.planning.run_cost import run_cost
from planner.planning.training_runs import rank_training_runs
from planner.planning.transfer.known import not_known
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Bullets,
    Line,
    Paragraph,
    Section,
    Table,
    foreign,
    joined,
    line,
)
from planner.tell.next_run import beside_cells, beside_columns
from planner.tell.plan.evaluate import evaluate_next, ranking
from planner.tell.plan.sentences import named
from planner.tell.published import own_runs_line, rests_on_published

_TOP = 3
_NO_DIFFERENCE = 1e-5  # errors are shown to four digits after the point
_CELLS_MAX = 400


def assumptions(plan: Plan) -> Section:
    """What lies outside of the data and what has to hold, in the plan's own sentences."""
    outside, assumed = plan.extrapolates, plan.assumptions
    blocks: list[Block] = []
    if outside:
        items = tuple((foreign(text, "extrapolation", 400),) for text in outside)
        blocks += [Paragraph(line("Outside of the data that the law was fitted to:")), Bullets(items)]
    elif not plan.by_cost:
        blocks.append(
            Paragraph(line("Nothing is extrapolated: size and visual tokens of the pick lie within the data."))
        )
    if assumed:
        items = tuple((foreign(text, "assumption", 400),) for text in assumed)
        blocks += [Paragraph(line("What has to hold for the prediction:")), Bullets(items)]
    else:
        blocks.append(Paragraph(line("Nothing else is assumed.")))
    if plan.best.latency is not None and plan.deployment.batches != (1,):
        blocks.append(Paragraph(line("Throughput counts batches one after the other, with equal requests in each.")))
    title = "What is assumed" if plan.by_cost else "What is extrapolated or assumed"
    return Section("assumptions", title, tuple(blocks))


def next_steps(plan: Plan, verified: bool) -> Section:
    """The section."""
    best = plan.best
    items: list[Line] = []
    if not verified and best.released is None:
        items.append(line("Measure the speed and the memory of the pick: the commands stand above."))
    if best.released is not None:
        return Section("next", "What to measure next", (Bullets((*items, *_evaluations(plan))), *evaluate_next(plan)))
    if best.interval is not None:
        low, high = v.interval(*best.interval, f"the predicted {best.predicts}"), _scatter(plan.law)
        items.append(
            line("Train the pick and evaluate it on your tasks. The law expects an average "
                 f"{best.predicts} from ", low, high,
                 ": far outside of it, the law does not speak for your models or tasks.")
        )  # fmt: skip
    elif rests_on_published(plan.law):
        items += [line("Train the pick and evaluate it on your tasks."), own_runs_line(plan)]
    else:
        items.append(line("Train the pick and evaluate it on your tasks, and fit the law with that run too."))
    blocks: list[Block] = [Bullets(tuple(items)), *_runs(plan)]
    return Section("next", "What to measure next", tuple(blocks))


def _evaluations(plan: Plan) -> Iterator[Line]:
    """What would tell which released model is best: it costs inference only."""
    yield line("Measure its speed in the engine that you serve it with: the commands stand above.")
    unknown = not plan.by_cost and not_known(plan.law, plan.tried.released)
    why = ": the law ranks these models, it was not fitted to them" if unknown else ""
    yield line(f"Evaluate the pick on your tasks, with the knob as above{why}.")
    if plan.by_cost:
        return
    if rests_on_published(plan.law):
        yield own_runs_line(plan)
    if plan.runners_up:
        others = joined([named(one) for one in plan.runners_up], ", ")
        yield line("Evaluate the next best likewise, which may well be better: ", others, ".")


def _scatter(law: Law) -> Line:
    if isinstance(law, FittedLaw) and law.rmse:
        return line(
            ", give or take ",
            v.significant(law.rmse, "root mean square of the residuals", law.predicts),
            " for one run",
        )
    return ()


def _runs(plan: Plan) -> list[Block]:
    """The runs that could better the pick most, by the knowledge gradient."""
    found = _ranked(plan)
    if found is None and rests_on_published(plan.law):
        return [Paragraph(own_runs_line(plan))]
    if found is None:
        text = line(
            "Which run would better the pick most is not known: the law has no runs of its own, or constraints."
        )
        return [Paragraph(text)]
    charged = run_cost(plan.law)
    useful = [run for run in found.runs if run.expected_gain >= _NO_DIFFERENCE][:_TOP]
    if not useful:
        text = line(
            f"No further {charged.what} run is expected to change the pick: among these candidates it is as good as "
            "certain."
        )
        return [Paragraph(text, "good")]
    rows = []
    for run in useful:
        seen: Line = ("measured before",) if run.measured else ()
        gain = v.significant(run.expected_gain, "expected gain of a run", "error")
        changes = v.share(run.probability_pick_changes, 1.0, "probability that the run changes the pick")
        cost = v.flops(run.cost, f"{charged.what} FLOPs of a sample")
        size = v.params(run.llm_params, "size of a run")
        tokens = v.tokens(run.visual_tokens, "visual tokens of a run")
        rows.append(((size,), (tokens,), *beside_cells([run]), (gain,), (changes,), (cost,), seen))
    other = beside_columns(useful)
    columns = (
        "size",
        "visual tokens",
        *other,
        "expected gain in error",
        "pick changes",
        f"{charged.what}, one sample",
        "",
    )
    regret = v.significant(found.expected_regret_now, "expected regret of the pick", "error")
    text = line(
        "The pick is expected to be ", regret, " worse than the best candidate, which the runs so far do not tell. "
        "These ", "pairs of " if other else "", "runs would tell most:"
    )  # fmt: skip
    blocks: list[Block] = [
        Paragraph(text),
        Table(
            line("Runs to make next, by what they are expected to gain"), columns, tuple(rows), words=frozenset({""})
        ),
    ]
    return [*blocks, *ranking(plan, "Rank other runs")]


def _ranked(plan: Plan) -> NextRuns | None:
    """All sizes that are known or tried with all visual tokens that are; None where the law cannot say."""
    best, (sizes, counts) = plan.best, plan.tried.fitting_points
    singles = single_laws(plan.law)
    measured_n = {size for one in singles for size in one.llm_params_levels}
    measured_t = {number for one in singles for number in one.visual_tokens_levels}
    own = {float(best.llm.nominal_params)}
    n = sorted({*measured_n, *sizes.tolist(), *own} if plan.level_known else {float(sizes.min()), *own})
    t = sorted({*measured_t, *counts.tolist(), best.visual_tokens})
    if not len(sizes) or len(n) * len(t) > _CELLS_MAX:
        return None
    grid = np.meshgrid(np.array(n, float), np.array(t, float), indexing="ij")
    cells = (grid[0].ravel(), grid[1].ravel())
    text = plan.workload.query_tokens + plan.workload.generated_tokens
    try:
        return rank_training_runs(plan, cells, run_cost(plan.law).flops(*cells, text))[0]
    except (FitError, InputError, NothingFitsError):
        return None
