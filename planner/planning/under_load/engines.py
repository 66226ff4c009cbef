"""One engine of each candidate of a block, in a row: its iterations, its room, and what comes to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.configuration import Model, Run
from planner.costs.memory import Memory
from planner.planning.request import Load
from planner.planning.together import Together
from planner.planning.under_load.asked import Traffic
from planner.planning.under_load.mean_request import MeanRequest
from planner.planning.under_load.room import kv_tokens
from planner.planning.under_load.tabulated import Beside, FloatArray, Tabulated, decode_nodes, tabulated
from planner.traffic.demand import Demand
from planner.traffic.query_pass import QueryPass
from planner.traffic.scheduler import Scheduler
from planner.traffic.steady import Steady, steady

NO_LOAD = 1e-9
"""Requests per second."""
_SPREAD = 1.3
"""Variance of the sequences that run, by their mean."""
_ROUNDS = 12
"""Of the search for the rate that keeps so many requests under way."""


@dataclass(frozen=True, eq=False)
class Engines:
    """One engine of each candidate of a block, in a row."""

    percentile: float
    """Of the requests that keep the times."""
    iteration: Tabulated
    scheduler: Scheduler
    kv_tokens: FloatArray
    demand: Demand
    request_s: float
    devices: FloatArray
    """GPUs of each."""

    def __len__(self) -> int:
        return len(self.kv_tokens)

    def at(self, rate: FloatArray) -> Steady:
        """Their steady states at requests per second of each."""
        with np.errstate(divide="ignore", invalid="ignore"):  # what has no room for a request carries none
            return steady(
                self.iteration,
                self.scheduler,
                self.kv_tokens,
                self.demand,
                rate,
                request_s=self.request_s,
                percentile=self.percentile,
            )

    def under(self, traffic: Traffic, replicas: FloatArray) -> tuple[Steady, FloatArray]:
        """Their steady states where so many of each share the load, and requests per second of each."""
        if traffic.requests_per_second is not None:
            rate = traffic.requests_per_second / replicas
            return self.at(rate), rate
        assert traffic.concurrency is not None
        under_way = traffic.concurrency / replicas
        high = self.at(np.full(len(self), NO_LOAD)).capacity
        low = np.zeros(len(self))
        for _ in range(_ROUNDS):  # under way = rate x latency, and the latency grows with the rate
            rate = (low + high) / 2
            with np.errstate(invalid="ignore"):  # what has no room for a request has no latency
                more = self.at(rate).latency_s * rate < under_way
            low, high = np.where(more, rate, low), np.where(more, high, rate)
        return self.at(low), low

    def full(self, found: Steady) -> FloatArray:
        """Share of the time in which seats or KV cache are full: of sequences that are spread nearly as a normal."""
        room = np.minimum(self.kv_tokens / np.asarray(self.demand.context_tokens), float(self.scheduler.max_num_seqs))
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (room - found.running) / np.sqrt(_SPREAD * np.maximum(found.running, 1.0))
        return np.asarray(0.5 * _erfc(z / math.sqrt(2)), float)

    def only(self, rows: NDArray[np.intp]) -> Engines:
        """Some of them."""
        columns = ("prompt_tokens", "context_tokens", "pairs", "prompt_variation")
        return replace(
            self,
            iteration=self.iteration.only(rows),
            kv_tokens=self.kv_tokens[rows],
            demand=replace(self.demand, **{name: np.asarray(getattr(self.demand, name))[rows] for name in columns}),
            devices=self.devices[rows],
        )


_erfc = np.vectorize(math.erfc, otypes=[float])


def engines_of(
    groups: Sequence[Together],
    held: Memory,
    run: Run,
    load: Load,
    scheduler: Scheduler,
    share: float,
    percentile: float,
    shape: tuple[int, int, int, int],
) -> Engines:
    """The engines of a block.

    Args:
        groups: of language models, whose members together are those of the block.
        held: bytes of one request, of the block's shape.
        run: hardware, precision, and GPUs that share a model.
        load: what comes.
        scheduler: of each.
        share: of the memory that an engine takes.
        percentile: of the requests.
        shape: of the block: (1, GPUs, models, visual tokens).
    """
    card = run.hardware
    assert card is not None
    run = Run(card, run.precision, run.kv_precision, 1, run.tensor_parallel)
    inner = shape[1:]

    def joined(values: Sequence[FloatArray]) -> FloatArray:
        """(..., GPUs, own models, visual tokens) of each group -> in the order of the block."""
        whole = np.empty((*np.shape(values[0])[:-3], *inner))
        for (members, _, _), one in zip(groups, values, strict=True):
            whole[..., list(members), :] = one
        return whole

    def column(values: Sequence[FloatArray | float]) -> FloatArray:
        full = [
            np.broadcast_to(np.asarray(one, float), (inner[0], len(members), inner[2]))
            for (members, _, _), one in zip(groups, values, strict=True)
        ]
        return joined(full).reshape(-1)

    def part(whole: Memory, members: Sequence[int]) -> Memory:
        return Memory(*(np.asarray(one)[0][:, list(members)] for one in vars(whole).values()))

    requests = [MeanRequest.of(load, model) for _, model, _ in groups]
    rooms = [
        kv_tokens(model, run, request, part(held, members), scheduler, share, load.tail.images)
        for (members, model, _), request in zip(groups, requests, strict=True)
    ]
    together = decode_nodes(max(scheduler.max_num_seqs, 2))[1:]
    batches = replace(run, batch=together.reshape(-1, 1, 1, 1), tensor_parallel=1)
    beside = []
    for one, request in zip(groups, requests, strict=True):
        times = [np.asarray(stage.seconds, float) for stage in one.encode(batches)]
        times.append(np.asarray(_query_seconds(one.model, run, request, together.reshape(-1, 1, 1, 1)), float))
        beside.append(np.broadcast_to(sum(times), (len(together), inner[0], len(one.members), inner[2])))
    images = round(load.mean.images)
    iteration = tabulated(
        groups,
        requests,
        run,
        Beside(together, joined(beside).reshape(len(together), -1)),
        images,
        scheduler.max_num_seqs,
        scheduler.max_num_batched_tokens,
        inner,
        joined,
    )
    demand = Demand(
        prompt_tokens=column([one.prompt_tokens for one in requests]),
        decodes=requests[0].generated_tokens - 1,
        context_tokens=column([one.context_tokens for one in requests]),
        pairs=column([one.pairs for one in requests]),
        prompt_variation=column([one.prompt_variation for one in requests]),
        decodes_variation=requests[0].decodes_variation,
    )
    devices = np.broadcast_to(np.asarray(run.tensor_parallel, float).reshape(-1, 1, 1), inner).reshape(-1)
    request_s = card.efficiency.host.request_s
    return Engines(percentile, iteration, scheduler, column(rooms), demand, request_s, devices)


def _query_seconds(model: Model, run: Run, request: MeanRequest, together: FloatArray) -> FloatArray | float:
    """Of the pass over the queries of so many requests that a compressor waits for."""
    return QueryPass(model, run, request.query_pass).seconds(together) if request.query_pass else 0.0
