"""Who may ask: this host's own browser, on this page. Everybody else is refused before anything is computed.

The socket listens on 127.0.0.1 only. A page elsewhere could still make a browser here send requests (a forged form, or
a name of its own that it rebinds to 127.0.0.1), so a request must name this host and this port, and must not come from
another site. A link that is followed from another site is allowed: it loads the page, as if it had been typed.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
QUERY_MAX = 4000
"""Characters of a query string."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer: only this page's own script and style run, nothing is fetched from elsewhere, nothing is kept."""


class Guard:
    """The application behind a check of each request, with `HEADERS` on each answer."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{host}:{port}" for host in HOSTS} | ({*HOSTS} if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websocket, no lifespan

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        refused = self.refusal(scope)
        answer = self.app if refused is None else PlainTextResponse(refused[1] + "\n", refused[0])
        await answer(scope, receive, guarded)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason, None for a request that may pass."""
        named = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if len(named) != 1 or named[0] not in self.hosts:
            return 421, "this page is served to this host only: open it as http://127.0.0.1 with its port"
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "this page takes no data: only GET"
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.hosts}:
            return 403, "asked by a page of another site"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _followed(scope["path"], headers):
            return 403, "asked by a page of another site"
        if len(scope.get("query_string", b"")) > QUERY_MAX:
            return 414, f"the link is longer than {QUERY_MAX} characters"
        return None


def _followed(path: str, headers: Mapping[str, str]) -> bool:
    """Whether it is a link to the page itself that somebody follows."""
    return path == "/" and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
