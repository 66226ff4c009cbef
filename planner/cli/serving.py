"""The server of a built model."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from planner.cli.common import Json, app, json_text
from planner.cli.running import needs_torch


@app.command()
def serve(
    model: Annotated[str, typer.Argument(help="Folder that build wrote.")],
    host: Annotated[str, typer.Option(help="Address to listen on; by default this host alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.")] = 8000,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1; default: a GPU where there is one.")] = None,
    dtype: Annotated[str | None, typer.Option(help="bf16, fp16 or fp32; default: fp32 on a CPU, else bf16.")] = None,
    name: Annotated[str | None, typer.Option(help="That clients ask for; default: the folder's.")] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name of this machine under which clients may ask; may be repeated.")
    ] = None,
    max_batch: Annotated[int, typer.Option(help="Requests answered at the same time.")] = 8,
    max_queue: Annotated[int, typer.Option(help="Requests that may wait; one more gets status 429.")] = 64,
    max_tokens: Annotated[int, typer.Option(help="Tokens of an answer, at most.")] = 4096,
    max_prompt_tokens: Annotated[
        int | None, typer.Option(help="Tokens of a prompt, at most; default: the model's context.")
    ] = None,
    max_images: Annotated[int, typer.Option(help="Images of a request, at most.")] = 16,
    max_pixels: Annotated[int, typer.Option(help="Pixels of an image, at most, before it is decoded.")] = 2**24,
    max_body_bytes: Annotated[int, typer.Option(help="Bytes of a request, at most.")] = 64 * 2**20,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds of a request, waiting included.")] = 600.0,
    grace_s: Annotated[float, typer.Option("--grace", help="Seconds for requests under way after Ctrl-C.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Serve a built model to clients that speak OpenAI's API (chat completions with images); Ctrl-C ends it."""
    from planner.serve import Settings, serve_model

    settings = Settings(
        max_batch=max_batch,
        max_queue=max_queue,
        max_tokens=max_tokens,
        max_prompt_tokens=max_prompt_tokens,
        max_images=max_images,
        max_pixels=max_pixels,
        max_body_bytes=max_body_bytes,
        timeout_s=timeout_s,
        grace_s=grace_s,
    )
    with needs_torch("serve"):
        import torch  # noqa: F401

    def started(address: str) -> None:
        if as_json:
            print(json_text({"address": address, "model": model}), flush=True)
        print(f"serving {model} at {address}/v1; Ctrl-C ends it", file=sys.stderr, flush=True)

    print(f"loading {model}", file=sys.stderr, flush=True)
    serve_model(
        model,
        host=host,
        port=port,
        device=device,
        dtype=dtype,
        name=name,
        allowed_hosts=allowed_host or (),
        settings=settings,
        started=started,
    )
    print("stopped", file=sys.stderr)
