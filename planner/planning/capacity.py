"""capacity(): the load that one server of one configuration carries within limits, and how it runs there.

Requests come at random (Poisson), and each limit holds for a percentile of them. The rate is the highest at which all
limits hold, found over simulated requests (`planner.traffic.events`), with the same requests at every rate. In a closed
loop users wait for an answer before they ask again: the rate follows from how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.configuration import IMAGE_FIRST, Model, ReleasedModel, Run
from planner.costs.stages import Workload
from planner.hardware import Hardware, check_bf16, find_hardware, released_precision
from planner.parts.catalog import DEFAULT_COMPRESSOR, DEFAULT_CONNECTOR, DEFAULT_VISION, LLMS
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector
from planner.parts.images import ImageSize
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.capacity_result import Capacity
from planner.planning.carried import carried, in_batches
from planner.planning.comes import what_comes
from planner.planning.limits import LIMITS
from planner.planning.request import Budget, as_budget
from planner.planning.under_load.asked import CONTINUOUS, SCHEDULERS, STATIC
from planner.traffic.cache_room import MEMORY_SHARE
from planner.traffic.scheduler import IN_PROCESS, Scheduler
from planner.traffic.service import Service
from planner.traffic.usual import ASKED, CONSTANTS, Usual, usual_scheduler

_TIMES = {"ttft_s": "ttft_s", "tpot_s": "tpot_s", "request_s": "latency_s"}
"""Limits of a budget that hold for times, and what traffic calls them."""


def capacity(
    model: str | os.PathLike[str] | Llm | Model,
    hardware: str | os.PathLike[str] | Hardware,
    *,
    budget: Budget | None = None,
    concurrency: int | None = None,
    percentile: float = 95.0,
    workload: Workload | str | os.PathLike[str] | None = None,
    traffic: str | os.PathLike[str] | None = None,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    cached_tokens: int = 0,
    image: ImageSize | str | None = None,
    knobs: Mapping[str, object] | None = None,
    visual_tokens: int | None = None,
    vision: str | Tower = DEFAULT_VISION,
    compressor: str | Compressor = DEFAULT_COMPRESSOR,
    connector: str | Connector = DEFAULT_CONNECTOR,
    prompt_order: str = IMAGE_FIRST,
    precision: str | None = None,
    kv_precision: str | None = None,
    tensor_parallel: int = 1,
    scheduler: str | Scheduler = CONTINUOUS,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
    chunked_prefill: bool = True,
    encoder: str = IN_PROCESS,
    encoder_data_parallel: bool = False,
    async_scheduling: bool | None = None,
    memory_share: float = MEMORY_SHARE,
    prefix_cache_share: float = 0.0,
    image_cache_share: float = 0.0,
    seed: int = 0,
) -> Capacity:
    """The most requests per second that one server carries within limits on percentiles, and how it runs then.

    Without limits, at a concurrency: what it answers in a closed loop.

    Args:
        model: a language model of the catalogue, a released model (hub id, folder), a config.json, or a `Model`.
        hardware: name or profile of an accelerator.
        budget: limits on `ttft`, `tpot` and `latency`, as Budget(ttft="200 ms"); None with a concurrency.
        concurrency: instead of limits, so many users, each of whom waits for an answer before asking again.
        percentile: percent of the requests that keep within each limit.
        workload: the request, with all its token counts; or a file of requests, as `plan` takes it: a mix, at random.
        traffic: a log of requests with time stamps instead, as CSV or JSON Lines: they come as they came, faster or
            slower, over and over.
        query_tokens, generated_tokens, cached_tokens: instead of a workload.
        image: of a released model, width x height in pixels, such as "1024x768"; None: text alone.
        knobs: settings of its image processor, by name.
        visual_tokens: per image, of parts to build from; 0: text alone.
        vision, compressor, connector, prompt_order: of parts to build from.
        precision: of the language model's matrices; by default bf16, of a released model the dtype that its files name;
            fp16 in place of bf16 on a card that has none.
        kv_precision: of the KV cache; by default that of what is not quantised.
        tensor_parallel: GPUs that share the language model.
        scheduler: "continuous", requests join a running batch at every step; "static", batches one after the other,
            without a queue; or a `Scheduler`, in place of the six below.
        max_num_seqs: sequences that run at once; None: as a profile says that was calibrated to an engine, else vLLM's
            default for the card, as with the next.
        max_num_batched_tokens: tokens of an iteration.
        chunked_prefill: whether a prompt may take several iterations.
        encoder: "in-process", or "apart": images are encoded on a GPU of its own.
        encoder_data_parallel: whether images are dealt out to the GPUs that share the language model.
        async_scheduling: whether an iteration is filled while the one before it runs, as vLLM does on GPUs: waits are
            up to an iteration longer. None: as the engine that the hardware's profile was calibrated to, else not, as
            the time of the host that it hides is not known either.
        memory_share: of each GPU that the engine takes, vLLM's gpu_memory_utilization.
        prefix_cache_share: of requests whose system tokens are in the prefix cache.
        image_cache_share: of images that were encoded before.
        seed: of the requests that are drawn.

    Raises:
        InputError: a name, count or option that cannot be used, in one sentence.
        NothingFitsError: GPUs that cannot hold the model or a request, or a limit that one request alone breaks.
    """
    comes = what_comes(workload, traffic, query_tokens, generated_tokens, cached_tokens)
    parts = {"vision": vision, "compressor": compressor, "connector": connector, "prompt_order": prompt_order}
    found = _model(model, comes.images, image, knobs, visual_tokens, parts)
    comes = comes if found.has_images else comes.text_alone()
    run = _run(found, hardware, precision, kv_precision, tensor_parallel)
    limits = _limits(budget, concurrency)
    percentile = _percentile(percentile)
    if scheduler == STATIC:
        if concurrency is not None:
            raise InputError("concurrency: static batches have no closed loop; give limits, or scheduler='continuous'")
        if comes.count > 1:
            raise InputError("scheduler: static batches are of equal requests; give one request, or leave it out")
        return in_batches(found, comes.mean, run, limits, percentile)
    if comes.log is not None:
        _check_log(concurrency, prefix_cache_share, image_cache_share)
    engine = _engine(
        scheduler, run, max_num_seqs, max_num_batched_tokens, chunked_prefill, encoder, encoder_data_parallel,
        async_scheduling,
    )  # fmt: skip
    serving = partial(
        Service, found, run, scheduler=engine.scheduler, memory_share=memory_share,
        prefix_cache_share=prefix_cache_share, image_cache_share=image_cache_share,
    )  # fmt: skip
    if comes.longest is not None:
        serving((comes.longest,), (1.0,))  # refuses a request that a kind's mean would hide
    service = serving(comes.workloads, comes.shares)
    if "tpot_s" in limits and all(one.generated_tokens < 2 for one in comes.workloads):
        raise InputError(
            "tpot: a limit on the time of a further token needs answers of at least 2 tokens; leave it out"
        )
    return replace(carried(service, comes, limits, percentile, concurrency, seed), constants=engine.source)


def _model(
    model: str | os.PathLike[str] | Llm | Model,
    images: int,
    image: ImageSize | str | None,
    knobs: Mapping[str, object] | None,
    visual_tokens: int | None,
    parts: dict[str, Any],
) -> Model:
    """What is served, for so many images of a request: without any where nothing says what they become."""
    if visual_tokens is not None and image is not None:
        raise InputError("image and visual_tokens exclude each other: a released model makes its own visual tokens")
    if isinstance(model, Model):
        found = model
    elif image is None and (visual_tokens is not None or isinstance(model, Llm) or str(model) in LLMS):
        found = Model.of(model, visual_tokens or 0, **parts)
    elif isinstance(model, Llm):
        raise InputError(f"image: {model.name} is a language model alone; give visual_tokens= in place of it")
    else:
        seen = image if images else None
        found = ReleasedModel.of_checkpoint(model, seen, knobs=knobs, images=images)
    return found


def _check_log(concurrency: int | None, prefix_cache_share: float, image_cache_share: float) -> None:
    """Raises InputError for what contradicts a log."""
    if concurrency is not None:
        raise InputError(
            "concurrency: users of a closed loop ask when they are answered, and a log says when requests come; leave "
            "out concurrency=, or take the lengths alone of the same file, by workload="
        )
    if prefix_cache_share or image_cache_share:
        name = "prefix_cache_share" if prefix_cache_share else "image_cache_share"
        raise InputError(
            f"{name}: which of its requests find something in a cache, a log says itself, by its column cached_tokens; "
            f"leave out {name}=, or take the lengths alone of the same file, by workload="
        )


def _run(
    model: Model,
    hardware: str | os.PathLike[str] | Hardware,
    precision: str | None,
    kv_precision: str | None,
    tensor_parallel: int,
) -> Run:
    card = find_hardware(hardware)
    if isinstance(model, ReleasedModel):
        check_bf16(card, () if precision is None else (precision,))
        precision = released_precision(card, model.checkpoint.dtype) if precision is None else precision
    return Run.of(card, precision=precision, kv_precision=kv_precision, tensor_parallel=tensor_parallel)


def _engine(
    scheduler: str | Scheduler,
    run: Run,
    max_num_seqs: int | None,
    max_num_batched_tokens: int | None,
    chunked_prefill: bool,
    encoder: str,
    encoder_data_parallel: bool,
    async_scheduling: bool | None,
) -> Usual:
    """The constants of the card's profile or vLLM's for the card, but for those that are given."""
    if isinstance(scheduler, Scheduler):
        return Usual(scheduler, dict.fromkeys(CONSTANTS, ASKED))
    if scheduler != CONTINUOUS:
        raise UnknownNameError("scheduler", scheduler, SCHEDULERS)
    assert run.hardware is not None
    usual = usual_scheduler(run.hardware, max_num_seqs, max_num_batched_tokens)
    beside: dict[str, Any] = {
        "chunked_prefill": chunked_prefill,
        "encoder": encoder,
        "encoder_data_parallel": encoder_data_parallel,
    }
    if async_scheduling is not None:
        beside["async_scheduling"] = async_scheduling
    return replace(usual, scheduler=replace(usual.scheduler, **beside))


def _limits(budget: Budget | None, concurrency: int | None) -> dict[str, float]:
    """Seconds by traffic's names."""
    if (budget is None) == (concurrency is None):
        raise InputError(
            "capacity: give limits, as budget=Budget(ttft='200 ms', tpot='30 ms'), or concurrency= for a closed loop"
        )
    if budget is None:
        return {}
    budget = as_budget(budget, None)  # a bare number or text is FLOPs, or says which limit its unit is of
    others = [LIMITS.find(name).keyword for name in budget.limits if name not in _TIMES]
    if others:
        raise InputError(f"{others[0]}: no limit of a server's load; expected some of ttft, tpot and latency")
    return {_TIMES[name]: value for name, value in budget.limits.items()}


def _percentile(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 100:
        raise InputError(f"percentile: expected a number between 0 and 100, such as 95, got {shown(value)}")
    return float(value)
