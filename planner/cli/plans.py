"""Verbs on plans: plan, optimum."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer

import planner
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.cli.common import (
    BudgetText,
    CachedTokens,
    Concurrency,
    Connector,
    Force,
    FormName,
    GeneratedTokens,
    IterationTokens,
    Json,
    Law,
    Percentile,
    QueryTokens,
    Scheduler,
    Seats,
    SystemTokens,
    app,
    check_output,
    json_text,
    make_console,
    parse_counts,
    parse_names,
    parse_times,
    request_of,
    show_story,
)
from planner.cli.limits import NO_LIMIT, takes_limits
from planner.cli.mixes import mix_of
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION


@app.command()
@takes_limits
def plan(
    *,
    limits: Mapping[str, float],
    query_tokens: Annotated[int | None, typer.Option(help="New text tokens of a request.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="Answer tokens of a request.")] = None,
    cached_tokens: CachedTokens = 0,
    system_tokens: SystemTokens = 0,
    images: Annotated[int, typer.Option(help="Images per request.")] = 1,
    workload: Annotated[str | None, typer.Option(help="CSV of requests instead: planned on mean and p95.")] = None,
    traffic: Annotated[
        str | None,
        typer.Option(help="Log of requests with time stamps instead, CSV or JSON Lines: the load as it came."),
    ] = None,
    hardware: Annotated[str | None, typer.Option(help="Card, profile (.json) or cpu; its memory is a limit.")] = None,
    price_per_hour: Annotated[float | None, typer.Option(help="Of one GPU, any currency.")] = None,
    gpus: Annotated[int | None, typer.Option(help="GPUs in all; default: those of one model.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="Of the LLM, as bf16,fp8,int4; default: bf16, or a released model's own; on a T4 fp16."),
    ] = None,
    kv_precision: Annotated[str | None, typer.Option(help="Of the KV cache; default 16 bits.")] = None,
    tensor_parallel: Annotated[str, typer.Option(help="GPUs that share the LLM, as 1,2,4.")] = "1",
    batch: Annotated[str | None, typer.Option(help="Requests of a static batch, as 1,8,32.")] = None,
    scheduler: Scheduler = None,
    concurrency: Concurrency = None,
    percentile: Percentile = None,
    scale: Annotated[str | None, typer.Option(help="Plan for so many times the load too: 2x.")] = None,
    max_num_seqs: Seats = None,
    max_num_batched_tokens: IterationTokens = None,
    latency_source: Annotated[str, typer.Option(help="roofline, or silicon (aiconfigurator).")] = "roofline",
    law: Annotated[
        str | None, typer.Option(help="Shipped law or law file, or one a compressor: quecc=LAW,none=LAW.")
    ] = None,
    form: FormName = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="By published results of a task, as docvqa, or of an unmeasured one by its class, as text; --law adds "
            "runs of one's own."
        ),
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(help="Mix of tasks instead of --law: laws, as reasoning=0.7,ocr=0.3, or tasks of the evidence."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(help="Choose among released models: 'released' (all), families as qwen3-vl, hub ids, folders."),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="With --models: width x height as 1024x768, several by commas, or a CSV of them.")
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Choose what to train, of --llms, towers and compressors; the default.")
    ] = False,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="Models, families, 'all' or config.json paths; default: the family of the law."),
    ] = None,
    llm_config: Annotated[list[str] | None, typer.Option(help="A config.json to try, beside --llms.")] = None,
    visual_tokens: Annotated[str | None, typer.Option(help="Visual tokens to try, as 1,4,16; default: all.")] = None,
    vision: Annotated[str, typer.Option(help="Vision towers, separated by commas.")] = DEFAULT_VISION,
    compressor: Annotated[
        str, typer.Option(help="quecc, tokenpacker, average-pool, none; several by commas.")
    ] = DEFAULT_COMPRESSOR,
    connector: Connector = DEFAULT_CONNECTOR,
    as_measured: Annotated[
        str, typer.Option(help="Count as measured, though the names differ: some of compressor,family,recipe.")
    ] = "",
    convention: Annotated[str, typer.Option(help="full (every stage), paper (2N(Q+V+G), LLM only) or torch.")] = "full",
    prompt_order: Annotated[
        str, typer.Option(help="image-first, text-first (query pass free), or both by commas.")
    ] = "image-first",
    rank_by: Annotated[
        str,
        typer.Option(
            help="error: what the law predicts, also where that is a loss; with --models a cost alone, without a law: "
            "cost (the first limit of this list), or the name of one, as price."
        ),
    ] = "error",
    frontier: Annotated[bool, typer.Option("--frontier", help="List the frontier too, beside its picture.")] = False,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write the plan to this JSON file.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Pick what to train, or with --models a released model: the best that keeps every limit, and all that it costs."""
    if output is not None:
        check_output("a plan", output, force)
    if law is not None and mix is not None:
        raise InputError(f"--law {law} and --mix {mix}: give one of them; a mix names its laws itself")
    if mix is not None and task is not None:
        raise InputError(f"--mix {mix} and --task {task}: give one of them; --mix {task}=0.5,... has tasks too")
    if mix is not None and rank_by != "error":
        raise InputError(f"--rank-by {rank_by}: a cost alone asks no law: leave out --mix or --rank-by")
    if models is not None and train:
        raise InputError("--models chooses among released models and --train what to train: give one of them")
    if not limits:
        raise InputError(NO_LIMIT)
    result = planner.plan(
        _law(law) if mix is None else mix_of(mix, form),
        task=task,
        form=form,
        budget=planner.Budget(convention=convention, limits=limits),
        workload=request_of(traffic, workload, query_tokens, generated_tokens, cached_tokens, system_tokens, images),
        traffic=traffic,
        models=models,
        image=image,
        llms=[*(llms or ()), *(llm_config or ())] or None,
        visual_tokens=None if visual_tokens is None else parse_counts(visual_tokens),
        vision=parse_names(vision),
        compressor=parse_names(compressor),
        connector=connector,
        prompt_order=parse_names(prompt_order),
        hardware=hardware,
        precision=None if precision is None else parse_names(precision),
        kv_precision=kv_precision,
        tensor_parallel=parse_counts(tensor_parallel, "--tensor-parallel"),
        batch=None if batch is None else parse_counts(batch, "--batch"),
        gpus=gpus,
        price_per_hour=price_per_hour,
        latency_source=latency_source,
        scheduler=scheduler,
        concurrency=concurrency,
        percentile=percentile,
        scale=None if scale is None else parse_times(scale),
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        rank_by=rank_by,
        as_measured=as_measured,
    )
    if mix is not None:
        result = replace(result, given=replace(result.given, mix=mix))
    if output is not None:
        result.save(output, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text(result.to_dict()))
        return
    from planner.tell.plan import print_plan

    print_plan(make_console(), result, frontier=frontier)


def _law(text: str | None) -> str | dict[str, str] | None:
    """One law, or one for each compressor: "quecc=LAW,tokenpacker=LAW"."""
    if text is None or "=" not in text:
        return text
    pairs = [part.split("=", 1) for part in parse_names(text)]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise InputError(f"--law: expected LAW, or COMPRESSOR=LAW,COMPRESSOR=LAW, got {shown(text)}")
    return dict(pairs)


@app.command()
def optimum(
    budget: BudgetText,
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    law: Law = "reasoning",
    form: FormName = None,
    convention: Annotated[str, typer.Option(help="Only paper: 2N(Q+V+G).")] = "paper",
    as_json: Json = False,
) -> None:
    """The continuous optimum, as if every LLM size and every number of visual tokens could be had."""
    result = planner.optimum(
        law,
        form=form,
        budget=budget,
        query_tokens=query_tokens,
        generated_tokens=generated_tokens,
        convention=convention,
    )
    if as_json:
        print(json_text(result.to_dict()))
        return
    from planner.tell.optimum import optimum_story

    show_story(optimum_story(result))
