"""A page that is really served, on a free port of this host."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from planner.explore.offer import Offer, make_offer


@pytest.fixture(scope="session")
def offer() -> Offer:
    return make_offer()


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[..., Reply]


@pytest.fixture(scope="session")
def port(offer: Offer) -> Iterator[int]:
    """A server in a thread."""
    pytest.importorskip("uvicorn", reason="needs the extra [app]")
    from planner.explore.serving.run import listen, make_server

    with listen(0) as listening:
        server = make_server(offer, listening)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def ask(port: int) -> Ask:
    """Send a request as it stands, also one that no browser would send."""

    def send(path: str, method: str = "GET", headers: dict[str, str] | None = None, body: Any = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            given = {"Host": f"127.0.0.1:{port}"} | (headers or {})
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(reply.status, found, reply.read())
        finally:
            connection.close()

    return send
