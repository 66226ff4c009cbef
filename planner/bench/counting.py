"""What a model takes, counted while it runs: FLOPs by stage, bytes at the peak of a request."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from planner.bench.caches import cache_bytes, static_bytes
from planner.bench.measurement import EAGER, MemoryUse
from planner.bench.meters import Gpu, TensorBytes
from planner.bench.ranks import local
from planner.bench.runnable import Runnable
from planner.bench.stages import Stages
from planner.costs.stages import Workload
from planner.vlm import PlannerVlmForConditionalGeneration
from planner.vlm.materialise import make_shell

MEMORY_STEPS = 16
"""Decode steps of the request in which memory is watched, at most: the cache grows evenly."""


def count_flops(model: PlannerVlmForConditionalGeneration, workload: Workload) -> dict[str, int]:
    """FLOPs of one request by stage, counted while they run, on the meta device too.

    Attention runs as plain matrix products here, which FlopCounterMode sees on every device.
    """
    return flops_of(Stages(model, workload, 1))


def flops_of(stages: Runnable) -> dict[str, int]:
    """FLOPs of one request by stage; `stages` are of one request."""
    workload = stages.workload
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), _experts_by_products(stages.model):
        found = {}
        for name, task in stages.tasks().items():
            if name == "decode_step":
                continue
            task.before(1)
            with FlopCounterMode(display=False) as counter:
                task.work(0)
            found[name] = int(counter.get_total_flops())
        cache = stages.caches.at("decode", stages.tokens.cached + stages.prompt_tokens, workload.generated_tokens)
        with FlopCounterMode(display=False) as counter:
            stages.go_on(cache, workload.generated_tokens)
        found["decode"] = int(counter.get_total_flops())
    return found


@contextmanager
def _experts_by_products(model: Any) -> Iterator[None]:
    """Experts run one by one, as plain matrix products: FlopCounterMode does not see grouped ones."""
    before = model.get_experts_implementation()
    model.set_experts_implementation("eager")
    try:
        yield
    finally:
        model.set_experts_implementation(before)


def shell_of(model: PlannerVlmForConditionalGeneration) -> PlannerVlmForConditionalGeneration:
    """The same model on the meta device, where running it takes no time and no memory; not shared among devices."""
    return make_shell(copy.deepcopy(model.config), next(iter(model.language_model.parameters())).dtype).eval()


def memory_of(stages: Runnable, gpu: Gpu | None) -> MemoryUse:
    """Of one request, its answer cut short where it is long; a static cache holds all of it from the first token on."""
    model, workload = stages.model, stages.workload
    steps = min(workload.generated_tokens, MEMORY_STEPS)
    stages.encoder(0)  # makes the inputs, which are not counted
    reserved_bytes = 0
    if stages.mode == EAGER:  # nor is text that was there before counted, but for its copy in use
        stages.caches.at("request", stages.tokens.cached, 0)
    else:
        longest = int(stages.tokens.cached) + stages.prompt_tokens + workload.generated_tokens
        reserved_bytes = static_bytes(stages.begin(0), longest)
        stages.go_on(stages.begin(0), 1)
    weights = sum(part.numel() * part.element_size() for part in map(local, model.parameters()))
    device = stages.device
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        kv_cache = _run_through(stages, steps)
        torch.cuda.synchronize(device)
        peak = torch.cuda.max_memory_allocated(device) - before + weights
        reserved = torch.cuda.max_memory_reserved(device)
        given_back = reserved - torch.cuda.memory_reserved(device)
    else:
        with TensorBytes([*model.parameters(), *model.buffers(), *stages.inputs, *stages.caches.tensors]) as seen:
            kv_cache = _run_through(stages, steps)
        peak, reserved, given_back = seen.peak + weights, None, 0
    kept = workload.generated_tokens if reserved_bytes else 0
    kv_cache = reserved_bytes or kv_cache
    return MemoryUse(
        weights_bytes=weights,
        kv_cache_bytes=kv_cache,
        peak_bytes=int(peak) + reserved_bytes,
        decode_read_bytes=_decode_read_bytes(stages, kv_cache, kept),
        generated_tokens=kept or steps,
        reserved_bytes=reserved,
        driver_bytes=None if gpu is None else driver_peak_bytes(gpu.used_bytes(), given_back),
    )


def driver_peak_bytes(used_bytes: int | None, given_back_bytes: int) -> int | None:
    """Bytes in use on the card at the peak of a request.

    The driver is read after the peak (nvmlDeviceGetMemoryInfo), by when the allocator may have given memory back to it:
    torch.cuda.max_memory_reserved, "the maximum GPU memory managed by the caching allocator" since
    reset_peak_memory_stats, less torch.cuda.memory_reserved, its current value.

    Args:
        used_bytes: that the driver tells now; None where it does not.
        given_back_bytes: by the allocator since its peak.
    """
    return None if used_bytes is None else used_bytes + given_back_bytes


def _run_through(stages: Runnable, steps: int) -> int:
    """Bytes of the cache after the prefill."""
    cache = stages.begin(0)
    held = cache_bytes(cache)
    stages.go_on(cache, steps)
    return held


def _decode_read_bytes(stages: Runnable, kv_cache_bytes: int, kept: int) -> int:
    """Weights of the language model without its embedding, unless that is the head too; and the cache at its mean
    length, of which `kept` tokens of room for the answer are counted."""
    parts = [local(weight) for weight in stages.decode_weights()]
    weights = sum(part.numel() * part.element_size() for part in parts)
    seen = stages.tokens.cached + stages.prompt_tokens + kept
    return int(weights + (kv_cache_bytes / seen * stages.mean_context if seen else 0))
