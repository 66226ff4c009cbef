"""What to measure next: next-run."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import typer

import planner
from planner.base.errors import InputError
from planner.base.quantities import parse_params, whole_number
from planner.cli.common import (
    BudgetText,
    FormName,
    GeneratedTokens,
    Json,
    QueryTokens,
    app,
    json_text,
    make_console,
    parse_counts,
)
from planner.laws.design import NextRun, NextRuns, next_batch, next_runs
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION
from planner.planning.result import Plan

DEFAULT_SIZES = "0.5B,1.8B,4B,7B,14B"
DEFAULT_TOKENS = "1,4,16,36,64,144,576"


@app.command(name="next-run")
def next_run(
    law: Annotated[str, typer.Argument(help="Shipped law, as the catalog lists them, or the path of a law file.")],
    budget: BudgetText,
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    images: Annotated[int, typer.Option(help="Images per request.")] = 1,
    form: FormName = None,
    sizes: Annotated[str, typer.Option(help="Sizes of language models that could be measured.")] = DEFAULT_SIZES,
    visual_tokens: Annotated[str, typer.Option(help="Visual tokens that could be measured.")] = DEFAULT_TOKENS,
    text_tokens: Annotated[
        int | None, typer.Option(help="Text tokens of a training sample; default: query + generated tokens.")
    ] = None,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="Candidates of the pick: models, families, 'all'; default: the family of the law."),
    ] = None,
    vision: Annotated[str, typer.Option(help="Vision tower.")] = DEFAULT_VISION,
    compressor: Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")] = DEFAULT_COMPRESSOR,
    convention: Annotated[str, typer.Option(help="full (every stage) or paper (2N(Q+V+G), LLM only).")] = "full",
    prompt_order: Annotated[str, typer.Option(help="image-first, or text-first (query pass free).")] = "image-first",
    criterion: Annotated[str, typer.Option(help="regret (error of the pick) or d-optimal (parameters).")] = "regret",
    per_cost: Annotated[bool, typer.Option("--per-cost", help="Rank by gain for the training FLOPs.")] = False,
    noise: Annotated[
        float | None, typer.Option(help="Standard deviation of a run's error; default: the fit's.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many runs to show.")] = 5,
    together: Annotated[int, typer.Option(help="Also choose this many runs to be made at once.")] = 1,
    as_json: Json = False,
) -> None:
    """Rank the runs that could be made next by how much better the pick is expected to get."""
    whole_number(top, "--top", 1)
    whole_number(together, "--together", 1)
    plan = planner.plan(
        planner.load_law(law, form),
        budget=budget,
        convention=convention,
        workload=planner.Workload(query_tokens, generated_tokens, images=images),
        llms=llms,
        vision=vision,
        compressor=compressor,
        prompt_order=prompt_order,
    )
    text = query_tokens + generated_tokens if text_tokens is None else whole_number(text_tokens, "--text-tokens")
    cells = _cells(sizes, visual_tokens)
    training_flops = 6 * cells[0] * (cells[1] + text)
    candidates = plan.table.fitting_points()
    found = next_runs(
        plan.law, candidates, cells, training_flops, criterion=criterion, per_cost=per_cost, noise_sd=noise
    )
    batch = next_batch(plan.law, candidates, cells, together, noise_sd=noise) if together > 1 else None
    if as_json:
        content = _to_dict(plan, found, top, text)
        if batch is not None:
            content["together"] = {
                "runs": [{"llm_params": size, "visual_tokens": tokens} for size, tokens in batch.runs],
                "expected_gain": batch.expected_gains[-1],
            }
        print(json_text(content))
        return
    from planner.tell.next_run import print_next_runs

    print_next_runs(make_console(), plan, found, batch, top, text)


def _cells(sizes: str, visual_tokens: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Every size with every number of visual tokens, each of shape (C,). Raises InputError."""
    params = [parse_params(size.strip(), "--sizes") for size in sizes.split(",") if size.strip()]
    counts = [whole_number(count, "--visual-tokens", 1) for count in parse_counts(visual_tokens)]
    for name, values, example in (("--sizes", params, "0.5B,7B"), ("--visual-tokens", counts, "1,36")):
        if not values:
            raise InputError(f"{name}: expected at least one, such as {example}, got none")
    grid = np.meshgrid(sorted(set(params)), sorted(set(counts)), indexing="ij")
    return grid[0].ravel(), grid[1].ravel().astype(float)


def _to_dict(plan: Plan, found: NextRuns, top: int, text_tokens: int) -> dict[str, Any]:
    return {
        "next": [_run_dict(run) for run in found.runs[:top]],
        "expected_regret_now": found.expected_regret_now,
        "criterion": found.criterion,
        "noise_sd": found.noise_sd,
        "pick": {"llm": plan.best.llm.name, "llm_params": found.pick[0], "visual_tokens": found.pick[1]},
        "cost": {"unit": "training FLOPs per sample, 6 N (V + text)", "text_tokens": text_tokens},
        "budget": {"flops": plan.budget.flops},
        "convention": plan.budget.convention,
        "law": {"name": plan.law.name, "form": plan.law.form, "status": plan.law.status, "advice": plan.law.advice},
    }


def _run_dict(run: NextRun) -> dict[str, Any]:
    return {**vars(run), "gain_per_cost": run.gain_per_cost}
