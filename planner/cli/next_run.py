"""What to measure next: next-run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import planner
from planner.base.errors import InputError
from planner.base.files import refuse_existing
from planner.base.quantities import whole_number
from planner.cli.common import (
    CachedTokens,
    Concurrency,
    Force,
    FormName,
    IterationTokens,
    Json,
    Percentile,
    Scheduler,
    Seats,
    SystemTokens,
    app,
    json_text,
    parse_counts,
    parse_names,
    request_of,
    show_story,
)
from planner.cli.limits import NO_LIMIT, takes_limits
from planner.cli.mixes import mix_of
from planner.cli.running import progress_bar
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION
from planner.planning.next_run import NextMeasurement

DEFAULT_TOP = 5


@app.command(name="next-run")
@takes_limits
def next_run(
    law: Annotated[
        str | None, typer.Argument(help="Shipped law, as the catalog lists them, or a law file; default: reasoning.")
    ] = None,
    *,
    limits: Mapping[str, float],
    query_tokens: Annotated[int | None, typer.Option(help="New text tokens of a request.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="Answer tokens of a request.")] = None,
    cached_tokens: CachedTokens = 0,
    system_tokens: SystemTokens = 0,
    images: Annotated[int, typer.Option(help="Images per request.")] = 1,
    workload: Annotated[str | None, typer.Option(help="With --models: CSV of requests instead.")] = None,
    traffic: Annotated[
        str | None, typer.Option(help="With --models: log of requests with time stamps instead, the load as it came.")
    ] = None,
    form: FormName = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="By published results of a task, as docvqa, or of an unmeasured one by its class, as text; LAW, which "
            "may then be a CSV, adds runs of one's own."
        ),
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(help="Mix of tasks instead of LAW: laws, as reasoning=0.7,ocr=0.3, or tasks of the evidence."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            help="Rank evaluations of released models: 'released' (all), families as qwen3-vl, hub ids, folders."
        ),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="With --models: width x height as 1024x768, several by commas, or a CSV of them.")
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="With --models: what they are evaluated on, lmms-eval tasks by commas, all questions of which are "
            "paid for; default: what stands for the law's tasks (docvqa_val for ocr), else mmmu_val, 900 questions."
        ),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="With --models: a number of questions instead.")] = None,
    model_sd: Annotated[
        float | None,
        typer.Option(
            help="With --models: standard deviation of a model's own offset from the law, in error, as 0.015, that of "
            "PaliGemma 2's models; 0: all follow it; default: what the plan knows of other models."
        ),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(help="Sizes of language models that could be measured; default: 0.5B,1.8B,4B,7B,14B."),
    ] = None,
    visual_tokens: Annotated[
        str | None, typer.Option(help="Visual tokens that could be measured; default: 1,4,16,36,64,144,576.")
    ] = None,
    text_tokens: Annotated[
        int | None, typer.Option(help="Text tokens of a training sample; default: query + generated tokens.")
    ] = None,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="Candidates of the pick: models, families, 'all'; default: the family of the law."),
    ] = None,
    vision: Annotated[str, typer.Option(help="Vision tower.")] = DEFAULT_VISION,
    compressor: Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")] = DEFAULT_COMPRESSOR,
    as_measured: Annotated[
        str, typer.Option(help="Count as measured, though the names differ: some of compressor,family,recipe.")
    ] = "",
    convention: Annotated[str, typer.Option(help="full (every stage), paper (2N(Q+V+G), LLM only) or torch.")] = "full",
    prompt_order: Annotated[str, typer.Option(help="image-first, or text-first (query pass free).")] = "image-first",
    hardware: Annotated[str | None, typer.Option(help="Card, profile (.json) or cpu; its memory is a limit.")] = None,
    price_per_hour: Annotated[float | None, typer.Option(help="Of one GPU, any currency.")] = None,
    gpus: Annotated[int | None, typer.Option(help="GPUs in all; default: those of one model.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="Of the LLM, as bf16,fp8,int4; default: bf16, or a released model's own; on a T4 fp16."),
    ] = None,
    kv_precision: Annotated[str | None, typer.Option(help="Of the KV cache; default 16 bits.")] = None,
    tensor_parallel: Annotated[str, typer.Option(help="GPUs that share the LLM, as 1,2,4.")] = "1",
    batch: Annotated[str | None, typer.Option(help="Requests of a static batch in the plan, as 1,8,32.")] = None,
    scheduler: Scheduler = None,
    concurrency: Concurrency = None,
    percentile: Percentile = None,
    max_num_seqs: Seats = None,
    max_num_batched_tokens: IterationTokens = None,
    latency_source: Annotated[str, typer.Option(help="roofline, or silicon (aiconfigurator).")] = "roofline",
    criterion: Annotated[str, typer.Option(help="regret (error of the pick) or d-optimal (parameters).")] = "regret",
    per_cost: Annotated[
        bool | None,
        typer.Option(
            "--per-cost/--no-per-cost",
            help="Rank by gain for the cost: training FLOPs (default: no), or those or the GPU-hours of an evaluation "
            "(default: yes).",
        ),
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Standard deviation of a run's error; default: the fit's.")
    ] = None,
    top: Annotated[int | None, typer.Option(help="How many to show; default: 5, of evaluations in --json all.")] = None,
    together: Annotated[int, typer.Option(help="Also choose this many to be made at once.")] = 1,
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="With --models: write all of them to this JSON file.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Rank what could be measured next by how much better the pick is expected to get: training runs, or with --models
    evaluations of released models, which cost inference alone."""
    if top is not None:
        whole_number(top, "--top", 1)
    whole_number(together, "--together", 1)
    if output is not None:
        if models is None:
            raise InputError("-o writes evaluations of released models: name them with --models, or use --json")
        refuse_existing(Path(output), force)
    if law is not None and mix is not None:
        raise InputError(f"law {law} and --mix {mix}: give one of them; a mix names its laws itself")
    if mix is not None and task is not None:
        raise InputError(f"--mix {mix} and --task {task}: give one of them; --mix {task}=0.5,... has tasks too")
    if not limits:
        raise InputError(NO_LIMIT)
    if workload is not None and models is None:
        raise InputError("--workload: a file of requests has no single length of a training sample")
    if traffic is not None and models is None:
        raise InputError("--traffic: a log of requests has no single length of a training sample")
    request = request_of(traffic, workload, query_tokens, generated_tokens, cached_tokens, system_tokens, images)
    own: dict[str, Any] = {
        "llms": llms,
        "vision": vision,
        "compressor": compressor,
        "prompt_order": prompt_order,
        "hardware": hardware,
        "price_per_hour": price_per_hour,
        "gpus": gpus,
        "precision": None if precision is None else parse_names(precision),
        "kv_precision": kv_precision,
        "tensor_parallel": parse_counts(tensor_parallel, "--tensor-parallel"),
        "batch": None if batch is None else parse_counts(batch, "--batch"),
        "scheduler": scheduler,
        "concurrency": concurrency,
        "percentile": percentile,
        "max_num_seqs": max_num_seqs,
        "max_num_batched_tokens": max_num_batched_tokens,
        "traffic": traffic,
        "latency_source": latency_source,
        "as_measured": as_measured,
        "task": task,
    }
    with progress_bar() as show:
        show("ranking", 0, 1)
        found = planner.next_run(
            law if mix is None else mix_of(mix, form),
            form=form,
            budget=planner.Budget(convention=convention, limits=limits),
            workload=request,
            models=models,
            image=image,
            benchmark=benchmark,
            samples=samples,
            model_sd=model_sd,
            sizes=None if sizes is None else parse_names(sizes),
            visual_tokens=None if visual_tokens is None else parse_counts(visual_tokens),
            text_tokens=text_tokens,
            criterion=criterion,
            per_cost=per_cost,
            noise_sd=noise,
            together=together,
            **own,
        )
    if isinstance(found, NextMeasurement):
        if as_json:
            print(json_text(found.to_dict(top or DEFAULT_TOP)))
            return
        from planner.tell.next_run import next_run_story

        show_story(next_run_story(found, top or DEFAULT_TOP))
        return
    if output is not None:
        found.save(output, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text(found.to_dict(top)))
        return
    from planner.tell.next_evaluations import next_evaluations_story

    show_story(next_evaluations_story(found, top or DEFAULT_TOP))
