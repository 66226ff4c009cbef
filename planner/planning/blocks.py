"""Blocks: candidates that differ in batch, tensor parallel, model and visual tokens, as arrays over these four.

Blocks are laid end to end into the columns of a `CandidateTable`. What a block's candidates are made of, each kind of
block says itself: parts to build from (`planner.planning.space`), or released models (`planner.planning.released`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.configuration import Run
from planner.costs.flops import Flops
from planner.costs.latency import Latency
from planner.costs.memory import Memory
from planner.laws.combined import Law
from planner.parts.llms import Llm
from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.distinct import distinct_rows
from planner.planning.request import Load
from planner.planning.table import CandidateTable
from planner.planning.together import Together
from planner.runs.table import ERROR

FloatArray = NDArray[np.float64]
Costs: TypeAlias = tuple[Flops, Memory, Latency | None, Latency | None]
"""FLOPs of a mean request, bytes and times of a long one, times of a mean one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Block(ABC):
    """Candidates of one precision; arrays over (batch, tensor parallel, models, visual tokens)."""

    precision: str
    law: Law | None
    """None where candidates are ordered by cost alone."""
    error: FloatArray
    """(models, visual tokens); nan without a law."""
    flops: Flops
    """(models, visual tokens), of a mean request"""
    memory: Memory
    latency: Latency | None
    shape: tuple[int, int, int, int]
    quantities: Mapping[str, FloatArray]
    """Of the whole shape."""

    @property
    @abstractmethod
    def llm_positions(self) -> NDArray[np.intp]:
        """Place of each model's language model in the table, (models, 1)."""

    @property
    @abstractmethod
    def tokens(self) -> FloatArray:
        """Visual tokens per image, broadcasting to (models, visual tokens)."""

    @property
    @abstractmethod
    def setup(self) -> Mapping[str, str]:
        """Compressor, vision tower, prompt order and precision, as names."""

    @property
    def models(self) -> tuple[Mapping[str, str | None], ...]:
        """Each model's name, hub id and knob, (models,); () of parts to build from."""
        return ()

    @abstractmethod
    def made_of(self, i: int, j: int) -> dict[str, Any]:
        """Fields of the Candidate at a place that say what it is made of, its language model aside."""

    @property
    def within_context(self) -> NDArray[np.bool_]:
        """Whether a long request fits into the model's context, broadcasting to (models, visual tokens)."""
        return np.ones((1, 1), bool)


@dataclass(frozen=True, eq=False)
class Space:
    """All blocks, and their candidates as one table."""

    blocks: tuple[Block, ...]
    starts: NDArray[np.intp]
    """Row at which each block begins."""
    table: CandidateTable
    block_index: NDArray[np.intp]
    """Of each row."""
    shared: NDArray[np.bool_]
    """Whether the LLM's heads can be shared by so many GPUs."""
    within_context: NDArray[np.bool_]
    """Whether a long request fits into the model's context."""

    @property
    def possible(self) -> NDArray[np.bool_]:
        """What could run at all."""
        return self.shared & self.within_context

    def listed_once(self, ranking: NDArray[np.intp]) -> NDArray[np.intp]:
        """Positions in a ranking of rows, ascending: a model that could run in several ways is listed once, in the best
        of them."""
        names = [(setup["compressor"], setup["vision"]) for setup in self.table.setups]
        kinds = np.array([names.index(name) for name in names])[self.block_index[ranking]]
        first, _ = distinct_rows(kinds, self.table.llm_index[ranking], self.table.visual_tokens[ranking])
        return np.sort(first)

    def locate(self, row: int) -> tuple[Block, tuple[int, int, int, int]]:
        """The block of a row, and its position there (batch, tensor parallel, model, visual tokens)."""
        block = int(self.block_index[row])
        b, t, i, j = np.unravel_index(row - int(self.starts[block]), self.blocks[block].shape)
        return self.blocks[block], (int(b), int(t), int(i), int(j))


def laid_out(blocks: Sequence[Block], llms: tuple[Llm, ...], deployment: Deployment) -> Space:
    """Blocks end to end as one table."""
    counts = [int(np.prod(block.shape)) for block in blocks]
    ends = np.cumsum(counts)

    def column(of: Callable[[Block], NDArray[Any]], kind: Any = float) -> NDArray[Any]:
        """Of every candidate what `of` a block broadcasts to its shape."""
        whole = np.empty(ends[-1], kind)
        for block, count, end in zip(blocks, counts, ends, strict=True):
            whole[end - count : end].reshape(block.shape)[...] = of(block)
        return whole

    batches = np.array(deployment.batches).reshape(-1, 1, 1, 1)
    devices = np.array(deployment.tensor_parallel).reshape(-1, 1, 1)
    shared = np.array([[llm.can_share(count) for llm in llms] for count in deployment.tensor_parallel])
    block_index = np.repeat(np.arange(len(blocks)), counts)
    models = tuple(one for block in blocks for one in block.models)
    first = dict(zip(map(id, blocks), np.cumsum([0, *(block.shape[2] for block in blocks)]), strict=False))
    table = CandidateTable(
        llms=llms,
        llm_index=column(lambda block: block.llm_positions, np.intp),
        visual_tokens=column(lambda block: block.tokens),
        predicted_error=column(lambda block: block.error),
        fits=np.ones(ends[-1], bool),
        quantities={name: column(partial(_quantity, name)) for name in blocks[0].quantities},
        setups=tuple(block.setup for block in blocks),
        setup_index=block_index,
        tensor_parallel=column(lambda _: devices, devices.dtype),
        batch=column(lambda _: batches, batches.dtype),
        models=models,
        model_index=column(lambda block: first[id(block)] + np.arange(block.shape[2])[:, None], np.intp)
        if models
        else None,
    )
    return Space(
        tuple(blocks),
        np.concatenate([[0], ends[:-1]]).astype(np.intp),
        table,
        block_index,
        shared=column(lambda block: shared[:, block.llm_positions], bool),
        within_context=column(lambda block: block.within_context, bool),
    )


def _quantity(name: str, block: Block) -> FloatArray:
    return block.quantities[name]


def quantities_of(
    costs: Costs,
    deployment: Deployment,
    run: Run,
    load: Load,
    groups: Sequence[Together],
    shape: tuple[int, int, int, int],
) -> dict[str, FloatArray]:
    """What limits look at, by name; each of the whole shape.

    Args:
        costs: of the candidates.
        deployment: the ways to run.
        run: precision and GPUs of them.
        load: what is served.
        groups: of language models, whose members together are those of the block.
        shape: of the block.
    """
    counted, held, timed, served = costs
    devices = np.asarray(run.tensor_parallel, float)
    quantities = {"total_flops": counted.total, "peak_memory_bytes": held.peak}
    card = deployment.hardware
    if deployment.traffic is not None and served is not None:
        from planner.planning.under_load.columns import under_load  # only who has a load pays for its import

        quantities |= under_load(groups, held, run, load, deployment, shape)
    elif card is not None and timed is not None and served is not None:
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


def candidate_at(space: Space, row: int, kv_precision: str | None, doubt: dict[str, Any]) -> Candidate:
    """The candidate of a row, with what is known of the doubt about it."""
    block, (b, t, i, j) = space.locate(row)
    table = space.table
    return Candidate(
        llm=table.llms[int(table.llm_index[row])],
        predicted_error=float(block.error[i, j]) if block.law is not None and block.law.level_known else None,
        predicts=ERROR if block.law is None else block.law.predicts,
        flops=block.flops.at(i, j),
        precision=block.precision,
        kv_precision=kv_precision,
        tensor_parallel=int(table.tensor_parallel[row]),
        batch=int(table.batch[row]),
        memory=block.memory.at(b, t, i, j),
        latency=None if block.latency is None else block.latency.at(b, t, i, j),
        quantities={name: float(column[row]) for name, column in table.quantities.items()},
        **block.made_of(i, j),
        **doubt,
    )
