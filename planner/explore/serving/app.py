"""What is served: the page, its script and style, plans, picks under their load, and downloads. A fixed list of
addresses, none of which is a path of this host; nothing is uploaded, nothing is kept but the last few plans."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
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
from planner.explore.serving.worker import Worker
from planner.explore.under_load import Pictures, Simulated, as_plain, pictures_of, simulated_of
from planner.explore.view import plan_of, view_or_why
from planner.planning.result import Plan
from planner.tell.recommendation import tell
from planner.tell.render import as_text

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Planned: TypeAlias = Callable[[str], Plan]

KEPT = 8
"""Plans that are kept."""

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
        query = request.url.query
        return await plans.answer(request, lambda: JSONResponse(answer(query, offer, planned)))

    def of_load(found: Callable[[Plan], Simulated | Pictures]) -> Endpoint:
        async def load(request: Request) -> Response:
            query = request.url.query
            return await loads.answer(request, lambda: JSONResponse(load_answer(query, offer, planned, found)))

        return load

    whole, planned = page_of(offer), kept_plans(offer)
    plans, loads = Worker(), Worker()  # a plan does not wait for a simulation
    routes = [
        Route("/", page, methods=["GET"]),
        Route("/plan", plan, methods=["GET"]),
        Route("/load", of_load(simulated_of), methods=["GET"]),
        Route("/load-pictures", of_load(pictures_of), methods=["GET"]),
        *[
            Route(f"/{path}", _download(offer, planned, loads, *download), methods=["GET"])
            for path, download in DOWNLOADS.items()
        ],
        *[Route(f"/{name}", _asset(name, kind), methods=["GET"]) for name, kind in ASSETS.items()],
    ]
    return Guard(Starlette(routes=routes), port)


def kept_plans(offer: Offer) -> Planned:
    """Link -> plan, the last few kept: what follows of a plan is asked for after it. Raises PlannerError."""

    @lru_cache(KEPT)
    def planned(link: str) -> Plan:
        return plan_of(read_link(link, offer)[0], offer)

    return planned


def answer(query: str, offer: Offer, planned: Planned | None = None) -> dict[str, Any]:
    """All that the page needs of a query string."""
    start = time.perf_counter()
    state, complaints = read_link(query, offer)
    link = write_link(state, offer)
    view = view_or_why(lambda: (planned or kept_plans(offer))(link))
    return {
        "complaints": complaints,
        "link": link,
        "command": command_of(state, offer),
        "texts": texts_of(state, offer),
        "load": state.load,
        "carries_load": state.carries_load and not view.message,
        "numbers": {name: value for name, value in vars(state).items() if isinstance(value, int | float)}
        | dict(state.limits),
        "view": view.to_dict(),
        "computed_in_s": time.perf_counter() - start,
    }


def load_answer(
    query: str, offer: Offer, planned: Planned, found: Callable[[Plan], Simulated | Pictures]
) -> dict[str, Any]:
    """What is asked of the pick of a query string under its load; a message where there is none."""
    start, link = time.perf_counter(), write_link(read_link(query, offer)[0], offer)
    try:
        told = as_plain(found(planned(link)))
    except PlannerError as error:
        return {"link": link, "message": str(error)}
    return {"link": link, "message": "", "computed_in_s": time.perf_counter() - start, **told}


def _asset(name: str, kind: str) -> Endpoint:
    content = resources.files("planner.explore").joinpath("page", name).read_bytes()

    async def asset(_: Request) -> Response:
        return Response(content, media_type=kind)

    return asset


def _download(
    offer: Offer, planned: Planned, worker: Worker, name: str, kind: str, make: Callable[[Plan], str]
) -> Endpoint:
    """A file of the plan of a link; none for a link that cannot be read in full: it would be that of another plan."""

    async def download(request: Request) -> Response:
        state, complaints = read_link(request.url.query, offer)
        if complaints:
            return PlainTextResponse("\n".join(complaints) + "\n", 400)
        return await worker.answer(request, lambda: made(write_link(state, offer)))

    def made(link: str) -> Response:
        try:
            content = make(planned(link))
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
