"""Verbs on plans: plan, optimum."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import planner
from planner.cli.common import (
    BudgetText,
    Force,
    FormName,
    GeneratedTokens,
    Json,
    Law,
    QueryTokens,
    app,
    json_text,
    make_console,
    parse_counts,
)
from planner.errors import InputError
from planner.files import refuse_existing, write_text
from planner.laws.shipped import load_mix
from planner.models.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION


@app.command()
def plan(
    budget: BudgetText,
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    cached_tokens: Annotated[int, typer.Option(help="Text tokens already in the KV cache; no prefill.")] = 0,
    system_tokens: Annotated[int, typer.Option(help="Further text tokens that every request prefills.")] = 0,
    images: Annotated[int, typer.Option(help="Images per request.")] = 1,
    law: Annotated[str | None, typer.Option(help="Shipped law or law file; default: reasoning.")] = None,
    form: FormName = None,
    mix: Annotated[str | None, typer.Option(help="Mix of tasks instead of --law, as reasoning=0.7,ocr=0.3.")] = None,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="Models, families, 'all' or config.json paths; default: the family of the law."),
    ] = None,
    visual_tokens: Annotated[str | None, typer.Option(help="Visual tokens to try, as 1,4,16; default: all.")] = None,
    vision: Annotated[str, typer.Option(help="Vision tower.")] = DEFAULT_VISION,
    compressor: Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")] = DEFAULT_COMPRESSOR,
    convention: Annotated[str, typer.Option(help="full (every stage) or paper (2N(Q+V+G), LLM only).")] = "full",
    prompt_order: Annotated[str, typer.Option(help="image-first, or text-first (query pass free).")] = "image-first",
    frontier: Annotated[bool, typer.Option("--frontier", help="Show the frontier too.")] = False,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write the plan to this JSON file.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Pick the best (LLM, visual tokens) pair that fits a budget, with the cost of everything that runs."""
    if output is not None:
        refuse_existing(Path(output), force)
    if law is not None and mix is not None:
        raise InputError(f"--law {law} and --mix {mix}: give one of them; a mix names its laws itself")
    result = planner.plan(
        law if mix is None else load_mix(mix, form),
        form=form if mix is None else None,
        budget=budget,
        convention=convention,
        workload=planner.Workload(query_tokens, generated_tokens, cached_tokens, system_tokens, images),
        llms=llms,
        visual_tokens=None if visual_tokens is None else parse_counts(visual_tokens),
        vision=vision,
        compressor=compressor,
        prompt_order=prompt_order,
    )
    if output is not None:
        write_text(output, json_text(result.to_dict()) + "\n", overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text(result.to_dict()))
        return
    from planner.report.console import print_plan

    print_plan(make_console(), result, frontier=frontier)


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
    from planner.report.console import print_optimum

    print_optimum(make_console(), result)
