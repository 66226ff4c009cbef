"""Which released models to evaluate next, at which value of their knob.

A plan picks among points (model, visual tokens) that keep its limits. An evaluation of any model at any value of its
knob, one that keeps the limits or not, moves what is believed of these points: by the law, which it is a further run
of, and by the model's own offset from the law, which it shares with the model at other values of the knob. What that is
expected to gain is said by `planner.laws.gain`; it is ranked for what it costs: inference on all questions of a
benchmark, one after the other, each as long as the plan's request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.base.quantities import shown, whole_number
from planner.laws.beliefs import Spread
from planner.laws.design import Gains, batch_of, gains
from planner.parts.images.base import Setting
from planner.parts.released import Checkpoint
from planner.planning.candidate import Candidate
from planner.planning.evaluating.benchmarks import DEFAULT_BENCHMARK, Benchmark, find_benchmarks
from planner.planning.evaluating.lmms_eval import evaluation_command
from planner.planning.evaluating.result import (
    MODEL_SD,
    Asked,
    Evaluation,
    LawHead,
    LeftOut,
    NextEvaluations,
    Picked,
)
from planner.planning.evaluating.ways import Ways
from planner.planning.load_plan import replan
from planner.planning.released import ReleasedAxes
from planner.planning.released_record import KnobRecord
from planner.planning.result import Plan
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
    forms: str = "all",
) -> NextEvaluations:
    """Rank the evaluations of a plan's released models by what they are expected to gain for what they cost.

    Args:
        plan: a plan among released models.
        benchmark: what the models are evaluated on; its questions are the samples. "mmmu_val" by default.
        samples: a number of questions instead.
        model_sd: standard deviation of a model's own offset from the law, in error; 0: all models follow the law. By
            default `MODEL_SD`.
        noise_sd: standard deviation of an evaluation's error; that of the law's fit by default.
        per_cost: rank by gain for the GPU-hours, or the FLOPs without hardware; else by gain alone.
        together: also choose so many evaluations to be made at once, of different models.
        forms: "all" to believe in every form that the law's runs allow, "own" in the law's form alone.

    Raises:
        InputError: a plan of what is to be trained, a law without runs, or nothing that could be evaluated.
        UnknownNameError: no such benchmark.
    """
    released = plan.tried.released
    if released is None:
        raise InputError("plan: expected one among released models, made with models=; next_run ranks training runs")
    sets, questions = _questions(benchmark, samples)
    sd = MODEL_SD if model_sd is None else _not_negative(model_sd)
    whole_number(together, "together", 1)
    made = plan if plan.all_candidates is not None else replan(plan)
    axes = ReleasedAxes.of(released.selection, released.images, made.law, made.load, released.own_dtype)
    ways = Ways.of(axes, made)
    can = np.flatnonzero(ways.row >= 0)
    if not len(can):
        raise InputError(
            "models: none of them can be evaluated: they do not fit into the memory, or the request not into their "
            "context; name smaller ones, or more GPUs with tensor_parallel="
        )
    table = made.table
    sizes, tokens, owner = _cells(axes)
    points = np.unique(np.column_stack([table.llm_index, table.visual_tokens])[table.fits], axis=0)
    which = points[:, 0].astype(int)
    candidates = np.array([one.nominal_params for one in table.llms], float)[which], points[:, 1]
    cells = sizes[can], tokens[can]
    spread = Spread(sd, np.concatenate([which, owner[can]]))
    found = gains(made.law, candidates, cells, forms=forms, noise_sd=noise_sd, spread=spread)
    named = np.array([_is_named(axes.cells[i].checkpoint, made.law.llms) for i in can])
    new = np.flatnonzero(~(found.measured & named))
    if not len(new):
        raise InputError("the law has runs of every model that was named, at every value of its knob; name others")
    bill = ways.bill(can, questions, made.deployment.price_per_hour)
    gain = found.expected_gain[new]
    order = new[np.lexsort((-found.log_det_gain[new], -gain, -gain / bill.cost[new] if per_cost else -gain))]
    fits = {(int(model), float(count)) for model, count in points}
    names = tuple(one.name for one in sets)
    ranked = []
    for i in order:
        cell = can[i]
        ranked.append(
            _evaluation(ways, int(cell), bill.at(int(i)), found, int(i), (owner[cell], tokens[cell]) in fits, names)
        )
    chosen: tuple[int, ...] = ()
    total: float | None = None
    if together > 1:
        place = {int(i): rank for rank, i in enumerate(order)}
        _, first = np.unique(owner[can][order], return_index=True)
        one_each = order[np.sort(first)]
        positions, totals = batch_of(
            made.law,
            candidates,
            (cells[0][one_each], cells[1][one_each]),
            min(together, len(one_each)),
            forms=forms,
            noise_sd=noise_sd,
            spread=Spread(sd, np.concatenate([which, owner[can][one_each]])),
        )
        chosen, total = tuple(place[int(one_each[i])] for i in positions), totals[-1]
    by_law = gains(made.law, candidates, cells, forms=forms, noise_sd=noise_sd) if sd else found
    return NextEvaluations.of_plan(
        made,
        next=tuple(ranked),
        together=tuple(ranked[rank] for rank in chosen),
        together_gain=total,
        pick=_picked(made.best),
        expected_regret_now=found.expected_regret_now,
        expected_regret_by_law=by_law.expected_regret_now,
        model_sd=sd,
        model_sd_given=model_sd is not None,
        noise_sd=found.noise_sd,
        asked=Asked(
            benchmarks=names,
            questions=questions,
            query_tokens=made.load.mean.query_tokens,
            generated_tokens=made.load.mean.generated_tokens,
            images=str(released.images),
            convention=made.budget.convention,
            hardware=None if made.deployment.hardware is None else made.deployment.hardware.name,
            budget=dict(made.budget.limits),
            per_cost=per_cost,
        ),
        law=LawHead(made.law.name, made.law.form, made.law.status, made.law.advice, law_title(made.law)),
        left_out=LeftOut(measured=len(can) - len(new), too_large=len(axes.cells) - len(can)),
        extrapolates=made.extrapolates,
    )


def _questions(
    benchmark: str | Benchmark | Iterable[str | Benchmark] | None, samples: int | None
) -> tuple[tuple[Benchmark, ...], int]:
    """The benchmarks, () where only a number was given, and their questions. Raises InputError, UnknownNameError."""
    if samples is not None:
        if benchmark is not None:
            raise InputError("samples: a benchmark has its own number of questions; leave out benchmark= or samples=")
        return (), whole_number(samples, "samples", 1)
    sets = find_benchmarks(DEFAULT_BENCHMARK if benchmark is None else benchmark)
    return sets, sum(one.questions for one in sets)


def _not_negative(model_sd: object) -> float:
    given = model_sd if isinstance(model_sd, int | float) and not isinstance(model_sd, bool) else float("nan")
    if not 0 <= given <= 1:
        raise InputError(f"model_sd: expected a standard deviation in error, from 0 to 1, got {shown(model_sd)}")
    return float(given)


def _cells(axes: ReleasedAxes) -> tuple[FloatArray, FloatArray, NDArray[np.intp]]:
    """Size of each cell's language model, its mean visual tokens, and which checkpoint it is of."""
    place = {id(one): position for position, one in enumerate(axes.selection.checkpoints)}
    return (
        np.array([cell.checkpoint.llm.nominal_params for cell in axes.cells], float),
        np.array([cell.mean_tokens(axes.images) for cell in axes.cells], float),
        np.array([place[id(cell.checkpoint)] for cell in axes.cells]),
    )


def _is_named(checkpoint: Checkpoint, llms: tuple[str, ...]) -> bool:
    """Whether a law's runs may be of this model: its runs name it, or none."""
    known = {name.lower() for name in llms}
    return not known or bool(known & {checkpoint.name.lower(), checkpoint.hub_id.lower()})


def _evaluation(
    ways: Ways, cell: int, bill: Mapping[str, Any], found: Gains, i: int, fits: bool, tasks: tuple[str, ...]
) -> Evaluation:
    """Of a cell, the i-th of those whose gains were found."""
    precision, devices, error = ways.how(cell)
    model = ways.axes.cells[cell].model()
    command, refusal = evaluation_command(model, precision, devices, tasks)
    return Evaluation(
        model=model.checkpoint.name,
        hub_id=model.checkpoint.hub_id or None,
        knob=_knob(model.turned),
        llm_params=model.llm.nominal_params,
        visual_tokens=ways.axes.cells[cell].mean_tokens(ways.axes.images),
        predicted_error=error,
        fits=fits,
        precision=precision,
        tensor_parallel=devices,
        expected_gain=float(found.expected_gain[i]),
        probability_pick_changes=float(found.probability_pick_changes[i]),
        command=command,
        refusal=refusal,
        **bill,
    )


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
