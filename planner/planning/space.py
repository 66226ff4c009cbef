"""Every candidate and what it costs.

Candidates are LLM x visual tokens x compressor x tower x prompt order x precision x tensor parallel x batch. A block
holds all candidates of one compressor, tower, prompt order and precision as arrays over (batch, tensor parallel, LLM,
visual tokens); blocks are laid end to end into the columns of a `CandidateTable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.costs.flops import Flops, request_flops
from planner.costs.latency import LATENCY_STAGES, MIXED, Latency, request_latency
from planner.costs.memory import Memory, request_memory
from planner.costs.request import SILICON
from planner.costs.sizes import LlmArrays
from planner.costs.stages import Workload
from planner.hardware import Hardware
from planner.laws.combined import Law
from planner.models.specs import CompressorSpec, LlmSpec, VisionSpec
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.table import CandidateTable

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """The values to choose from."""

    llms: tuple[LlmSpec, ...]
    towers: tuple[VisionSpec, ...]
    compressors: tuple[CompressorSpec, ...]
    prompt_orders: tuple[str, ...]
    visual_tokens: Mapping[tuple[str, str], tuple[int, ...]]
    """By names of compressor and tower."""
    laws: Mapping[str, Law]
    """By name of the compressor."""


@dataclass(frozen=True, eq=False)
class Block:
    """Candidates that differ in batch, tensor parallel, LLM and visual tokens only; arrays over these four."""

    vision: VisionSpec
    compressor: CompressorSpec
    prompt_order: str
    precision: str
    visual_tokens: tuple[int, ...]
    law: Law
    error: FloatArray
    """(LLMs, visual tokens)"""
    flops: Flops
    """(LLMs, visual tokens), of a mean request"""
    memory: Memory
    latency: Latency | None
    shape: tuple[int, int, int, int]
    quantities: Mapping[str, FloatArray]
    """Of the whole shape."""


@dataclass(frozen=True, eq=False)
class Space:
    """All blocks, and their candidates as one table."""

    blocks: tuple[Block, ...]
    starts: NDArray[np.intp]
    """Row at which each block begins."""
    table: CandidateTable
    block_index: NDArray[np.intp]
    """Of each row."""
    possible: NDArray[np.bool_]
    """Whether the LLM's heads can be shared by so many GPUs."""

    def locate(self, row: int) -> tuple[Block, tuple[int, int, int, int]]:
        """The block of a row, and its position there (batch, tensor parallel, LLM, visual tokens)."""
        block = int(self.block_index[row])
        b, t, i, j = np.unravel_index(row - int(self.starts[block]), self.blocks[block].shape)
        return self.blocks[block], (int(b), int(t), int(i), int(j))


def evaluate(axes: Axes, deployment: Deployment, load: Load, convention: str) -> Space:
    """Cost and predicted error of every candidate. Raises InputError for a precision that the hardware lacks."""
    sizes = LlmArrays.of(axes.llms)
    blocks = tuple(
        _block(axes, sizes, deployment, load, convention, *choice)
        for choice in product(axes.compressors, axes.towers, axes.prompt_orders, deployment.precisions)
    )
    counts = [int(np.prod(block.shape)) for block in blocks]

    def column(name: str) -> FloatArray:
        return np.concatenate([block.quantities[name].ravel() for block in blocks])

    def index(block: Block, axis: int) -> NDArray[np.intp]:
        shape = [1, 1, 1, 1]
        shape[axis] = block.shape[axis]
        return np.broadcast_to(np.arange(block.shape[axis]).reshape(shape), block.shape).ravel()

    llm_index = np.concatenate([index(block, 2) for block in blocks])
    tokens = np.concatenate([np.array(block.visual_tokens, float)[index(block, 3)] for block in blocks])
    batch = np.array(deployment.batches)[np.concatenate([index(block, 0) for block in blocks])]
    devices = np.array(deployment.tensor_parallel)[np.concatenate([index(block, 1) for block in blocks])]
    heads = np.array([llm.num_heads for llm in axes.llms])[llm_index]
    block_index = np.repeat(np.arange(len(blocks)), counts)
    table = CandidateTable(
        llms=axes.llms,
        llm_index=llm_index,
        visual_tokens=tokens,
        predicted_error=column("predicted_error"),
        fits=np.ones(len(tokens), bool),
        quantities={name: column(name) for name in blocks[0].quantities if name != "predicted_error"},
        setups=tuple(
            {
                "compressor": block.compressor.name,
                "vision": block.vision.name,
                "prompt_order": block.prompt_order,
                "precision": block.precision,
            }
            for block in blocks
        ),
        setup_index=block_index,
        tensor_parallel=devices,
        batch=batch,
    )
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
    return Space(blocks, starts, table, block_index, heads % devices == 0)


def _block(
    axes: Axes,
    sizes: LlmArrays,
    deployment: Deployment,
    load: Load,
    convention: str,
    compressor: CompressorSpec,
    vision: VisionSpec,
    prompt_order: str,
    precision: str,
) -> Block:
    tokens = axes.visual_tokens[compressor.name, vision.name]
    v = np.array(tokens, float)
    batch = np.array(deployment.batches, float).reshape(-1, 1, 1, 1)
    devices = np.array(deployment.tensor_parallel, float).reshape(-1, 1, 1)
    shape = (len(batch), len(devices), len(axes.llms), len(tokens))
    parts: dict[str, Any] = {"vision": vision, "compressor": compressor, "prompt_order": prompt_order}
    run: dict[str, Any] = {"precision": precision, "batch": batch, "tensor_parallel": devices}
    flops = request_flops(sizes, v, load.mean, convention=convention, **parts)
    memory = request_memory(sizes, v, load.tail, kv_precision=deployment.kv_precision, **parts, **run)
    law = axes.laws[compressor.name]
    error = np.broadcast_to(np.asarray(law.predict(sizes.nominal_params, v)), shape[2:])
    quantities = {"predicted_error": error, "total_flops": flops.total, "peak_memory_bytes": memory.peak}
    latency = None
    if deployment.hardware is not None:
        card = deployment.hardware
        timed = _silicon if deployment.latency_source == SILICON else _roofline
        latency = served = timed(axes.llms, sizes, v, load.tail, card, deployment, parts, run)
        if load.mean != load.tail:
            served = timed(axes.llms, sizes, v, load.mean, card, deployment, parts, run)
        rate = np.asarray(served.throughput_requests_per_s)
        replicas = 1.0 if deployment.gpus is None else np.floor(deployment.gpus / devices)
        quantities |= {
            "ttft_s": latency.ttft_s,
            "tpot_s": latency.tpot_s,
            "request_s": latency.request_s,
            "requests_per_second": replicas * rate,
        }
        if card.power_w is not None:
            quantities["energy_joules"] = card.power_w * devices / rate
        if deployment.price_per_hour is not None:
            quantities["price_per_million_requests"] = 1e6 / 3600 * deployment.price_per_hour * devices / rate
    full = {name: np.broadcast_to(np.asarray(value, float), shape) for name, value in quantities.items()}
    return Block(vision, compressor, prompt_order, precision, tokens, law, error, flops, memory, latency, shape, full)


def _roofline(
    llms: tuple[LlmSpec, ...],
    sizes: LlmArrays,
    visual_tokens: FloatArray,
    workload: Workload,
    card: Hardware,
    deployment: Deployment,
    parts: dict[str, Any],
    run: dict[str, Any],
) -> Latency:
    kv_precision = deployment.kv_precision
    return request_latency(sizes, visual_tokens, workload, hardware=card, kv_precision=kv_precision, **parts, **run)


def _silicon(
    llms: tuple[LlmSpec, ...],
    sizes: LlmArrays,
    visual_tokens: FloatArray,
    workload: Workload,
    card: Hardware,
    deployment: Deployment,
    parts: dict[str, Any],
    run: dict[str, Any],
) -> Latency:
    """As `_roofline`, the LLM's seconds from measured kernels, one candidate at a time."""
    from planner.costs.silicon import silicon_latency

    whole = _roofline(llms, sizes, visual_tokens, workload, card, deployment, parts, run)
    seconds = {name: np.empty(whole.shape) for name in LATENCY_STAGES}
    sources: dict[str, set[str]] = {name: set() for name in LATENCY_STAGES}
    for b, batch in enumerate(deployment.batches):
        for t, devices in enumerate(deployment.tensor_parallel):
            for i, llm in enumerate(llms):
                found = silicon_latency(
                    llm,
                    visual_tokens,
                    workload,
                    hardware=card,
                    precision=run["precision"],
                    kv_precision=deployment.kv_precision,
                    batch=batch,
                    tensor_parallel=devices,
                    **parts,
                )
                for name in LATENCY_STAGES:
                    seconds[name][b, t, i] = getattr(found, name).seconds
                    sources[name].add(found.sources[name])
    stages = {name: replace(getattr(whole, name), seconds=seconds[name]) for name in LATENCY_STAGES}
    said = {name: tags.pop() if len(tags) == 1 else MIXED for name, tags in sources.items()}
    return replace(whole, **stages, sources=said)
