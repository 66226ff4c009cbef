"""Serving a model, once what it needs is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.serve.settings import Settings

HOST, PORT, PORT_MAX = "127.0.0.1", 8000, 65535


def serve_model(
    folder: str | os.PathLike[str],
    *,
    host: str = HOST,
    port: int = PORT,
    device: str | None = None,
    dtype: str | None = None,
    name: str | None = None,
    allowed_hosts: Sequence[str] = (),
    settings: Settings | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve a built model to clients that speak OpenAI's API, until it is interrupted (Ctrl-C).

    Args:
        folder: that `vlm-planner build` wrote.
        host: address to listen on; by default this host alone.
        port: 0 takes any that is free.
        device: cpu, cuda or cuda:1; by default a GPU where there is one.
        dtype: bf16, fp16 or fp32; by default fp32 on a CPU, else bf16.
        name: that clients ask for; by default the folder's.
        allowed_hosts: names under which clients may address the server beside its own.
        settings: limits of batch, queue, tokens, images and time.
        started: told the address once requests are answered.

    Raises:
        InputError: no model in the folder, an address that cannot be had, or packages are missing.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= PORT_MAX:
        raise InputError(f"port: expected a number from 0 to {PORT_MAX}, got {shown(port)}")
    try:
        from planner.serve.run import listen, load_service, serve
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "planner":
            raise
        extra = "app" if missing in ("starlette", "uvicorn", "h11") else "vlm"
        raise InputError(f"serve needs {missing or 'torch'}: pip install 'vlm-planner[vlm,app]' ([{extra}])") from None
    listening = listen(host, port)
    try:
        service = load_service(os.fspath(folder), name=name, device=device, dtype=dtype, settings=settings)
    except BaseException:
        listening.close()
        raise
    serve(service, listening, host, allowed_hosts, started or (lambda _: None))
