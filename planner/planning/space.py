"""Every candidate and what it costs.

Candidates are LLM x visual tokens x compressor x tower x prompt order x precision x tensor parallel x batch. A block
holds all candidates of one compressor, tower, prompt order and precision as arrays over (batch, tensor parallel, LLM,
visual tokens).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, fields, replace
from functools import partial
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.configuration import Model, Run
from planner.costs.flops import Flops, flops
from planner.costs.latency import LATENCY_STAGES, MIXED, SILICON, Latency, VisionTimes, latency, vision_times
from planner.costs.memory import Memory, memory
from planner.costs.stage_time import StageTime
from planner.costs.stages import Workload
from planner.laws.combined import Law
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector, Mlp
from planner.parts.llms import Llm, stacks
from planner.parts.towers import Tower
from planner.planning.blocks import Block, Costs, Space, laid_out, quantities_of
from planner.planning.deployment import Deployment
from planner.planning.ranking import ERROR
from planner.planning.request import Load
from planner.planning.together import Together
from planner.planning.tried import Tried

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
    rank_by: ClassVar[str] = ERROR
    """What is to be trained is chosen by its predicted error."""

    def evaluate(self, deployment: Deployment, load: Load, convention: str) -> Space:
        """Cost and predicted error of every candidate. Raises InputError for a precision that the hardware lacks."""
        return evaluate(self, deployment, load, convention)

    def in_any_precision(self) -> Axes:
        """The same: what is to be trained has no precision of its own."""
        return self

    def tried(self, space: Space) -> Tried:
        """What made the candidates of a space."""
        return Tried.of(space.table, self.towers, self.compressors, self.prompt_orders)


@dataclass(frozen=True, eq=False, kw_only=True)
class PartsBlock(Block):
    """Candidates of one compressor, tower, prompt order and precision."""

    vision: Tower
    compressor: Compressor
    connector: Connector
    prompt_order: str
    visual_tokens: tuple[int, ...]

    @property
    def llm_positions(self) -> NDArray[np.intp]:
        return np.arange(self.shape[2]).reshape(-1, 1)

    @property
    def tokens(self) -> FloatArray:
        return np.array(self.visual_tokens)

    @property
    def setup(self) -> Mapping[str, str]:
        return {
            "compressor": self.compressor.name,
            "vision": self.vision.name,
            "prompt_order": self.prompt_order,
            "precision": self.precision,
        }

    def made_of(self, i: int, j: int) -> dict[str, Any]:
        return {
            "visual_tokens": self.visual_tokens[j],
            "vision": self.vision,
            "compressor": self.compressor,
            "connector": self.connector,
            "prompt_order": self.prompt_order,
        }


def evaluate(axes: Axes, deployment: Deployment, load: Load, convention: str) -> Space:
    """Cost and predicted error of every candidate. Raises InputError for a precision that the hardware lacks."""
    groups = stacks(axes.llms)
    blocks = tuple(
        block
        for compressor, tower in product(axes.compressors, axes.towers)
        for block in _blocks(axes, groups, deployment, load, convention, compressor, tower)
    )
    return laid_out(blocks, axes.llms, deployment)


def _blocks(
    axes: Axes,
    groups: list[tuple[list[int], Llm]],
    deployment: Deployment,
    load: Load,
    convention: str,
    compressor: Compressor,
    tower: Tower,
) -> Iterator[PartsBlock]:
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
    names = np.array([[llm.name] for llm in axes.llms])
    error = np.broadcast_to(np.asarray(law.predict(sizes, v, names, compressor=compressor.name)), shape[2:])
    clocks = [Clock(axes, deployment, members) for members, _ in groups]
    for prompt_order in axes.prompt_orders:
        models = [Model(llm, tower, compressor, v, prompt_order, axes.connector) for _, llm in groups]
        in_groups = [
            Together(members, model, partial(vision_times, model, load.mean))
            for (members, _), model in zip(groups, models, strict=True)
        ]
        flops_of_groups = [flops(model, load.mean, convention) for model in models]
        for precision in deployment.precisions:
            run = Run(deployment.hardware, precision, deployment.kv_precision, batch, devices)
            found: list[Costs] = []
            for clock, model, counted in zip(clocks, models, flops_of_groups, strict=True):
                timed = clock.time(model, load.tail, run)
                served = timed if load.mean == load.tail else clock.time(model, load.mean, run)
                found.append((counted, memory(model, load.tail, run), timed, served))
            whole = found[0] if as_they_are else in_order(found, [members for members, _ in groups], shape)
            yield PartsBlock(
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
                quantities=quantities_of(whole, deployment, run, load, in_groups, shape),
            )


class Clock:
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
            from planner.planning.kernel_times import measured_times

            models = [replace(model, llm=llm) for llm in self._llms]
            return measured_times(latency(model, workload, run), models, self._deployment, workload, run)
        key = run.precision, workload
        if key not in self._vision:
            self._vision[key] = vision_times(model, workload, run)
        return latency(model, workload, run, self._vision[key])


def in_order(found: list[Costs], members: list[list[int]], shape: tuple[int, ...]) -> Costs:
    """The costs of groups of language models, put together in the order of the models."""
    count = sum(map(len, members))

    def joined(values: Sequence[Any]) -> FloatArray:
        """(..., LLMs, visual tokens)"""
        lead, *others = {np.shape(value)[:-2] for value in values}
        lead = np.broadcast_shapes(lead, *others) if others else lead
        whole = np.empty((*lead, count, shape[3]))
        for value, own in zip(values, members, strict=True):
            whole[..., own, :] = value
        return whole

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
