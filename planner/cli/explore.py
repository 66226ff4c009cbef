"""The explorer: a local page."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from planner.base.errors import InputError
from planner.cli.common import Json, app, json_text

PORT = 8733


@app.command()
def explore(
    port: Annotated[int, typer.Option(help="Of the page, on 127.0.0.1; 0: any that is free.")] = PORT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    law: Annotated[str | None, typer.Option(help="Shipped law to begin with, or a law file to offer too.")] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="By published results of a task, as docvqa, or of an unmeasured one by its class; --law adds runs."
        ),
    ] = None,
    mix: Annotated[
        str | None, typer.Option(help="By a mix of laws and tasks instead, as docvqa=.5,gqa=.5 or reasoning=.7,ocr=.3.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Refused: the page plans what to train; plan --models does this.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Open a local page with sliders where a plan of what to train follows at once; Ctrl-C ends it."""
    if models is not None:
        raise InputError(
            f"--models {models}: the page plans what to train; vlm-planner plan --models {models} chooses among "
            "released models"
        )
    from planner.explore.open import open_explorer

    if mix is not None:
        from planner.cli.mixes import say_shares

        say_shares(mix)

    def started(address: str) -> None:
        if as_json:
            print(json_text({"address": address}), flush=True)
        print(f"explore at {address} (this host only); Ctrl-C ends it", file=sys.stderr, flush=True)

    open_explorer(law, task=task, mix=mix, port=port, browser=browser, started=started)
    print("stopped", file=sys.stderr)
