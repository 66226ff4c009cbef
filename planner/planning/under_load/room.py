"""Room for the KV cache of many candidates, as `planner.traffic.cache_room` has it for one.

tokens = (usable memory - weights - activations of the widest pass) / bytes of a token of running sequences
"""

from __future__ import annotations

import numpy as np

from planner.configuration import Model, Run
from planner.costs.memory import CONTEXT_BYTES, Memory, kv_bytes
from planner.hardware import Hardware
from planner.planning.deployment import Deployment
from planner.planning.under_load.mean_request import MeanRequest
from planner.planning.under_load.tabulated import FloatArray
from planner.traffic.cache_room import MEMORY_SHARE, budget_bytes, kept_sum, usable_bytes
from planner.traffic.scheduler import Scheduler
from planner.traffic.usual import Usual, usual_scheduler


def engine_of(deployment: Deployment) -> Usual:
    """The scheduler of each engine under the load, and where its constants come from."""
    card, traffic = deployment.hardware, deployment.traffic
    assert card is not None and traffic is not None
    return usual_scheduler(card, traffic.max_num_seqs, traffic.max_num_batched_tokens)


def memory_share(card: Hardware, limit_bytes: float | None) -> float:
    """Of a GPU's memory that the engine takes: vLLM's own, or what a limit leaves it beside the driver's part."""
    if limit_bytes is None:
        return MEMORY_SHARE
    return min(MEMORY_SHARE, max(limit_bytes - CONTEXT_BYTES, 1.0) / card.memory_bytes)


def kv_tokens(
    model: Model,
    run: Run,
    request: MeanRequest,
    held: Memory,
    scheduler: Scheduler,
    share: float,
    images: int,
) -> FloatArray:
    """Tokens of the KV cache that there is room for, 0 where there is none for one request.

    Args:
        model: a column of models.
        run: hardware, precision, and GPUs that share a model.
        request: to each.
        held: bytes of one request and of the weights, over (GPUs, models, visual tokens).
        scheduler: of the engine.
        share: of the memory that it takes.
        images: of the request that `held` is of.
    """
    card = run.hardware
    assert card is not None
    llm, devices = model.llm, np.asarray(run.tensor_parallel, float)
    widest = budget_bytes(llm, run, scheduler)
    if images:
        seen = np.maximum(np.asarray(model.sequence_tokens, float), np.asarray(model.beside_tokens, float))
        together = np.maximum(scheduler.max_num_batched_tokens // np.maximum(seen, 1.0), 1.0) / images
        widest = np.maximum(widest, together * np.maximum(held.encoder, held.compressor))
    room = usable_bytes(card, share) - np.asarray(held.weights) - widest
    before = request.cached_tokens + request.prompt_tokens
    steps = request.generated_tokens
    running: FloatArray | float = 0.0
    longest: FloatArray | float = 0.0
    for cache in llm.caches(devices):
        constant = cache.constant_values + cache.values_per_image_token * request.beside_tokens
        running = running + constant * steps + cache.values_per_token * kept_sum(before, steps, cache.window)
        longest = longest + constant + cache.values_per_token * cache.kept(before + steps)
    tokens = before * steps + steps * (steps - 1) / 2
    each = kv_bytes(run)
    found = room * tokens / (each * running)
    return np.where(room >= each * longest, found, 0.0)
