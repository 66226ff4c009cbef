"""Opening the explorer: a local page with sliders."""

from __future__ import annotations

from collections.abc import Callable

from planner.base.errors import InputError
from planner.explore.offer import make_offer

PORT, PORT_MAX = 8733, 65535


def open_explorer(
    law: str | None = None,
    *,
    task: str | None = None,
    mix: str | None = None,
    port: int = PORT,
    browser: bool = True,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve the explorer on 127.0.0.1 until it is interrupted (Ctrl-C): sliders, and a plan that follows at once.

    Args:
        law: shipped law to begin with, or the path of a law file to offer too.
        task: by published results of a task, as "docvqa", or of a class of tasks; with `law` as `plan` takes both.
        mix: by a mix of laws and tasks instead, as "docvqa=.5,gqa=.5".
        port: of the page; 0 takes any that is free.
        browser: whether to open the page in the browser.
        started: told the address once the page is served.

    Raises:
        InputError: a port that cannot be used, a law that cannot be read, or starlette and uvicorn are missing.
        UnknownNameError: the evidence holds no such task.
    """
    if not 0 <= port <= PORT_MAX:
        raise InputError(f"port: expected a number from 0 to {PORT_MAX}, got {port}")
    offer = make_offer(law, task=task, mix=mix)
    try:
        from planner.explore.serving.run import listen, serve
    except ImportError as error:
        if (error.name or "").split(".")[0] == "planner":
            raise
        raise InputError(f"explore needs {error.name or 'starlette'}: pip install 'vlm-planner[app]'") from None

    def ready(address: str) -> None:
        if started is not None:
            started(address)
        if browser:
            import webbrowser

            webbrowser.open(address)

    serve(offer, listen(port), ready)
