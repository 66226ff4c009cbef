"""What is served: the page, its script and style, plans, and downloads. A fixed list of addresses, none of which is a
path of this host; nothing is uploaded, nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from planner.base.errors import PlannerError
from planner.base.files import file_text
from planner.explore.controls import page_of
from planner.explore.link import command_of, read_link, texts_of, write_link
from planner.explore.offer import Offer
from planner.explore.serving.guard import Guard
from planner.explore.view import plan_of, view_of
from planner.planning.result import Plan
from planner.tell.recommendation import tell
from planner.tell.render import as_text

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

ASSETS = {
    "app.js": "text/javascript",
    "chart.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}


def make_app(offer: Offer, port: int) -> Guard:
    """The application, for requests to this host and port only."""

    async def page(_: Request) -> Response:
        return Response(whole, media_type="text/html")

    async def plan(request: Request) -> Response:
        return JSONResponse(answer(request.url.query, offer))

    whole = page_of(offer)
    routes = [
        Route("/", page, methods=["GET"]),
        Route("/plan", plan, methods=["GET"]),
        *[Route(f"/{path}", _download(offer, *download), methods=["GET"]) for path, download in DOWNLOADS.items()],
        *[Route(f"/{name}", _asset(name, kind), methods=["GET"]) for name, kind in ASSETS.items()],
    ]
    return Guard(Starlette(routes=routes), port)


def answer(query: str, offer: Offer) -> dict[str, Any]:
    """All that the page needs of a query string."""
    start = time.perf_counter()
    state, complaints = read_link(query, offer)
    view = view_of(state, offer)
    return {
        "complaints": complaints,
        "link": write_link(state, offer),
        "command": command_of(state, offer),
        "texts": texts_of(state, offer),
        "numbers": {name: value for name, value in vars(state).items() if isinstance(value, int | float)}
        | dict(state.limits),
        "view": view.to_dict(),
        "computed_in_s": time.perf_counter() - start,
    }


def _asset(name: str, kind: str) -> Endpoint:
    content = resources.files("planner.explore").joinpath("page", name).read_bytes()

    async def asset(_: Request) -> Response:
        return Response(content, media_type=kind)

    return asset


def _download(offer: Offer, name: str, kind: str, make: Callable[[Plan], str]) -> Endpoint:
    """A file of the plan of a link; none for a link that cannot be read in full: it would be that of another plan."""

    async def download(request: Request) -> Response:
        state, complaints = read_link(request.url.query, offer)
        if complaints:
            return PlainTextResponse("\n".join(complaints) + "\n", 400)
        try:
            content = make(plan_of(state, offer))
        except PlannerError as error:
            return PlainTextResponse(f"{error}\n", 409)
        return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    return download


DOWNLOADS: dict[str, tuple[str, str, Callable[[Plan], str]]] = {
    "plan.json": ("vlm-plan.json", "application/json", lambda plan: file_text(plan.to_dict())),
    "recommendation.html": ("recommendation.html", "text/html", lambda plan: as_text(tell(plan), ".html")),
    "recommendation.md": ("recommendation.md", "text/markdown", lambda plan: as_text(tell(plan), ".md")),
}
"""Address -> name of the file, its type, and how it is made; in memory: no file is written here."""
