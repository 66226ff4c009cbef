"""Pictures of laws and plans: plot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.base.files import refuse_existing
from planner.base.typed import typed_flops
from planner.cli.common import Force, FormName, Json, app, json_text, parse_names
from planner.laws.shipped import load_mix
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION

KINDS = ("law", "profiles", "residuals", "frontier")
_REQUEST = ("--query-tokens", "--generated-tokens")
_OF_A_PLAN = ("--llms", "--mix", "--vision", "--compressor", "--prompt-order", "--convention")
_TAKES = {"law": {*_REQUEST}, "frontier": {*_REQUEST, "--budget", *_OF_A_PLAN}}
"""Options of a request, by the kinds of picture that they mean anything to."""


@app.command()
def plot(
    kind: Annotated[str, typer.Argument(help="law (over FLOPs), profiles, residuals, or frontier (of a plan).")],
    output: Annotated[str, typer.Option("-o", "--output", help="The picture: a .png, .svg or .pdf file.")],
    law: Annotated[
        str | None, typer.Argument(help="Shipped law, as the catalog lists them, or the path of a law file.")
    ] = None,
    form: FormName = None,
    budget: Annotated[str | None, typer.Option(help="frontier: FLOPs of one request, such as 2TFLOPs.")] = None,
    query_tokens: Annotated[int | None, typer.Option(help="frontier, law: new text tokens; 50 for law.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="frontier, law: answer tokens; 0 for law.")] = None,
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
    prompt_order: Annotated[
        str | None, typer.Option(help="frontier: image-first, text-first, or both by commas.")
    ] = None,
    convention: Annotated[str | None, typer.Option(help="frontier: full, paper or torch.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw a law over FLOPs, its profile curves, its residuals, or the frontier of a plan."""
    if kind not in KINDS:
        raise UnknownNameError("picture", kind, KINDS)
    request = {
        "--budget": budget,
        "--query-tokens": query_tokens,
        "--generated-tokens": generated_tokens,
        "--llms": llms or None,
        "--mix": mix,
        "--vision": vision,
        "--compressor": compressor,
        "--prompt-order": prompt_order,
        "--convention": convention,
    }
    given = {name for name, value in request.items() if value is not None}
    for name in sorted(given - _TAKES.get(kind, set())):
        kinds = " and ".join(f"plot {taker}" for taker, names in _TAKES.items() if name in names)
        raise InputError(f"plot {kind} takes no {name}, which is for {kinds}: leave it out")
    if (law is None) == (mix is None):
        mixed = f"LAW {law} and --mix {mix}: give one of them; a mix names its laws itself"
        raise InputError(mixed if law is not None else f"plot {kind} needs a law: name one, such as reasoning")
    from planner.tell import plots

    plots.picture_kind(Path(output))
    refuse_existing(Path(output), force)
    if kind == "frontier":
        if budget is None or query_tokens is None or generated_tokens is None:
            missing = [name for name in ("--budget", *_REQUEST) if name not in given]
            raise InputError(f"plot frontier needs what plan needs: give {', '.join(missing)} too")
        picked = planner.plan(
            law if mix is None else load_mix(mix, form),
            form=form if mix is None else None,
            budget=typed_flops(budget),
            query_tokens=query_tokens,
            generated_tokens=generated_tokens,
            llms=llms,
            convention=convention,
            vision=parse_names(DEFAULT_VISION if vision is None else vision),
            compressor=parse_names(DEFAULT_COMPRESSOR if compressor is None else compressor),
            prompt_order=parse_names("image-first" if prompt_order is None else prompt_order),
        )
        figure, shown_law = plots.frontier(picked), picked.law
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
