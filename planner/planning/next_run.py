"""Which run to measure next, so that the pick under a budget gets better: a training run, or an evaluation of a model
that exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import parse_params, whole_number
from planner.base.result import Result
from planner.laws.design import Batch, NextRun, NextRuns
from planner.parts.released import Models
from planner.planning.choices import LawLike
from planner.planning.question import Images
from planner.planning.request import Budget, Quantity, Workload
from planner.planning.result import Plan
from planner.planning.run_cost import run_cost
from planner.planning.search import plan
from planner.planning.training_runs import rank_training_runs

if TYPE_CHECKING:
    import pandas as pd

    from planner.planning.evaluating.benchmarks import Benchmark
    from planner.planning.evaluating.result import NextEvaluations

FloatArray = NDArray[np.float64]

SIZES = (0.5e9, 1.8e9, 4e9, 7e9, 14e9)
VISUAL_TOKENS = (1, 4, 16, 36, 64, 144, 576)


@dataclass(frozen=True, repr=False)
class NextMeasurement(Result):
    """The runs that could be measured, ranked by what they are expected to do for the pick of a plan."""

    plan: Plan
    """What the law picks now."""
    ranked: NextRuns
    together: Batch | None
    """Runs to be made at once; None where one alone was asked for."""
    text_tokens: int
    """Of a training sample, behind the costs."""

    @property
    def best(self) -> NextRun:
        """The run that is expected to gain the most."""
        return self.ranked.runs[0]

    def __str__(self) -> str:
        size = f"{self.best.llm_params / 1e9:.3g}B"
        count = f"{self.best.visual_tokens:.0f} visual {'token' if self.best.visual_tokens == 1 else 'tokens'}"
        return f"{size} with {count}, expected gain {self.best.expected_gain:.3g}"

    def __repr__(self) -> str:
        return f"NextMeasurement({self})"

    def to_frame(self) -> pd.DataFrame:
        """A row for each run that could be made, the most useful first."""
        import pandas as pd

        return pd.DataFrame([_run_dict(run) for run in self.ranked.runs])

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Plain JSON types, of the first `top` runs."""
        found, law, pick = self.ranked, self.plan.law, self.plan.best
        content: dict[str, Any] = {
            "next": [_run_dict(run) for run in found.runs[:top]],
            "expected_regret_now": found.expected_regret_now,
            "criterion": found.criterion,
            "noise_sd": found.noise_sd,
            "pick": {
                "llm": pick.llm.name,
                "llm_params": float(pick.llm.nominal_params),
                "visual_tokens": float(pick.visual_tokens),
            },
            "cost": {"unit": run_cost(law).unit, "text_tokens": self.text_tokens},
            "budget": dict(self.plan.budget.limits),
            "convention": self.plan.budget.convention,
            "law": {"name": law.name, "form": law.form, "status": law.status, "advice": law.advice},
        }
        if self.together is not None:
            content["together"] = {
                "runs": [{"llm_params": size, "visual_tokens": tokens} for size, tokens in self.together.runs],
                "expected_gain": self.together.expected_gains[-1],
            }
        return content


@overload
def next_run(
    law: LawLike = None, *, budget: Budget | Quantity, models: None = None, **options: Any
) -> NextMeasurement: ...


@overload
def next_run(law: LawLike = None, *, budget: Budget | Quantity, models: Models, **options: Any) -> NextEvaluations: ...


def next_run(
    law: LawLike = None,
    *,
    task: str | Mapping[str, float] | None = None,
    budget: Budget | Quantity,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    workload: Workload | str | Path | None = None,
    models: Models | None = None,
    image: Images | None = None,
    benchmark: str | Benchmark | Iterable[str | Benchmark] | None = None,
    samples: int | None = None,
    model_sd: float | None = None,
    sizes: Iterable[float | str] | None = None,
    visual_tokens: Iterable[int] | None = None,
    text_tokens: int | None = None,
    criterion: str = "regret",
    per_cost: bool | None = None,
    noise_sd: float | None = None,
    together: int = 1,
    form: str | None = None,
    **options: Any,
) -> NextMeasurement | NextEvaluations:
    """Rank what could be measured next by how much better the pick is expected to get.

    Without `models` these are training runs (size x visual tokens), and the pick is what to train. With `models` they
    are evaluations of released models (model x value of its knob), which cost inference alone, and the pick is one of
    them. Gains and regret are by the belief that the plan's interval and odds show: the law with its misfit, and what
    other compressors, families and recipes than those of its runs change (`as_measured` leaves some out).

    Args:
        law: a fitted law, the name of a shipped one, or a law file; "reasoning" by default.
        task: by published results of a task or of a mix of tasks instead, as `plan` takes it. Without runs of one's own
            they leave the level of all errors open, so that training runs are ranked in pairs.
        budget: FLOPs of one request, or a `Budget`, under which the pick is made.
        query_tokens, generated_tokens: of a request.
        workload: all token counts at once, instead of these two; with `models` also a CSV of requests, as `plan`.
        models: released models to choose from and to evaluate, as `plan` takes them: "released", families, hub ids,
            folders.
        image: of a request to a released model, as `plan` takes it; visual tokens are the mean of a mixture.
        benchmark: what released models are evaluated on: tasks of lmms-eval by name, whose questions are the samples;
            by default what stands for the law's tasks ("docvqa_val" for the law ocr), else "mmmu_val", 900 questions.
        samples: a number of questions instead of a benchmark.
        model_sd: standard deviation of a released model's own offset from the law, in error, instead of what the plan
            knows of other models; 0: all of them follow the law. PaliGemma 2's have 0.015 about a line in ln N.
        sizes: language models that could be measured, in parameters ("7B", 7e9); by default 0.5B to 14B.
        visual_tokens: per image, that could be measured; every size is combined with every count. By default 1 to 576.
        text_tokens: of a training sample; by default query and generated tokens. A run costs 6 N (V + text) FLOPs; of a
            law whose compressor prunes trained models it is an evaluation, 2 N (V + text) a question.
        criterion: "regret" (error of the pick) or "d-optimal" (parameters).
        per_cost: whether to rank by gain for the cost: training FLOPs, by default no; GPU-hours of an evaluation, or
            its FLOPs without hardware, by default yes.
        noise_sd: standard deviation of a run's error; by default that of the fit, of an evaluation together with the
            draw of its questions, each right or wrong.
        together: also choose so many runs to be made at once.
        form: form of a shipped law.
        options: candidates of the pick and how they run, as `plan` takes them (llms, hardware, prompt_order, ...).

    Raises:
        InputError: as `plan`, a law without runs, or what belongs to training runs together with `models`.
        NothingFitsError: no candidate keeps the budget.
    """
    whole_number(together, "together", 1)
    request: dict[str, Any] = {"query_tokens": query_tokens, "generated_tokens": generated_tokens, "workload": workload}
    request["task"] = task
    if models is not None:
        training = {"sizes": sizes, "visual_tokens": visual_tokens, "text_tokens": text_tokens}
        training["criterion"] = None if criterion == "regret" else criterion
        _refuse(training, "belongs to training runs, and models= ranks evaluations of released models")
        found = plan(law, form=form, budget=budget, models=models, image=image, **request, **options)
        from planner.planning.evaluating.rank import rank_evaluations  # only who asks for them pays for their import

        return rank_evaluations(
            found,
            benchmark=benchmark,
            samples=samples,
            model_sd=model_sd,
            noise_sd=noise_sd,
            per_cost=per_cost is not False,
            together=together,
        )
    evaluating = {"image": image, "benchmark": benchmark, "samples": samples, "model_sd": model_sd}
    _refuse(evaluating, "belongs to evaluations of released models, which models= names")
    if isinstance(workload, str | Path):
        raise InputError("workload: expected a Workload; a file of requests has no single length of a training sample")
    made = plan(law, form=form, budget=budget, **request, **options)
    own = made.workload.query_tokens + made.workload.generated_tokens
    text = own if text_tokens is None else whole_number(text_tokens, "text_tokens")
    cells = _cells(SIZES if sizes is None else sizes, VISUAL_TOKENS if visual_tokens is None else visual_tokens)
    costs = run_cost(made.law).flops(*cells, text)
    ranked, batch = rank_training_runs(
        made, cells, costs, criterion=criterion, per_cost=per_cost is True, noise_sd=noise_sd, together=together
    )
    return NextMeasurement(made, ranked, batch, text)


def _refuse(given: Mapping[str, Any], why: str) -> None:
    """Raises InputError for arguments that belong to the other question."""
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name}: {why}; leave out {name}=, or add or leave out models=")


def _cells(sizes: Iterable[float | str], visual_tokens: Iterable[int]) -> tuple[FloatArray, FloatArray]:
    """Every size with every number of visual tokens, each of shape (C,). Raises InputError."""
    params = sorted({parse_params(size, "sizes") for size in sizes})
    counts = sorted({whole_number(count, "visual_tokens", 1) for count in visual_tokens})
    for name, values, example in (("sizes", params, "0.5B,7B"), ("visual_tokens", counts, "1,36")):
        if not values:
            raise InputError(f"{name}: expected at least one, such as {example}, got none")
    grid = np.meshgrid(params, counts, indexing="ij")
    return grid[0].ravel(), grid[1].ravel().astype(float)


def _run_dict(run: NextRun) -> Mapping[str, Any]:
    beside = None if run.beside is None else {"llm_params": run.beside[0], "visual_tokens": run.beside[1]}
    return {**vars(run), "beside": beside, "gain_per_cost": run.gain_per_cost}
