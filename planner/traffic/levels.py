"""Three answers to the same question, a replica at a rate of requests: closed form, numerical, simulated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.arrivals import Arrivals, Poisson
from planner.traffic.batch import Batch
from planner.traffic.chain import MOST_UTILISED, chain
from planner.traffic.demand import Demand
from planner.traffic.iteration_time import FloatArray
from planner.traffic.limits import MEAN, Limits
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.steady import Steady, steady


@dataclass(frozen=True)
class At:
    """A replica at a rate, at one level."""

    level: str
    rate: float
    """Requests per second."""
    stable: bool
    times_s: dict[str, float]
    """"ttft", "tpot" and "latency" at the percentile; empty where the level does not answer. Without "tpot" where no
    request generates more than one token."""
    means_s: dict[str, float]
    """The means of the same."""
    running: float
    """Sequences that are decoded at once, on average."""
    events_only: str = ""
    """Why the level does not answer; "" where it does."""


class Level(ABC):
    """One way to answer."""

    name: ClassVar[str]
    most: ClassVar[float] = 1.0
    """Of the capacity, up to which it answers."""

    @abstractmethod
    def at(self, replica: Replica, requests: Requests, rate: float, percentile: float | str) -> At:
        """The replica at a rate of requests that come at random."""


class SteadyLevel(Level):
    """`planner.traffic.steady`."""

    name = "steady"

    def at(self, replica: Replica, requests: Requests, rate: float, percentile: float | str) -> At:
        found = _steady(replica, requests, np.asarray(rate), percentile)
        means = {name: float(value) for name, value in _times(found, requests, MEAN).items()}
        times = {name: float(value) for name, value in _times(found, requests, percentile).items()}
        return At(self.name, rate, bool(found.stable), times, means, float(found.running))

    def over(
        self, replica: Replica, requests: Requests, rates: FloatArray, percentile: float | str, limits: Limits
    ) -> FloatArray:
        """The worst time by its limit at each of some rates."""
        found = _steady(replica, requests, rates, percentile)
        over = np.where(found.stable, 0.0, np.inf)
        times = _times(found, requests, percentile)
        for name in limits.given.keys() & times.keys():
            over = np.maximum(over, times[name] / limits.given[name])
        return over


class ChainLevel(Level):
    """`planner.traffic.chain`."""

    name = "chain"
    most = MOST_UTILISED

    def at(self, replica: Replica, requests: Requests, rate: float, percentile: float | str) -> At:
        found = chain(replica, requests, rate)
        spreads = {"ttft": found.ttft_s, "tpot": found.tpot_s, "latency": found.latency_s}
        there = {name: one for name, one in spreads.items() if one is not None}
        times = {
            name: one.mean if percentile == MEAN else one.percentile(float(percentile)) for name, one in there.items()
        }
        means = {name: one.mean for name, one in there.items()}
        return At(self.name, rate, found.stable, times, means, found.running or 0.0, found.events_only)


class EventsLevel(Level):
    """`planner.traffic.events`."""

    name = "events"

    def __init__(self, seed: int = 0, arrivals: Callable[[float], Arrivals] = Poisson) -> None:
        """With a seed of the requests that are drawn, the same at every rate, and when they come at a rate."""
        self.seed, self.arrivals = seed, arrivals

    def at(self, replica: Replica, requests: Requests, rate: float, percentile: float | str) -> At:
        from planner.traffic.events import simulate  # only who simulates pays for its import

        found = simulate(replica, requests, self.arrivals(rate), seed=self.seed)
        mean = percentile == MEAN
        q = 50.0 if mean else float(percentile)
        means = {"ttft": found.mean_ttft, "latency": found.mean_latency}
        times = means if mean else {"ttft": found.ttft(q), "latency": found.latency(q)}
        if requests.generated_tokens.max() > 1:
            means = means | {"tpot": found.mean_tpot}
            times = times | {"tpot": found.mean_tpot if mean else found.tpot(q)}
        values, averages = ({name: one.value for name, one in some.items()} for some in (times, means))
        return At(self.name, rate, found.stable, values, averages, found.running)


STEADY, CHAIN, EVENTS = SteadyLevel(), ChainLevel(), EventsLevel()
LEVELS: dict[str, Level] = {one.name: one for one in (STEADY, CHAIN, EVENTS)}


def capacity(replica: Replica, requests: Requests) -> tuple[float, str]:
    """Requests per second above which a replica is unstable, and what is full there."""
    most, full = Batch.of(replica, requests).capacity
    return float(most), str(full)


def _times(found: Steady, requests: Requests, percentile: float | str) -> dict[str, FloatArray]:
    mean = percentile == MEAN
    times = {
        "ttft": found.ttft_s if mean else found.ttft_tail_s,
        "tpot": found.tpot_s if mean else found.tpot_tail_s,
        "latency": found.latency_s if mean else found.latency_tail_s,
    }
    if requests.generated_tokens.max() == 1:
        del times["tpot"]
    return times


def _steady(replica: Replica, requests: Requests, rates: FloatArray, percentile: float | str) -> Steady:
    return steady(
        replica.iteration,
        replica.scheduler,
        replica.kv_tokens,
        Demand.of(requests),
        rates,
        request_s=replica.request_s,
        encode_apart_s=replica.encode_apart_s,
        gpus=replica.gpus,
        percentile=95.0 if percentile == MEAN else float(percentile),
    )
