"""What every candidate does under the load, by the steady state in closed form: the columns that limits look at.

Each candidate gets the GPUs that there are, or as many replicas as keep the limits of time, the fewest. The GPUs of all
replicas are paid for and draw power all the time, whether they are busy or not:

    price per million requests = GPUs x price per hour / 3600 / rate x 1e6
    energy of a request = GPUs x power limit / rate
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.configuration import Model, Run
from planner.costs.latency import Latency
from planner.costs.memory import Memory
from planner.costs.seconds import Clocks
from planner.hardware import Hardware
from planner.parts.walk import Pass
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.under_load.asked import ARRIVING, RATE, Traffic
from planner.planning.under_load.mean_request import MeanRequest
from planner.planning.under_load.room import kv_tokens, memory_share
from planner.planning.under_load.tabulated import FloatArray, Tabulated, tabulated
from planner.traffic.demand import Demand
from planner.traffic.scheduler import Scheduler
from planner.traffic.steady import Steady, steady

_NO_LOAD = 1e-9
"""Requests per second."""
_LIGHT = 0.05
"""Of the capacity: what does not keep its limits at such a load, keeps them at none that is worth a GPU."""
_MOST = 0.97
"""Of the capacity: nearer to it, it is within what the closed form is off, and waits have no end."""
_SETTLED, _FULL = 0.9, 0.005
"""Of the capacity, and of the time in which seats or cache may be full, up to which times can be solved for."""
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
        high = self.at(np.full(len(self), _NO_LOAD)).capacity
        low = np.zeros(len(self))
        for _ in range(_ROUNDS):  # under way = rate x latency, and the latency grows with the rate
            rate = (low + high) / 2
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


def scheduler_of(card: Hardware) -> Scheduler:
    """What an engine does by itself on such a card."""
    return Scheduler.vllm(card.memory_bytes, card.name)


def engines_of(
    groups: Sequence[tuple[Sequence[int], Model]],
    held: Memory,
    alone: Latency,
    run: Run,
    load: Load,
    share: float,
    percentile: float,
    shape: tuple[int, int, int, int],
) -> Engines:
    """The engines of a block.

    Args:
        groups: positions of language models among those of the block, and the column of models that they make.
        held: bytes of one request, of the block's shape.
        alone: times of a mean request that runs alone, of the block's shape.
        run: hardware, precision, and GPUs that share a model.
        load: what comes.
        share: of the memory that an engine takes.
        percentile: of the requests.
        shape: of the block: (1, GPUs, models, visual tokens).
    """
    card = run.hardware
    assert card is not None
    run = Run(card, run.precision, run.kv_precision, 1, run.tensor_parallel)
    scheduler, inner = scheduler_of(card), shape[1:]

    def joined(values: Sequence[FloatArray]) -> FloatArray:
        """(..., GPUs, own models, visual tokens) of each group -> in the order of the block."""
        whole = np.empty((*np.shape(values[0])[:-3], *inner))
        for (members, _), one in zip(groups, values, strict=True):
            whole[..., list(members), :] = one
        return whole

    def column(values: Sequence[FloatArray | float]) -> FloatArray:
        full = [
            np.broadcast_to(np.asarray(one, float), (inner[0], len(members), inner[2]))
            for (members, _), one in zip(groups, values, strict=True)
        ]
        return joined(full).reshape(-1)

    def part(whole: Memory, members: Sequence[int]) -> Memory:
        return Memory(*(np.asarray(one)[0][:, list(members)] for one in vars(whole).values()))

    requests = [MeanRequest.of(load, model) for _, model in groups]
    rooms = [
        kv_tokens(model, run, request, part(held, members), scheduler, share, load.tail.images)
        for (members, model), request in zip(groups, requests, strict=True)
    ]
    beside = [_query_seconds(model, run, request) for (_, model), request in zip(groups, requests, strict=True)]
    vision = np.broadcast_to(np.asarray(alone.encoder.seconds + alone.compressor.seconds, float), shape)[0]
    images = round(load.mean.images)
    iteration = tabulated(
        groups,
        requests,
        run,
        vision.reshape(-1) + column(beside),
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


def _query_seconds(model: Model, run: Run, request: MeanRequest) -> FloatArray | float:
    """Of the pass over the query that a compressor waits for."""
    if not request.query_pass:
        return 0.0
    assert run.hardware is not None
    clocks = Clocks.of(run.hardware, run, model.llm)
    todo = Pass(1.0, request.query_pass, 0.0)
    return np.asarray(clocks.time(model.llm.walk(todo, np.asarray(run.tensor_parallel, float))).seconds)


def under_load(
    groups: Sequence[tuple[Sequence[int], Model]],
    held: Memory,
    alone: Latency,
    run: Run,
    load: Load,
    deployment: Deployment,
    shape: tuple[int, int, int, int],
) -> dict[str, FloatArray]:
    """What limits look at, by name, of the whole shape; times are infinite of what does not keep up with the load.

    Arguments as `engines_of`; `deployment` has the load and the GPUs.
    """
    traffic, card = deployment.traffic, deployment.hardware
    assert traffic is not None and card is not None
    share = memory_share(card, traffic.memory_bytes)
    engines = engines_of(groups, held, alone, run, load, share, traffic.percentile, shape)
    if deployment.gpus is None:
        replicas = _replicas(engines, traffic)
    else:
        replicas = np.maximum(np.floor(deployment.gpus / engines.devices), 1.0)
    found, rate = engines.under(traffic, replicas)
    gpus = engines.devices * replicas if deployment.gpus is None else np.full(len(engines), float(deployment.gpus))
    total = rate * replicas
    quantities = {
        **_times(found),
        ARRIVING: total,
        RATE: found.capacity * replicas,
        "gpus": gpus,
        "replicas": replicas,
        "utilisation": found.utilisation,
        "running": found.running,
        "full": engines.full(found),
    }
    with np.errstate(divide="ignore"):
        if card.power_w is not None:
            quantities["energy_joules"] = card.power_w * gpus / total
        if deployment.price_per_hour is not None:
            quantities["price_per_million_requests"] = 1e6 / 3600 * deployment.price_per_hour * gpus / total
    return {name: np.asarray(one, float).reshape(shape) for name, one in quantities.items()}


def _times(found: Steady) -> dict[str, FloatArray]:
    """Seconds that the percentile of the requests keeps, by the quantity that limits look at."""
    times = {"ttft_s": found.ttft_tail_s, "tpot_s": found.tpot_tail_s, "request_s": found.latency_tail_s}
    return {name: np.where(found.utilisation <= _MOST, one, np.inf) for name, one in times.items()}


def settled(quantities: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
    """Which keep a tenth of their capacity free, and hardly ever run out of seats and KV cache: their times can be
    solved for, and a little more load breaks nothing."""
    return np.asarray((quantities["utilisation"] <= _SETTLED) & (quantities["full"] <= _FULL))


def _kept(found: Steady, full: FloatArray, traffic: Traffic) -> NDArray[np.bool_]:
    """Which keep the limits of time, and have settled."""
    times = _times(found)
    kept = np.asarray(found.stable, bool) & settled({"utilisation": found.utilisation, "full": full})
    for name in traffic.limits.keys() & times.keys():
        kept = kept & (times[name] <= traffic.limits[name])
    return kept


def _replicas(engines: Engines, traffic: Traffic) -> FloatArray:
    """The fewest of each that keep the limits of time; of what keeps them at no load, those of a light load."""
    light = engines.at(np.full(len(engines), _NO_LOAD))
    rate = traffic.requests_per_second
    if rate is None:
        assert traffic.concurrency is not None
        most = np.full(len(engines), float(traffic.concurrency))
        fewest = np.ones(len(engines))
    else:
        room = np.maximum(light.capacity, 1e-12)
        fewest = np.maximum(np.ceil(rate / room), 1.0)
        most = np.maximum(np.ceil(rate / (_LIGHT * room)), fewest)
    found = most.copy()

    def kept_by(some: Engines, replicas: FloatArray) -> NDArray[np.bool_]:
        state, _ = some.under(traffic, replicas)
        return _kept(state, some.full(state), traffic)

    able = np.flatnonzero(kept_by(engines, found))
    low, high, step = fewest[able] - 1, np.full(len(able), np.inf), np.ones(len(able))
    left = np.arange(len(able))
    while len(left):  # up in growing steps until the limits are kept, then halving what is between
        most_left = most[able[left]]
        up = np.isinf(high[left])
        at = np.where(up, np.minimum(low[left] + step[left], most_left), np.floor((low[left] + high[left]) / 2))
        kept = kept_by(engines.only(able[left]), at)
        kept |= at >= most_left  # known from the light load
        high[left[kept]], low[left[~kept]] = at[kept], at[~kept]
        step[left[~kept & up]] *= 2
        left = left[high[left] - low[left] > 1]
    found[able] = high
    return found
