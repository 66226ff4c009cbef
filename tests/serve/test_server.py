"""A server on a socket: clients that are slow, silent or gone."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from serve.asking import chat

from planner.base.errors import InputError
from planner.serve.app import Service
from planner.serve.open import serve_model
from planner.serve.run import listen, make_server, make_service
from planner.serve.settings import Settings


@pytest.fixture(scope="module")
def served(tiny_parts: tuple[Any, Any]) -> Iterator[tuple[int, Service]]:
    """Its port, and what is behind it."""
    service = make_service(*tiny_parts, "tiny", Settings(read_timeout_s=0.5, grace_s=2.0))
    service.engine.start()
    with listen("127.0.0.1", 0) as listening:
        server = make_server(service, "127.0.0.1")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield listening.getsockname()[1], service
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
    service.close()


def test_two_requests_on_one_connection(served: tuple[int, Service]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served[0], timeout=20)
    for _ in range(2):
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(chat("x", 1)), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("server")) == (200, None)
        assert json.loads(answer.read())["usage"]["completion_tokens"] == 8
    connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /health",
    ],
)
def test_a_head_that_does_not_come_ends_the_connection(served: tuple[int, Service], sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served[0]), timeout=10) as connection:
        connection.sendall(sent)
        start = time.monotonic()
        while connection.recv(4096):
            pass
        assert time.monotonic() - start < 5


def test_a_body_that_does_not_come_is_refused(served: tuple[int, Service]) -> None:
    with socket.create_connection(("127.0.0.1", served[0]), timeout=10) as connection:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_its_stream_frees_its_place(served: tuple[int, Service]) -> None:
    port, service = served
    body = json.dumps(chat("x", 1, max_tokens=450, ignore_eos=True, stream=True))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    assert b"chat.completion.chunk" in connection.getresponse().readline()
    connection.close()
    until = time.monotonic() + 10
    while service.engine.running and time.monotonic() < until:
        time.sleep(0.01)
    assert 'finished_reason="abort"} 1' in service.metrics.text(0, 0)


def test_addresses_that_cannot_be_had(served: tuple[int, Service]) -> None:
    with pytest.raises(InputError, match=f"port {served[0]} of 127.0.0.1 is in use"):
        listen("127.0.0.1", served[0])
    with pytest.raises(InputError, match="host: expected an address or a name of this machine, got 'no such host'"):
        listen("no such host", 0)
    with pytest.raises(InputError, match="port: expected a number from 0 to 65535, got 70000"):
        serve_model("anywhere", port=70000)
    with pytest.raises(InputError, match="holds no model that vlm-planner build wrote"):
        serve_model("/nowhere", port=0)
