"""Who may ask. A page of another site could make a browser here send requests, directly or under a name of its own that
it points at this host: so a request must name this host as its user does, and must not come from another site.

A name can be pointed at any address, an address cannot: where the server listens on more than this host, any address
may be named, but names only if they are this host's or were allowed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.serve.refusal import Refused

LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
QUERY_MAX = 2000
"""Characters of a query string, which nothing here reads."""


class Guard:
    """The application behind a check of each request."""

    def __init__(self, app: ASGIApp, host: str, allowed: Sequence[str] = ()) -> None:
        self.app = app
        self.names = {*LOOPBACK, host.lower(), *(name.lower() for name in allowed)}
        self.any_address = not _is_loopback(host)
        if self.any_address:
            self.names.add(socket.gethostname().lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websocket, no lifespan

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        refused = self.refusal(scope)
        answer = self.app if refused is None else JSONResponse(refused.to_dict(), refused.status)
        await answer(scope, receive, guarded)

    def refusal(self, scope: Scope) -> Refused | None:
        """Why a request is not passed on; None for one that is."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        hosts = headers.get("host", [])
        if len(hosts) != 1 or not self._known(f"http://{hosts[0]}"):
            return Refused(
                "this server answers to its own name only: ask it as http://127.0.0.1 with its port, or start it with "
                "--allowed-host NAME",
                421,
            )
        if any(not self._known(origin) for origin in headers.get("origin", ())):
            return Refused("asked by a page of another site", 403)
        if any(value in ("cross-site", "same-site") for value in headers.get("sec-fetch-site", ())):
            return Refused("asked by a page of another site", 403)
        if len(scope.get("query_string", b"")) > QUERY_MAX:
            return Refused(f"the address is longer than {QUERY_MAX} characters", 414)
        return None

    def _known(self, url: str) -> bool:
        """Whether the host of a URL is this one."""
        try:
            split = urlsplit(url)
            host = split.hostname
            split.port  # noqa: B018 - raises where it is no number
        except ValueError:
            return False
        if split.scheme not in ("http", "https") or host is None or split.username is not None or split.path:
            return False
        return host in self.names or (self.any_address and _is_address(host))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
