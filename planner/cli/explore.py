"""The explorer: a local page."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from planner.cli.common import Json, app, json_text

PORT = 8733


@app.command()
def explore(
    port: Annotated[int, typer.Option(help="Of the page, on 127.0.0.1; 0: any that is free.")] = PORT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    law: Annotated[str | None, typer.Option(help="Shipped law to begin with, or a law file to offer too.")] = None,
    as_json: Json = False,
) -> None:
    """Open a local page with sliders where a plan follows at once; Ctrl-C ends it."""
    from planner.explore.open import open_explorer

    def started(address: str) -> None:
        if as_json:
            print(json_text({"address": address}), flush=True)
        print(f"explore at {address} (this host only); Ctrl-C ends it", file=sys.stderr, flush=True)

    open_explorer(law, port=port, browser=browser, started=started)
    print("stopped", file=sys.stderr)
