"""The verb on the load that a server carries: capacity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import planner
from planner.base.errors import InputError
from planner.base.files import refuse_existing
from planner.cli.common import (
    CachedTokens,
    Connector,
    Force,
    IterationTokens,
    Json,
    Seats,
    SystemTokens,
    app,
    json_text,
    parse_seed,
    parse_share,
    request_of,
    show_story,
)
from planner.cli.costs import (
    Compressor,
    Image,
    Knobs,
    LlmConfig,
    MaybeVisualTokens,
    Model_,
    PromptOrder,
    Vision,
    is_released,
    one_name,
    parse_knobs,
    refuse_parts,
)
from planner.cli.limits import read_limit
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION
from planner.planning.limits import LIMITS
from planner.traffic.cache_room import MEMORY_SHARE


@app.command()
def capacity(
    hardware: Annotated[str, typer.Option(help="Card or profile (.json).")],
    model: Model_ = None,
    query_tokens: Annotated[int | None, typer.Option(help="New text tokens of a request.")] = None,
    generated_tokens: Annotated[int | None, typer.Option(help="Answer tokens of a request.")] = None,
    workload: Annotated[str | None, typer.Option(help="CSV of requests instead: a mix that comes at random.")] = None,
    traffic: Annotated[
        str | None,
        typer.Option(
            help="Log of requests with time stamps instead, CSV or JSON Lines, faster or slower than they came."
        ),
    ] = None,
    image: Image = None,
    knob: Knobs = None,
    visual_tokens: MaybeVisualTokens = None,
    llm_config: LlmConfig = None,
    images: Annotated[int, typer.Option(help="Images per request; 0: text alone.")] = 1,
    cached_tokens: CachedTokens = 0,
    system_tokens: SystemTokens = 0,
    ttft: Annotated[str | None, typer.Option(help="Time to first token, at most: 200ms.")] = None,
    tpot: Annotated[str | None, typer.Option(help="Time per output token, at most: 30ms.")] = None,
    latency: Annotated[str | None, typer.Option(help="Time of a whole request, at most: 5s.")] = None,
    percentile: Annotated[float, typer.Option(help="Of requests that keep each limit.")] = 95.0,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Instead of limits: so many users, each of whom waits for an answer before asking again."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of the LLM; default: bf16, or a released model's own; on a T4 fp16.")
    ] = None,
    kv_precision: Annotated[str | None, typer.Option(help="Of the KV cache; default 16 bits.")] = None,
    tensor_parallel: Annotated[int, typer.Option(help="GPUs that share the LLM.")] = 1,
    scheduler: Annotated[
        str, typer.Option(help="continuous: requests join at every step; static: batches one after the other.")
    ] = "continuous",
    max_num_seqs: Seats = None,
    max_num_batched_tokens: IterationTokens = None,
    chunked_prefill: Annotated[bool, typer.Option(help="Whether a prompt may take several iterations.")] = True,
    encoder: Annotated[str, typer.Option(help="Of images: in-process, or apart on a GPU of its own.")] = "in-process",
    encoder_data_parallel: Annotated[
        bool, typer.Option("--encoder-data-parallel", help="Deal images out to the GPUs that share the LLM.")
    ] = False,
    async_scheduling: Annotated[
        bool | None,
        typer.Option(
            help="Whether an iteration is filled while another runs; default: as a calibrated profile has it."
        ),
    ] = None,
    memory_share: Annotated[
        float,
        typer.Option("--gpu-memory-utilization", help="Share of the memory that the engine takes; default: vLLM's."),
    ] = MEMORY_SHARE,
    prefix_cache_share: Annotated[
        str,
        typer.Option("--prefix-cache", help="Share of requests whose system tokens are in the prefix cache, as 90%."),
    ] = "0",
    image_cache_share: Annotated[
        str, typer.Option("--image-cache", help="Share of images that were encoded before, as 20%.")
    ] = "0",
    vision: Vision = DEFAULT_VISION,
    compressor: Compressor = DEFAULT_COMPRESSOR,
    connector: Connector = DEFAULT_CONNECTOR,
    prompt_order: PromptOrder = "image-first",
    seed: Annotated[int, typer.Option(help="Of the requests that are drawn.")] = 0,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw TTFT and throughput against the rate: a .png, .svg or .pdf file."),
    ] = None,
    timeline: Annotated[
        Path | None,
        typer.Option(help="Draw a second of the engine, iteration by iteration: a .png, .svg or .pdf file."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """The most requests per second that one server carries within limits on percentiles, and how it runs then."""
    pictures = {name: path for name, path in (("load", plot), ("timeline", timeline)) if path is not None}
    if pictures:
        from planner.tell import plots  # only who wants a picture loads matplotlib

        for path in pictures.values():
            plots.picture_kind(path)
            refuse_existing(path, force)
    alone = (traffic or workload) is not None and images == 0  # of a file, whatever images it has
    asked = request_of(
        traffic, workload, query_tokens, generated_tokens, cached_tokens, system_tokens, 1 if alone else images
    )
    load = asked if isinstance(asked, planner.Workload) else planner.Workload(1, 1, images=images)
    typed = [(LIMITS.find(name), text) for name, text in (("ttft_s", ttft), ("tpot_s", tpot), ("request_s", latency))]
    limits = {kind.name: read_limit(kind, text, kind.option) for kind, text in typed if text is not None}
    if not limits and concurrency is None:
        raise InputError("what is to hold? give --ttft, --tpot or --latency, or --concurrency for a closed loop")
    if limits and concurrency is not None:
        raise InputError("--concurrency: a closed loop has no limits; leave out --ttft, --tpot and --latency")
    parts: dict[str, Any] = {
        "vision": vision,
        "compressor": compressor,
        "connector": connector,
        "prompt_order": prompt_order,
    }
    name = one_name(model, llm_config)
    if is_released(name, image, visual_tokens, knob, load):
        refuse_parts(parts)
        parts = {"image": None if alone else image, "knobs": parse_knobs(knob)}
    else:
        parts |= {"visual_tokens": 0 if alone else visual_tokens or 0}
    found = planner.capacity(
        name,
        hardware,
        budget=planner.Budget(limits=limits) if limits else None,
        concurrency=concurrency,
        percentile=percentile,
        workload=asked,
        traffic=traffic,
        precision=precision,
        kv_precision=kv_precision,
        tensor_parallel=tensor_parallel,
        scheduler=scheduler,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        chunked_prefill=chunked_prefill,
        encoder=encoder,
        encoder_data_parallel=encoder_data_parallel,
        async_scheduling=async_scheduling,
        memory_share=memory_share,
        prefix_cache_share=parse_share(prefix_cache_share, "--prefix-cache", 1.0),
        image_cache_share=parse_share(image_cache_share, "--image-cache", 1.0),
        seed=parse_seed(seed),
        **parts,
    )
    for draw, path in pictures.items():
        plots.save(getattr(plots, draw)(found), path, overwrite=force)
        print(f"wrote {path}", file=sys.stderr)
    if as_json:
        print(json_text(found.to_dict()))
        return
    from planner.tell.capacity import capacity_story

    show_story(capacity_story(found, picture=True))
