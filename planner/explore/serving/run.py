"""Listening: one socket on 127.0.0.1, until it is stopped."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn

from planner.base.errors import InputError
from planner.explore.offer import Offer
from planner.explore.serving.app import make_app
from planner.explore.settings import fresh_state
from planner.explore.view import view_of

HOST = "127.0.0.1"
"""Nowhere else: the page is for this host's user."""


def listen(port: int) -> socket.socket:
    """A listening socket; port 0 takes one that is free. Raises InputError for a port that cannot be had."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else an answer waits 40 ms for the head's receipt
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
    try:
        listening.bind((HOST, port))
        listening.listen(64)
    except OSError as error:
        listening.close()
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise InputError(f"port {port} {reason}; name another with --port, or --port 0 for one that is free") from None
    return listening


def make_server(offer: Offer, listening: socket.socket) -> uvicorn.Server:
    """The server of a page on a listening socket."""
    config = uvicorn.Config(
        make_app(offer, listening.getsockname()[1]),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def serve(offer: Offer, listening: socket.socket, started: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `started` gets the address once connections are taken up."""
    with listening:
        view_of(fresh_state(offer), offer)  # what is known of the law is worked out once, before anybody waits for it
        started(f"http://{HOST}:{listening.getsockname()[1]}/")
        try:
            make_server(offer, listening).run(sockets=[listening])
        except KeyboardInterrupt:
            return
