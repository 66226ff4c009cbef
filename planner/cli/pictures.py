"""Pictures of laws and plans: plot."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.base.files import refuse_existing
from planner.cli.common import Force, FormName, Json, app, json_text, parse_counts, parse_names
from planner.cli.limits import given_limits, takes_limits
from planner.cli.mixes import mix_of
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION

FRONTIER, LOAD, TIMELINE = "frontier", "load", "timeline"
_OF_PLANS = (FRONTIER, LOAD, TIMELINE)
KINDS = ("law", "profiles", "residuals", *_OF_PLANS)
_REQUEST = ("--query-tokens", "--generated-tokens")
_FOR = {"law": _REQUEST}
"""Options that kinds of picture take, beside the frontier, which takes all that a plan does."""


@app.command()
@partial(takes_limits, of="frontier: ")
def plot(
    kind: Annotated[
        str,
        typer.Argument(
            help="law (over FLOPs), profiles, residuals, frontier (of a plan), or of a plan with a load, with the "
            "options of frontier: load (TTFT and throughput against the rate), timeline (a second of an engine)."
        ),
    ],
    output: Annotated[str, typer.Option("-o", "--output", help="The picture: a .png, .svg or .pdf file.")],
    law: Annotated[
        str | None, typer.Argument(help="Shipped law, as the catalog lists them, or the path of a law file.")
    ] = None,
    form: FormName = None,
    *,
    limits: Mapping[str, float],
    query_tokens: Annotated[int | None, typer.Option(help="frontier, law: new text tokens; 50 for law.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="frontier, law: answer tokens; 0 for law.")] = None,
    cached_tokens: Annotated[int | None, typer.Option(help="frontier: text tokens already in the KV cache.")] = None,
    hardware: Annotated[str | None, typer.Option(help="frontier: card, profile (.json) or cpu.")] = None,
    price_per_hour: Annotated[float | None, typer.Option(help="frontier: of one GPU, any currency.")] = None,
    gpus: Annotated[int | None, typer.Option(help="frontier: GPUs in all.")] = None,
    precision: Annotated[str | None, typer.Option(help="frontier: of the LLM, as bf16,fp8,int4.")] = None,
    kv_precision: Annotated[str | None, typer.Option(help="frontier: of the KV cache.")] = None,
    tensor_parallel: Annotated[str | None, typer.Option(help="frontier: GPUs that share the LLM, as 1,2,4.")] = None,
    batch: Annotated[str | None, typer.Option(help="frontier: requests of a static batch, as 1,8,32.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="frontier: continuous or static.")] = None,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="frontier: models, families, 'all' or config.json paths; default: the family of the law."),
    ] = None,
    mix: Annotated[
        str | None, typer.Option(help="frontier: mix of tasks instead of LAW, as reasoning=0.7,ocr=0.3.")
    ] = None,
    vision: Annotated[str | None, typer.Option(help="frontier: vision towers, separated by commas.")] = None,
    compressor: Annotated[
        str | None, typer.Option(help="frontier: quecc, tokenpacker, average-pool, none; several by commas.")
    ] = None,
    connector: Annotated[str | None, typer.Option(help="frontier: mlp, or a plug-in's.")] = None,
    visual_tokens: Annotated[str | None, typer.Option(help="frontier: visual tokens to try, as 1,4,16.")] = None,
    prompt_order: Annotated[
        str | None, typer.Option(help="frontier: image-first, text-first, or both by commas.")
    ] = None,
    convention: Annotated[str | None, typer.Option(help="frontier: full, paper or torch.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw a law over FLOPs, its profile curves, its residuals, the frontier of a plan, or its load."""
    if kind not in KINDS:
        raise UnknownNameError("picture", kind, KINDS)
    choices = {
        "--query-tokens": query_tokens,
        "--generated-tokens": generated_tokens,
        "--cached-tokens": cached_tokens,
        "--hardware": hardware,
        "--price-per-hour": price_per_hour,
        "--gpus": gpus,
        "--precision": precision,
        "--kv-precision": kv_precision,
        "--tensor-parallel": tensor_parallel,
        "--batch": batch,
        "--scheduler": scheduler,
        "--llms": llms or None,
        "--mix": mix,
        "--vision": vision,
        "--compressor": compressor,
        "--connector": connector,
        "--visual-tokens": visual_tokens,
        "--prompt-order": prompt_order,
        "--convention": convention,
    }
    given = {name for name, value in choices.items() if value is not None}.union(given_limits(limits))
    if kind not in _OF_PLANS:
        for name in sorted(given.difference(_FOR.get(kind, ()))):
            kinds = [f"plot {taker}" for taker, names in _FOR.items() if name in names] + [f"plot {FRONTIER}"]
            raise InputError(f"plot {kind} takes no {name}, which is for {' and '.join(kinds)}: leave it out")
    if (law is None) == (mix is None):
        mixed = f"LAW {law} and --mix {mix}: give one of them; a mix names its laws itself"
        raise InputError(mixed if law is not None else f"plot {kind} needs a law: name one, such as reasoning")
    from planner.tell import plots

    plots.picture_kind(Path(output))
    refuse_existing(Path(output), force)
    if kind in _OF_PLANS:
        if not limits or query_tokens is None or generated_tokens is None:
            missing = ["--budget"] * (not limits) + [name for name in _REQUEST if name not in given]
            raise InputError(f"plot {kind} needs what plan needs: give {', '.join(missing)} too")
        picked = planner.plan(
            law if mix is None else mix_of(mix, form),
            form=form,
            budget=planner.Budget(convention="full" if convention is None else convention, limits=limits),
            query_tokens=query_tokens,
            generated_tokens=generated_tokens,
            cached_tokens=cached_tokens or 0,
            llms=llms,
            visual_tokens=None if visual_tokens is None else parse_counts(visual_tokens),
            vision=parse_names(DEFAULT_VISION if vision is None else vision),
            compressor=parse_names(DEFAULT_COMPRESSOR if compressor is None else compressor),
            connector=DEFAULT_CONNECTOR if connector is None else connector,
            prompt_order=parse_names("image-first" if prompt_order is None else prompt_order),
            hardware=hardware,
            price_per_hour=price_per_hour,
            gpus=gpus,
            precision=None if precision is None else parse_names(precision),
            kv_precision=kv_precision,
            tensor_parallel=1 if tensor_parallel is None else parse_counts(tensor_parallel, "--tensor-parallel"),
            batch=None if batch is None else parse_counts(batch, "--batch"),
            scheduler=scheduler,
        )
        draw = {FRONTIER: plots.frontier, LOAD: plots.load, TIMELINE: plots.timeline}[kind]
        figure, shown_law = draw(picked), picked.law
    else:
        assert law is not None
        shown_law = planner.load_law(law, form)
        if kind == "law":
            query, generated = 50 if query_tokens is None else query_tokens, generated_tokens or 0
            figure = plots.law_over_flops(shown_law, query, generated)
        else:
            figure = (plots.profiles if kind == "profiles" else plots.residuals)(shown_law)
    plots.save(figure, output, overwrite=force)
    print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text({"kind": kind, "law": shown_law.name, "form": shown_law.form, "output": output}))
