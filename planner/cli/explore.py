"""The explorer: a local page."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from planner.base.errors import InputError
from planner.cli.common import Json, app, json_text

PORT, PORT_MAX = 8733, 65535


@app.command()
def explore(
    port: Annotated[int, typer.Option(help="Of the page, on 127.0.0.1; 0: any that is free.")] = PORT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    law: Annotated[str | None, typer.Option(help="Shipped law to begin with, or a law file to offer too.")] = None,
    as_json: Json = False,
) -> None:
    """Open a local page with sliders where a plan follows at once; Ctrl-C ends it."""
    from planner.explore.offer import make_offer

    if not 0 <= port <= PORT_MAX:
        raise InputError(f"--port: expected a number from 0 to {PORT_MAX}, got {port}")
    offer = make_offer(law)
    try:
        from planner.explore.serving.run import listen, serve
    except ImportError as error:
        if (error.name or "").split(".")[0] == "planner":
            raise
        raise InputError(f"explore needs {error.name or 'starlette'}: pip install 'vlm-planner[app]'") from None

    def started(address: str) -> None:
        if as_json:
            print(json_text({"address": address}), flush=True)
        print(f"explore at {address} (this host only); Ctrl-C ends it", file=sys.stderr, flush=True)
        if browser:
            import webbrowser

            webbrowser.open(address)

    serve(offer, listen(port), started)
    print("stopped", file=sys.stderr)
