"""Which released models to evaluate next, at which value of their knob.

A plan picks among points (model, visual tokens) that keep its limits. An evaluation of any model at any value of its
knob, one that keeps the limits or not, moves what is believed of these points: by the law, which it is a further run
of, and by what it shares with them beside the law: the model's own offset, its family's, its recipe's and its
connector's, as the plan reckons with them. What that is expected to gain is ranked for what it costs: inference on all
questions of a benchmark, one after the other, each as long as the plan's request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.base.quantities import shown, whole_number
from planner.laws.combined import Law
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.run_gains import Gains
from planner.parts.images.base import Setting
from planner.planning.candidate import Candidate
from planner.planning.evaluating.believed import AsPlanned, Believed, WithOffsets
from planner.planning.evaluating.benchmarks import Benchmark, default_benchmarks, find_benchmarks, questions_of
from planner.planning.evaluating.lmms_eval import evaluation_command
from planner.planning.evaluating.result import (
    Asked,
    Evaluation,
    LawHead,
    LeftOut,
    NextEvaluations,
    Picked,
)
from planner.planning.evaluating.ways import Bill, Ways
from planner.planning.load_plan import replan
from planner.planning.next_belief import Measurable, PlanBelief
from planner.planning.released import ReleasedAxes
from planner.planning.released_record import KnobRecord
from planner.planning.result import Plan
from planner.planning.transfer.known import unmeasured
from planner.planning.words import law_title

FloatArray = NDArray[np.float64]


def rank_evaluations(
    plan: Plan,
    *,
    benchmark: str | Benchmark | Iterable[str | Benchmark] | None = None,
    samples: int | None = None,
    model_sd: float | None = None,
    noise_sd: float | None = None,
    per_cost: bool = True,
    together: int = 1,
) -> NextEvaluations:
    """Rank the evaluations of a plan's released models by what they are expected to gain for what they cost.

    Args:
        plan: a plan among released models.
        benchmark: what the models are evaluated on; its questions are the samples; by default what stands for the
            law's tasks ("docvqa_val" for the law ocr), else "mmmu_val".
        samples: a number of questions instead.
        model_sd: standard deviation of a model's own offset from the law, in error, instead of what the plan knows of
            other families, recipes and connectors; 0: all models follow the law.
        noise_sd: standard deviation of an evaluation's error; by default that of the law's fit and of the draw of the
            questions together.
        per_cost: rank by gain for the GPU-hours, or the FLOPs without hardware; else by gain alone.
        together: also choose so many evaluations to be made at once, of different models where there are several.

    Raises:
        InputError: a plan of what is to be trained, a law without runs, or nothing that could be evaluated.
        UnknownNameError: no such benchmark.
    """
    sets, questions = _questions(plan.law, benchmark, samples)
    sd = None if model_sd is None else _not_negative(model_sd)
    whole_number(together, "together", 1)
    ground = Ground.of(plan)
    made, law = ground.plan, ground.plan.law
    believed = ground.believed(sd, noise_sd, questions)
    found = believed.gains()
    bill = ground.ways.bill(ground.can, questions, made.deployment.price_per_hour)
    order = ground.order(found, bill, per_cost)
    names = tuple(one.name for one in sets)
    ranked = tuple(ground.evaluation(int(i), bill, found, names) for i in order)
    chosen: tuple[int, ...] = ()
    total: float | None = None
    if together > 1:
        models, first = np.unique(ground.owner[order], return_index=True)
        cells = order[np.sort(first)] if len(models) > 1 else order
        positions, totals = believed.batch(min(together, len(cells)), cells.tolist())
        rank = {int(cell): place for place, cell in enumerate(order)}
        chosen, total = tuple(rank[one] for one in positions), totals[-1]
    return NextEvaluations.of_plan(
        made,
        next=ranked,
        together=tuple(ranked[rank] for rank in chosen),
        together_gain=total,
        pick=_picked(made.best),
        expected_regret_now=found.expected_regret_now,
        expected_regret_by_law=found.expected_regret_now if sd == 0 else believed.regret_by_law(),
        model_sd=sd,
        interval_parts=dict(made.best.interval_parts) if sd is None else {},
        noise_sd=found.noise_sd,
        asked=Asked(
            benchmarks=names,
            questions=questions,
            query_tokens=made.load.mean.query_tokens,
            generated_tokens=made.load.mean.generated_tokens,
            images=str(ground.axes.images),
            convention=made.budget.convention,
            hardware=None if made.deployment.hardware is None else made.deployment.hardware.name,
            budget=dict(made.budget.limits),
            per_cost=per_cost,
        ),
        law=LawHead(law.name, law.form, law.status, law.advice, law_title(law)),
        left_out=LeftOut(measured=len(ground.can) - len(order), too_large=len(ground.axes.cells) - len(ground.can)),
        extrapolates=made.extrapolates,
    )


@dataclass(frozen=True, eq=False)
class Ground:
    """What a plan picks from, and what could be evaluated.

    Letters: K points that could be picked, C cells that could be evaluated.
    """

    plan: Plan
    axes: ReleasedAxes
    ways: Ways
    picks: NDArray[np.intp]
    """Checkpoint of each point that could be picked, (K,)."""
    candidates: tuple[FloatArray, FloatArray]
    """Sizes and visual tokens of these points."""
    can: NDArray[np.intp]
    """Positions among the axes' cells of those that can run, (C,)."""
    owner: NDArray[np.intp]
    """Checkpoint of each of them, (C,)."""
    cells: tuple[FloatArray, FloatArray]
    """Sizes and visual tokens of each of them."""
    named: NDArray[np.bool_]
    """Whether runs of the law are of a checkpoint, or may be as they name none; of shape (checkpoints,)."""

    @classmethod
    def of(cls, plan: Plan) -> Ground:
        """Of a plan among released models. Raises InputError where it is none, or nothing can be evaluated."""
        released = plan.tried.released
        if released is None:
            raise InputError("plan: expected one among released models, made with models=")
        made = plan if plan.all_candidates is not None else replan(plan)
        axes = ReleasedAxes.of(released.selection, released.images, made.law, made.load, released.own_dtype)
        ways = Ways.of(axes, made)
        can = np.flatnonzero(ways.row >= 0)
        if not len(can):
            raise InputError(
                "models: none of them can be evaluated: they do not fit into the memory, or the request not into their "
                "context; name smaller ones, or more GPUs with tensor_parallel="
            )
        table, checkpoints = made.table, axes.selection.checkpoints
        points = np.unique(np.column_stack([table.llm_index, table.visual_tokens])[table.fits], axis=0)
        picks = points[:, 0].astype(int)
        sizes = np.array([one.llm.nominal_params for one in checkpoints], float)
        place = {id(one): position for position, one in enumerate(checkpoints)}
        owner = np.array([place[id(axes.cells[i].checkpoint)] for i in can])
        tokens = np.array([axes.cells[i].mean_tokens(axes.images) for i in can], float)
        unnamed = set(unmeasured([made.law], released)) if made.law.llms else set()
        if isinstance(made.law, EvidenceLaw):  # only runs of one's own are the same evaluation
            evaluated = {one.llm.lower().rpartition("/")[2] for one in made.law.own}
            unnamed = {one.name for one in checkpoints if one.name.lower() not in evaluated}
        return cls(
            made,
            axes,
            ways,
            picks,
            (sizes[picks], points[:, 1]),
            can,
            owner,
            (sizes[owner], tokens),
            np.array([one.name not in unnamed for one in checkpoints]),
        )

    def believed(self, sd: float | None, noise_sd: float | None, questions: int) -> Believed:
        """Whoever says what evaluations gain. Raises InputError for offsets where published results know them."""
        law = self.plan.law
        if sd is None:
            belief = PlanBelief.of(self.plan, self.measurable)
            if belief.has_effects:
                return AsPlanned(belief, tuple(self.can.tolist()), noise_sd, questions)
        elif law.reckons_with_transfer:
            raise InputError("model_sd: published results know how far models stand from each other; leave it out")
        owner = np.concatenate([self.picks, self.owner])
        known = self.named & bool(law.llms)
        own = np.where(known[owner], -1, owner)
        return WithOffsets(law, self.candidates, self.cells, sd or 0.0, own, noise_sd, questions)

    @property
    def measurable(self) -> Measurable:
        """Every model at every value of its knob."""
        cells, images = self.axes.cells, self.axes.images
        tokens = np.array([one.mean_tokens(images) for one in cells], float)
        return Measurable.released([one.checkpoint for one in cells], tokens)

    def order(self, found: Gains, bill: Bill, per_cost: bool) -> NDArray[np.intp]:
        """Cells that the law has no run of, the most useful first. Raises InputError where there is none."""
        new = np.flatnonzero(~(found.measured & self.named[self.owner]))
        if not len(new):
            raise InputError("the law has runs of every model that was named, at every value of its knob; name others")
        gain = found.expected_gain[new]
        score = gain / bill.cost[new] if per_cost else gain
        return new[np.lexsort((-found.log_det_gain[new], -gain, -score))]

    def evaluation(self, i: int, bill: Bill, found: Gains, tasks: tuple[str, ...]) -> Evaluation:
        """Of the i-th cell."""
        cell = int(self.can[i])
        precision, devices, error = self.ways.how(cell)
        model = self.axes.cells[cell].model()
        command, refusal = evaluation_command(model, precision, devices, tasks)
        same = (self.picks == self.owner[i]) & (self.candidates[1] == self.cells[1][i])
        return Evaluation(
            model=model.checkpoint.name,
            hub_id=model.checkpoint.hub_id or None,
            knob=_knob(model.turned),
            llm_params=model.llm.nominal_params,
            visual_tokens=int(self.cells[1][i]),
            predicted_error=error if self.plan.level_known else None,
            fits=bool(same.any()),
            precision=precision,
            tensor_parallel=devices,
            noise_sd=float(found.run_noise_sd[i]),
            expected_gain=float(found.expected_gain[i]),
            probability_pick_changes=float(found.probability_pick_changes[i]),
            command=command,
            refusal=refusal,
            **bill.at(i),
        )


def _questions(
    law: Law, benchmark: str | Benchmark | Iterable[str | Benchmark] | None, samples: int | None
) -> tuple[tuple[Benchmark, ...], int]:
    """The benchmarks, () where only a number was given, and their questions. Raises InputError, UnknownNameError."""
    if samples is not None:
        if benchmark is not None:
            raise InputError("samples: a benchmark has its own number of questions; leave out benchmark= or samples=")
        return (), whole_number(samples, "samples", 1)
    sets = default_benchmarks(law) if benchmark is None else find_benchmarks(benchmark)
    return sets, questions_of(sets)


def _not_negative(model_sd: object) -> float:
    given = model_sd if isinstance(model_sd, int | float) and not isinstance(model_sd, bool) else float("nan")
    if not 0 <= given <= 1:
        raise InputError(f"model_sd: expected a standard deviation in error, from 0 to 1, got {shown(model_sd)}")
    return float(given)


def _picked(best: Candidate) -> Picked:
    assert best.released is not None
    checkpoint = best.released.checkpoint
    return Picked(
        model=checkpoint.name,
        hub_id=checkpoint.hub_id or None,
        knob=_knob(best.released.turned),
        llm_params=best.llm.nominal_params,
        visual_tokens=best.visual_tokens,
    )


def _knob(turned: Mapping[str, Setting]) -> KnobRecord | None:
    return next((KnobRecord(name, value) for name, value in turned.items()), None)
