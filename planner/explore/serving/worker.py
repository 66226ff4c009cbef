"""Computing beside the event loop, one request at a time; those that nobody waits for any more are passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import Response

GONE = 499
"""Status of a request whose page asked for something newer; nobody reads it."""


class Worker:
    """A thread that answers requests in their order."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._turn = asyncio.Lock()

    async def answer(self, request: Request, compute: Callable[[], Response]) -> Response:
        """What `compute` gives, in the thread; nothing is computed where the page has hung up meanwhile."""
        await request.body()  # what comes after it is that the page has hung up
        async with self._turn:
            if await request.is_disconnected():
                return Response(status_code=GONE)
            return await asyncio.get_running_loop().run_in_executor(self._thread, compute)
