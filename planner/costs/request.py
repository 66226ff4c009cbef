"""All that one configuration costs, by names: of parts to build from, or of a released model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from planner.base.errors import InputError
from planner.configuration import IMAGE_FIRST, Model, ReleasedModel, Run, cannot_share
from planner.costs.flops import FULL, TORCH, Flops, flops
from planner.costs.latency import (
    LATENCY_SOURCES,
    ROOFLINE,
    SILICON,
    check_latency_source,
    latency,
    speed_limit_tokens,
)
from planner.costs.memory import memory
from planner.costs.result import RequestCost
from planner.costs.stages import Workload, as_workload
from planner.counting import found_or_counted
from planner.hardware import Hardware, check_bf16, find_hardware, released_precision
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector
from planner.parts.images import ImageSize
from planner.parts.llms import Llm
from planner.parts.released import Checkpoint
from planner.parts.towers import Tower
from planner.parts.walk import Number

__all__ = [
    "LATENCY_SOURCES",
    "ROOFLINE",
    "SILICON",
    "RequestCost",
    "cost_of",
    "released_cost",
    "request_cost",
    "request_flops",
]


def request_cost(
    llm: str | Path | Llm,
    visual_tokens: int,
    workload: Workload | None = None,
    *,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    cached_tokens: int = 0,
    vision: str | Tower = DEFAULT_VISION,
    compressor: str | Compressor = DEFAULT_COMPRESSOR,
    connector: str | Connector = DEFAULT_CONNECTOR,
    convention: str = FULL,
    prompt_order: str = IMAGE_FIRST,
    precision: str | None = None,
    kv_precision: str | None = None,
    batch: int = 1,
    tensor_parallel: int = 1,
    hardware: str | Path | Hardware | None = None,
    latency_source: str = ROOFLINE,
) -> RequestCost:
    """What one request costs with one configuration.

    Args:
        llm: name, config.json path or spec of one language model.
        visual_tokens: per image, a number that the compressor can make from the tower's patches; 0: no image.
        workload: the request, with all its token counts.
        query_tokens: new text tokens, instead of a workload.
        generated_tokens: answer tokens, likewise.
        cached_tokens: text tokens already in the KV cache, on top of `query_tokens`.
        vision, compressor, connector: the parts between image and language model, by name or as they are.
        convention: how FLOPs are counted.
        prompt_order: "image-first" or "text-first".
        precision: of the LLM's matrices; by default bf16, or fp16 on a card that has no bf16.
        kv_precision: of the KV cache; by default that of what is not quantised.
        batch: requests that run together.
        tensor_parallel: GPUs that share the LLM.
        hardware: a card; without one there are no times.
        latency_source: "roofline", or "silicon": measured kernels of aiconfigurator-core 0.12.0.

    Raises:
        InputError: a name, count or file that cannot be used, in one sentence.
    """
    load = as_workload(workload, query_tokens, generated_tokens, cached_tokens)
    model = Model.of(
        llm, visual_tokens, vision=vision, compressor=compressor, connector=connector, prompt_order=prompt_order
    )
    run = Run.of(hardware, precision=precision, kv_precision=kv_precision, batch=batch, tensor_parallel=tensor_parallel)
    return cost_of(model, load, run, convention=convention, latency_source=latency_source)


def released_cost(
    model: str | Path | Checkpoint,
    image: ImageSize | str | None = None,
    workload: Workload | None = None,
    *,
    knobs: Mapping[str, object] | None = None,
    count_with: str | None = None,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    cached_tokens: int = 0,
    convention: str | None = None,
    precision: str | None = None,
    kv_precision: str | None = None,
    batch: int = 1,
    tensor_parallel: int = 1,
    hardware: str | Path | Hardware | None = None,
    latency_source: str = ROOFLINE,
) -> RequestCost:
    """What one request costs with a released model.

    Args:
        model: hub id, folder or config.json of a model.
        image: width x height in pixels, such as "1024x768"; None: no image.
        workload: the request, with all its token counts.
        knobs: settings of its image processor, by name, such as {"max_pixels": 401408}.
        count_with: "transformers": an architecture that is not known here is counted by the transformers that is
            installed, on the meta device; None: it is refused.
        query_tokens, generated_tokens, cached_tokens: instead of a workload.
        convention: how FLOPs are counted; by default "full", of a counted model "torch", as it was counted.
        kv_precision, batch, tensor_parallel, hardware, latency_source: as `request_cost`.
        precision: of the LLM's matrices; by default the dtype that the model's files name, or fp16 where that is bf16
            and the card has none.

    Raises:
        InputError: a name, size, knob or file that cannot be used, bf16 on a card that has none, in one sentence.
    """
    load = as_workload(workload, query_tokens, generated_tokens, cached_tokens)
    load = load if image is not None else replace(load, images=0)
    image = image if load.images else None
    checkpoint = found_or_counted(model, count_with)
    found = ReleasedModel.of_checkpoint(checkpoint, image, knobs=knobs, images=load.images)
    card = None if hardware is None else find_hardware(hardware)
    check_bf16(card, () if precision is None else (precision,))
    run = Run.of(
        card,
        precision=released_precision(card, found.checkpoint.dtype) if precision is None else precision,
        kv_precision=kv_precision,
        batch=batch,
        tensor_parallel=tensor_parallel,
    )
    convention = convention or (TORCH if checkpoint.counted else FULL)
    if checkpoint.counted and convention == FULL:
        raise InputError(
            f"{checkpoint.name} was {checkpoint.counted}, which knows no mask of attention; expected convention='torch'"
        )
    if checkpoint.counted and latency_source == SILICON:
        raise InputError(
            f"{checkpoint.name} was {checkpoint.counted}, and no measured kernels are known to be its own; expected "
            "latency_source='roofline'"
        )
    cost = cost_of(found, load, run, convention=convention, latency_source=latency_source)
    if cost.latency is None or not checkpoint.counted:
        return cost
    sources = {stage: f"{source}, {checkpoint.counted}" for stage, source in cost.latency.sources.items()}
    return replace(cost, latency=replace(cost.latency, sources=sources))


def cost_of(
    model: Model, workload: Workload, run: Run, *, convention: str = FULL, latency_source: str = ROOFLINE
) -> RequestCost:
    """What one request costs with one model, as it runs.

    Raises:
        UnknownNameError: no such source of times.
        InputError: GPUs that cannot share the model, a precision that the card does not compute in.
    """
    check_latency_source(latency_source)
    gpus = int(run.tensor_parallel)
    if not model.llm.can_share(gpus):
        raise InputError(cannot_share(model.llm, gpus))
    found = limit = None
    if run.hardware is not None:
        if model.tokens_move_alone and model.has_images and workload.images:
            limit = int(speed_limit_tokens(model, workload, run))
        if latency_source == SILICON:
            from planner.costs.silicon import silicon_latency

            found = silicon_latency(model, workload, run)
        else:
            found = latency(model, workload, run)
    return RequestCost(
        model=model,
        run=run,
        workload=workload,
        convention=convention,
        flops=flops(model, workload, convention).at(),
        memory=memory(model, workload, run).at(),
        latency=found,
        speed_limit_tokens=limit,
    )


def request_flops(
    llm: Llm,
    visual_tokens: Number,
    workload: Workload,
    *,
    vision: Tower,
    compressor: Compressor,
    convention: str = FULL,
    prompt_order: str = IMAGE_FIRST,
) -> Flops:
    """FLOPs of one request, of parts that are given one by one; as `flops.flops` of their model.

    Args:
        llm: the language model.
        visual_tokens: per image, one number or an array.
        workload: the request.
        vision: the vision tower.
        compressor: what makes the visual tokens.
        convention: "full", "paper" or "torch".
        prompt_order: "image-first" or "text-first" (which makes the query pass free).

    Raises:
        UnknownNameError: no such convention or prompt order.
        InputError: a negative number of visual tokens.
    """
    return flops(Model(llm, vision, compressor, visual_tokens, prompt_order), workload, convention)
