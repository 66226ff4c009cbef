"""Listening: a socket, a model behind it, until the server is asked to stop."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.serve.app import Service
from planner.serve.engine import Engine
from planner.serve.guard import Guard
from planner.serve.metrics import Metrics
from planner.serve.prepare import Preparer
from planner.serve.protocol import limited
from planner.serve.settings import Settings
from planner.vlm.build import DTYPES, default_device, read_device, read_dtype
from planner.vlm.saving import load_model

CONNECTIONS_MAX = 1000


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes one that is free. Raises InputError for an address that cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise InputError(f"host: expected an address or a name of this machine, got {shown(host)}") from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise InputError(f"port {port} of {host} {reason}; name another, or 0 for one that is free") from None
    return listening


def load_service(
    folder: str | Path, *, name: str | None = None, device: str | None = None, dtype: str | None = None,
    settings: Settings | None = None,
) -> Service:  # fmt: skip
    """A saved model behind the addresses of the API; its engine is not started.

    Raises:
        InputError: no model in the folder, or no such device.
    """
    place = read_device(device or default_device())
    kind = read_dtype(dtype or ("fp32" if place.type == "cpu" else "bf16"))
    model, processor = load_model(folder, place, kind)
    name = name or Path(folder).resolve().name
    return make_service(model, processor, name, settings)


def make_service(model: Any, processor: Any, name: str, settings: Settings | None = None) -> Service:
    """A loaded model behind the addresses of the API; its engine is not started."""
    settings = settings or Settings()
    kind = next((short for short, one in DTYPES.items() if one == model.dtype), str(model.dtype))
    facts = {"model": name, "device": str(model.device), "dtype": kind}
    engine = Engine(model, processor, settings, Metrics(name))
    return Service(engine, Preparer(processor, model.config, settings), name, facts)


def make_server(service: Service, host: str, allowed: Sequence[str] = ()) -> uvicorn.Server:
    """The web server of a service."""
    config = uvicorn.Config(
        Guard(service.app(), host, allowed),
        loop="asyncio",
        http=limited(service.settings.read_timeout_s),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,  # what is asked is nobody's business
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(round(service.settings.read_timeout_s), 1),
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=max(round(service.settings.grace_s), 1),
    )
    return uvicorn.Server(config)


def serve(
    service: Service, listening: socket.socket, host: str, allowed: Sequence[str], started: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C or a SIGTERM, then let requests under way end; `started` gets the address."""
    shown_host = f"[{host}]" if ":" in host else host
    server = make_server(service, host, allowed)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)  # after uvicorn has wound up, it sends the signal on
    with listening:
        service.engine.start()
        try:
            started(f"http://{shown_host}:{listening.getsockname()[1]}")
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            return
        finally:
            service.close()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
