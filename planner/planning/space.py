"""Every candidate and what it costs.

Candidates are LLM x visual tokens x compressor x tower x prompt order x precision x tensor parallel x batch. A block
holds all candidates of one compressor, tower, prompt order and precision as arrays over (batch, tensor parallel, LLM,
visual tokens); blocks are laid end to end into the columns of a `CandidateTable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.configuration import Model, Run
from planner.costs.flops import Flops, flops
from planner.costs.kernels import StageTime
from planner.costs.latency import LATENCY_STAGES, MIXED, Latency, VisionTimes, latency, vision_times
from planner.costs.memory import Memory, memory
from planner.costs.request import SILICON
from planner.costs.stages import Workload
from planner.laws.combined import Law
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector, Mlp
from planner.parts.llms import Llm, stacks
from planner.parts.towers import Tower
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.table import CandidateTable

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """The values to choose from."""

    llms: tuple[Llm, ...]
    towers: tuple[Tower, ...]
    compressors: tuple[Compressor, ...]
    prompt_orders: tuple[str, ...]
    visual_tokens: Mapping[tuple[str, str], tuple[int, ...]]
    """By names of compressor and tower."""
    laws: Mapping[str, Law]
    """By name of the compressor."""
    connector: Connector = field(default_factory=Mlp)
    """The same for all candidates."""


@dataclass(frozen=True, eq=False)
class Block:
    """Candidates that differ in batch, tensor parallel, LLM and visual tokens only; arrays over these four."""

    vision: Tower
    compressor: Compressor
    connector: Connector
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
    groups = stacks(axes.llms)
    blocks = tuple(
        block
        for compressor, tower in product(axes.compressors, axes.towers)
        for block in _blocks(axes, groups, deployment, load, convention, compressor, tower)
    )
    counts = [int(np.prod(block.shape)) for block in blocks]
    ends = np.cumsum(counts)

    def column(of: Callable[[Block], NDArray[Any]], kind: Any = float) -> NDArray[Any]:
        """Of every candidate what `of` a block broadcasts to its shape."""
        whole = np.empty(ends[-1], kind)
        for block, count, end in zip(blocks, counts, ends, strict=True):
            whole[end - count : end].reshape(block.shape)[...] = of(block)
        return whole

    llms = np.arange(len(axes.llms)).reshape(-1, 1)
    batches = np.array(deployment.batches).reshape(-1, 1, 1, 1)
    devices = np.array(deployment.tensor_parallel).reshape(-1, 1, 1)
    shared = np.array([[llm.can_share(count) for llm in axes.llms] for count in deployment.tensor_parallel])
    block_index = np.repeat(np.arange(len(blocks)), counts)
    table = CandidateTable(
        llms=axes.llms,
        llm_index=column(lambda _: llms, llms.dtype),
        visual_tokens=column(lambda block: np.array(block.visual_tokens)),
        predicted_error=column(lambda block: block.error),
        fits=np.ones(ends[-1], bool),
        quantities={name: column(partial(_quantity, name)) for name in blocks[0].quantities},
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
        tensor_parallel=column(lambda _: devices, devices.dtype),
        batch=column(lambda _: batches, batches.dtype),
    )
    starts = np.concatenate([[0], ends[:-1]]).astype(np.intp)
    return Space(blocks, starts, table, block_index, column(lambda _: shared[..., None], bool))


def _quantity(name: str, block: Block) -> FloatArray:
    return block.quantities[name]


def _blocks(
    axes: Axes,
    groups: list[tuple[list[int], Llm]],
    deployment: Deployment,
    load: Load,
    convention: str,
    compressor: Compressor,
    tower: Tower,
) -> Iterator[Block]:
    """One for each prompt order and precision. Errors know of neither, FLOPs of no precision, the times of tower and
    compressor of no prompt order: each is worked out once."""
    tokens = axes.visual_tokens[compressor.name, tower.name]
    v = np.array(tokens, float)
    batch = np.array(deployment.batches, float).reshape(-1, 1, 1, 1)
    devices = np.array(deployment.tensor_parallel, float).reshape(-1, 1, 1)
    shape = (len(batch), len(devices), len(axes.llms), len(tokens))
    as_they_are = len(groups) == 1 and np.ndim(groups[0][1].nominal_params) > 0
    law = axes.laws[compressor.name]
    sizes = np.array([[llm.nominal_params] for llm in axes.llms], float)
    error = np.broadcast_to(np.asarray(law.predict(sizes, v)), shape[2:])
    clocks = [_Clock(axes, deployment, members) for members, _ in groups]
    for prompt_order in axes.prompt_orders:
        models = [Model(llm, tower, compressor, v, prompt_order, axes.connector) for _, llm in groups]
        flops_of_groups = [flops(model, load.mean, convention) for model in models]
        for precision in deployment.precisions:
            run = Run(deployment.hardware, precision, deployment.kv_precision, batch, devices)
            found: list[_Costs] = []
            for clock, model, counted in zip(clocks, models, flops_of_groups, strict=True):
                timed = clock.time(model, load.tail, run)
                served = timed if load.mean == load.tail else clock.time(model, load.mean, run)
                found.append((counted, memory(model, load.tail, run), timed, served))
            whole = found[0] if as_they_are else _in_order(found, [members for members, _ in groups], shape)
            yield Block(
                vision=tower,
                compressor=compressor,
                connector=axes.connector,
                prompt_order=prompt_order,
                precision=precision,
                visual_tokens=tokens,
                law=law,
                error=error,
                flops=whole[0],
                memory=whole[1],
                latency=whole[2],
                shape=shape,
                quantities=_quantities(whole, deployment, devices, shape),
            )


class _Clock:
    """Times of a group of language models; what a prompt order does not change is kept."""

    def __init__(self, axes: Axes, deployment: Deployment, members: Sequence[int]) -> None:
        self._deployment = deployment
        self._llms = [axes.llms[position] for position in members]
        self._vision: dict[tuple[str, Workload], VisionTimes] = {}

    def time(self, model: Model, workload: Workload, run: Run) -> Latency | None:
        """None without hardware."""
        if run.hardware is None:
            return None
        if self._deployment.latency_source == SILICON:
            return _silicon(self._llms, self._deployment, model, workload, run)
        key = run.precision, workload
        if key not in self._vision:
            self._vision[key] = vision_times(model, workload, run)
        return latency(model, workload, run, self._vision[key])


def _quantities(
    costs: _Costs, deployment: Deployment, devices: FloatArray, shape: tuple[int, ...]
) -> dict[str, FloatArray]:
    """What limits look at, by name; each of the whole shape."""
    counted, held, timed, served = costs
    quantities = {"total_flops": counted.total, "peak_memory_bytes": held.peak}
    card = deployment.hardware
    if card is not None and timed is not None and served is not None:
        rate = np.asarray(served.throughput_requests_per_s)
        replicas = 1.0 if deployment.gpus is None else np.floor(deployment.gpus / devices)
        quantities |= {
            "ttft_s": timed.ttft_s,
            "tpot_s": timed.tpot_s,
            "request_s": timed.request_s,
            "requests_per_second": replicas * rate,
        }
        if card.power_w is not None:
            quantities["energy_joules"] = card.power_w * devices / rate
        if deployment.price_per_hour is not None:
            quantities["price_per_million_requests"] = 1e6 / 3600 * deployment.price_per_hour * devices / rate
    return {name: np.broadcast_to(np.asarray(value, float), shape) for name, value in quantities.items()}


_Costs: TypeAlias = tuple[Flops, Memory, Latency | None, Latency | None]


def _in_order(found: list[_Costs], members: list[list[int]], shape: tuple[int, ...]) -> _Costs:
    """The costs of groups of language models, put together in the order of the models."""
    order = np.argsort(np.concatenate(members))

    def joined(values: Sequence[Any]) -> FloatArray:
        """(..., LLMs, visual tokens)"""
        lead = np.broadcast_shapes(*(np.shape(value)[:-2] for value in values))
        wide = [np.broadcast_to(value, (*lead, len(own), shape[3])) for value, own in zip(values, members, strict=True)]
        return np.concatenate(wide, axis=-2)[..., order, :]

    def joined_fields(parts: Sequence[Any], names: Sequence[str]) -> dict[str, FloatArray]:
        return {name: joined([getattr(part, name) for part in parts]) for name in names}

    def joined_times(times: Sequence[Any]) -> Latency | None:
        if times[0] is None:
            return None
        stages = {
            name: StageTime(
                **joined_fields([getattr(one, name) for one in times], [item.name for item in fields(StageTime)])
            )
            for name in LATENCY_STAGES
        }
        tags = {name: {one.sources[name] for one in times} for name in LATENCY_STAGES}
        sources = {name: own.pop() if len(own) == 1 else MIXED for name, own in tags.items()}
        whole: Latency = replace(times[0], **stages, sources=sources, shape=shape)
        return whole

    counted, held, timed, served = zip(*found, strict=True)
    return (
        Flops(**joined_fields(counted, [item.name for item in fields(Flops)])),
        Memory(**joined_fields(held, [item.name for item in fields(Memory)])),
        joined_times(timed),
        joined_times(served),
    )


def _silicon(llms: Sequence[Llm], deployment: Deployment, model: Model, workload: Workload, run: Run) -> Latency:
    """As `latency`, the LLM's seconds from measured kernels, one candidate at a time."""
    from planner.costs.silicon import silicon_latency

    whole = latency(model, workload, run)
    shape = (len(deployment.batches), len(deployment.tensor_parallel), len(llms), np.size(model.visual_tokens))
    seconds = {name: np.empty(shape) for name in LATENCY_STAGES}
    sources: dict[str, set[str]] = {name: set() for name in LATENCY_STAGES}
    for b, batch in enumerate(deployment.batches):
        for t, devices in enumerate(deployment.tensor_parallel):
            one_way = replace(run, batch=batch, tensor_parallel=devices)
            for i, llm in enumerate(llms):
                found = silicon_latency(replace(model, llm=llm), workload, one_way)
                for name in LATENCY_STAGES:
                    seconds[name][b, t, i] = getattr(found, name).seconds
                    sources[name].add(found.sources[name])
    stages = {name: replace(getattr(whole, name), seconds=seconds[name]) for name in LATENCY_STAGES}
    said = {name: tags.pop() if len(tags) == 1 else MIXED for name, tags in sources.items()}
    return replace(whole, **stages, sources=said)
