"""The addresses: models, chat completions, health, metrics. Nothing here runs the model or reads an image: prompts are
prepared in one thread, answers are made in another, and the event loop passes on what they tell."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from planner.serve.answers import DONE, Answering, event, model_card
from planner.serve.chat import Chat, read_chat
from planner.serve.engine import Engine
from planner.serve.job import Done, Event, Job, Piece
from planner.serve.metrics import CONTENT_TYPE
from planner.serve.prepare import Preparer
from planner.serve.refusal import SERVER, Refused, failed, timed_out


class Service:
    """A model that is served under a name."""

    def __init__(self, engine: Engine, preparer: Preparer, name: str, facts: dict[str, Any]) -> None:
        self.engine, self.preparer, self.name, self.facts = engine, preparer, name, facts
        self.settings, self.metrics = engine.settings, engine.metrics
        self.created = int(time.time())
        self._entering: set[_Entry] = set()
        self._pool = ThreadPoolExecutor(1, "prompts")

    @property
    def waiting(self) -> int:
        """Requests that are being read or wait for a place."""
        return len(self._entering) + self.engine.waiting

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/v1/models", self.models, methods=["GET"]),
                Route("/v1/models/{name:path}", self.model, methods=["GET"]),
                Route("/v1/chat/completions", self.completions, methods=["POST"]),
                Route("/health", self.health, methods=["GET"]),
                Route("/metrics", self.told_metrics, methods=["GET"]),
            ],
            exception_handlers={Refused: self._refused, HTTPException: _no_such_address, Exception: self._refused},
        )

    def close(self) -> None:
        """End both threads."""
        self.engine.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # ---- addresses -----------------------------------------------------------------------------------------------

    async def models(self, _: Request) -> Response:
        """What can be asked."""
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def model(self, request: Request) -> Response:
        """The model by its name."""
        self._check_name(request.path_params["name"])
        return JSONResponse(self._card())

    async def health(self, _: Request) -> Response:
        """Whether requests are answered."""
        status = "ready" if self.engine.alive else "stopped"
        content = {"status": status, **self.facts, "running": self.engine.running, "waiting": self.waiting}
        return JSONResponse(content, 200 if self.engine.alive else 503)

    async def told_metrics(self, _: Request) -> Response:
        """For Prometheus."""
        return Response(self.metrics.text(self.engine.running, self.waiting), headers={"content-type": CONTENT_TYPE})

    async def completions(self, request: Request) -> Response:
        """One answer, whole or as a stream."""
        arrived_s = time.perf_counter()
        chat = read_chat(await self._json(request))
        self._check_name(chat.model)
        if not self.engine.alive:
            raise Refused("the server is stopping", 503, kind=SERVER)
        if self.waiting + self.engine.running >= self.settings.max_queue + self.engine.places:
            raise self._full()
        entry = _Entry(self._entering)
        try:
            return await _while_connected(request, self._answer(chat, arrived_s, entry))
        finally:
            entry.leave()

    # ---- one answer ----------------------------------------------------------------------------------------------

    async def _answer(self, chat: Chat, arrived_s: float, entry: _Entry) -> Response:
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[Event] = asyncio.Queue()

        def tell(one: Event) -> None:  # by the model's thread
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(told.put_nowait, one)

        try:
            async with asyncio.timeout(self.settings.timeout_s):
                prepared = await loop.run_in_executor(self._pool, self.preparer, chat)
        except TimeoutError:
            raise timed_out(self.settings.timeout_s) from None
        job = Job(prepared, arrived_s, self.settings.timeout_s, tell, self.metrics)
        self.engine.submit(job)
        entry.leave()
        answering = Answering(self.name, prepared.prompt_tokens, chat.include_usage, chat.usage_always)
        try:
            first = await told.get()
            if isinstance(first, Refused):
                raise first
            if chat.stream:
                return Stream(_events(answering, first, told), job, self.settings.send_timeout_s)
            return await _whole(answering, first, told)
        except BaseException:
            job.cancel()  # nobody reads what would come
            raise

    async def _json(self, request: Request) -> Any:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(f"expected the content type application/json, got {kind[:80] or 'none'}", 415)
        most = self.settings.max_body_bytes
        too_large = Refused(f"the request is larger than {most} bytes; send smaller images", 413)
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or len(length) > 18 or int(length) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.settings.read_timeout_s):
                async for part in request.stream():
                    body += part
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            raise Refused("the request's body did not come in time", 408, headers={"Connection": "close"}) from None
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise Refused("We could not parse the JSON body of your request.") from None

    def _check_name(self, name: str) -> None:
        if name != self.name:
            raise Refused(
                f"The model `{name[:80]}` does not exist; this server has `{self.name}`",
                404,
                param="model",
                code="model_not_found",
            )

    def _card(self) -> dict[str, Any]:
        return model_card(self.name, self.created, self.preparer.context)

    def _full(self) -> Refused:
        """With when to come back: once the queue has moved on by a place, as fast as it did so far."""
        seconds = (self.metrics.mean_request_s or 1.0) / self.engine.places
        return Refused(
            f"{self.waiting} requests wait already: ask again later",
            429,
            code="rate_limit_exceeded",
            kind="rate_limit_error",
            headers={"Retry-After": str(min(max(math.ceil(seconds), 1), 60))},
        )

    async def _refused(self, _: Request, error: Exception) -> Response:
        refused = error if isinstance(error, Refused) else failed(error)
        self.metrics.refused(refused.status)
        return JSONResponse(refused.to_dict(), refused.status, refused.headers)


class _Entry:
    """A request that was let in and has not reached the model's thread."""

    def __init__(self, entering: set[_Entry]) -> None:
        self._entering = entering
        entering.add(self)

    def leave(self) -> None:
        """It has, or never will. May be called twice."""
        self._entering.discard(self)


async def _no_such_address(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    text = f"Unknown request URL: {request.method} {request.url.path[:200]}; see /v1/models and /v1/chat/completions"
    return JSONResponse(Refused(text, status, code="unknown_url").to_dict(), status)


async def _whole(answering: Answering, first: Event, told: asyncio.Queue[Event]) -> Response:
    text, one = "", first
    while isinstance(one, Piece):
        text += one.text
        one = await told.get()
    if isinstance(one, Refused):
        raise one
    return JSONResponse(answering.whole(text, one.reason, one.generated_tokens))


async def _events(answering: Answering, first: Event, told: asyncio.Queue[Event]) -> AsyncIterator[bytes]:
    yield answering.opening()
    one = first
    while isinstance(one, Piece):
        yield answering.piece(one.text, one.generated_tokens)
        one = await told.get()
    if isinstance(one, Done):
        yield answering.closing(one.reason, one.generated_tokens)
    else:
        yield event(one.to_dict()) + DONE


class Stream(Response):
    """Server-sent events, until they end or nobody takes them; then the request is cancelled."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], job: Job, send_timeout_s: float) -> None:
        self.status_code, self.background = 200, None
        self.init_headers({"X-Accel-Buffering": "no"})
        self._events, self._job, self._send_timeout_s = events, job, send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                with contextlib.suppress(TimeoutError):
                    sending.result()
        finally:
            self._job.cancel()
            sending.cancel()
            gone.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for one in self._events:
            async with asyncio.timeout(self._send_timeout_s):
                await send({"type": "http.response.body", "body": one, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _while_connected(request: Request, answer: Awaitable[Response]) -> Response:
    """The answer, or nothing once the client has gone: what makes it is cancelled then."""
    making = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_disconnected(request.receive))
    try:
        await asyncio.wait((making, gone), return_when=asyncio.FIRST_COMPLETED)
        return making.result() if making.done() else Response(status_code=499)  # which nobody reads
    finally:
        making.cancel()
        gone.cancel()
        await asyncio.gather(making, gone, return_exceptions=True)


async def _disconnected(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
