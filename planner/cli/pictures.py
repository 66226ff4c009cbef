"""Pictures of laws and plans: plot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import planner
from planner.cli.common import Force, FormName, Json, app, json_text
from planner.errors import InputError, UnknownNameError
from planner.files import refuse_existing

KINDS = ("law", "profiles", "residuals", "frontier")
_TAKES = {
    "law": {"--query-tokens", "--generated-tokens"},
    "frontier": {"--query-tokens", "--generated-tokens", "--budget", "--llms"},
}
"""Options of a request, by the kinds of picture that they mean anything to."""


@app.command()
def plot(
    kind: Annotated[str, typer.Argument(help="law (over FLOPs), profiles, residuals, or frontier (of a plan).")],
    law: Annotated[str, typer.Argument(help="Shipped law, as the catalog lists them, or the path of a law file.")],
    output: Annotated[str, typer.Option("-o", "--output", help="The picture: a .png, .svg or .pdf file.")],
    form: FormName = None,
    budget: Annotated[str | None, typer.Option(help="frontier: FLOPs of one request, such as 2TFLOPs.")] = None,
    query_tokens: Annotated[int | None, typer.Option(help="frontier, law: new text tokens; 50 for law.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="frontier, law: answer tokens; 0 for law.")] = None,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="frontier: models, families, 'all' or config.json paths; default: the family of the law."),
    ] = None,
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
    }
    given = {name for name, value in request.items() if value is not None}
    for name in sorted(given - _TAKES.get(kind, set())):
        kinds = " and ".join(f"plot {taker}" for taker, names in _TAKES.items() if name in names)
        raise InputError(f"plot {kind} takes no {name}, which is for {kinds}: leave it out")
    from planner.report import plots

    plots.picture_kind(Path(output))
    refuse_existing(Path(output), force)
    if kind == "frontier":
        if budget is None or query_tokens is None or generated_tokens is None:
            missing = [name for name in request if name not in given | {"--llms"}]
            raise InputError(f"plot frontier needs what plan needs: give {', '.join(missing)} too")
        picked = planner.plan(
            law, form=form, budget=budget, query_tokens=query_tokens, generated_tokens=generated_tokens, llms=llms
        )
        figure, shown_law = plots.frontier(picked), picked.law
    else:
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
