"""What published results plans can rest on: evidence."""

from __future__ import annotations

from typing import Annotated

import typer

import planner
from planner.cli.common import Json, app, json_text, show_story


@app.command()
def evidence(
    task: Annotated[
        str | None, typer.Option(help="One task alone, as docvqa; or a class: text, general, knowledge, localisation.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the published results that plans with --task rest on: studies, tasks, models, compressors, sources."""
    found = planner.evidence(task)
    if as_json:
        print(json_text(found.to_dict()))
        return
    from planner.tell.evidence import evidence_story

    show_story(evidence_story(found))
