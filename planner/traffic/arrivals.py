"""When requests come: at random, as a log says, or each when another one ends.

Over several replicas a balancer is assumed that knows nothing of their queues: each request goes to a replica by
chance, those of a log in turn. One that sends them where the queue is shortest does better.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import positive_number, shown, whole_number
from planner.traffic.iteration_time import FloatArray, IntArray
from planner.traffic.requests import Requests


class Arrivals(ABC):
    """How requests come."""

    @abstractmethod
    def times_s(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Seconds at which the first `count` requests come, sorted; infinite for one that comes when another ends.
        Shape (count,), shorter where there are no more."""

    @abstractmethod
    def divided(self, replicas: int) -> Arrivals:
        """What comes to one of several replicas."""

    @property
    @abstractmethod
    def requests_per_second(self) -> float | None:
        """The rate at which they come; None where it follows from the answers."""

    def rows(self, generator: np.random.Generator, requests: Requests, count: int) -> IntArray:
        """Row of each of the first `count` requests. Shape (count,), shorter where there are no more."""
        return requests.draw(generator, count)


@dataclass(frozen=True)
class Poisson(Arrivals):
    """Many users who know nothing of each other: gaps are exponential. Two rates differ by a factor in all times, with
    the same generator."""

    rate: float
    """Requests per second."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", positive_number(self.rate, "rate"))

    def times_s(self, generator: np.random.Generator, count: int) -> FloatArray:
        times: FloatArray = np.cumsum(generator.exponential(size=count)) / self.rate
        return times

    def divided(self, replicas: int) -> Poisson:
        """By chance: a Poisson stream again."""
        return Poisson(self.rate / whole_number(replicas, "replicas", 1))

    @property
    def requests_per_second(self) -> float:
        return self.rate


@dataclass(frozen=True)
class Closed(Arrivals):
    """So many users, each of whom sends the next request when the last is answered; all begin at once."""

    concurrency: int
    """Requests that are on their way at any time."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "concurrency", whole_number(self.concurrency, "concurrency", 1))

    def times_s(self, generator: np.random.Generator, count: int) -> FloatArray:
        return np.where(np.arange(count) < self.concurrency, 0.0, np.inf)

    def divided(self, replicas: int) -> Closed:
        """The most that one of the replicas gets."""
        return Closed(-(-self.concurrency // whole_number(replicas, "replicas", 1)))

    @property
    def requests_per_second(self) -> None:
        return None


@dataclass(frozen=True, eq=False)
class Log(Arrivals):
    """Requests as they came once. Raises InputError for times that are not sorted or not as many as the rows."""

    recorded_s: FloatArray
    """When each came, from any beginning on; shape (requests,)."""
    recorded_rows: IntArray
    """Which row of the `Requests` each is; shape (requests,)."""

    def __post_init__(self) -> None:
        times, rows = np.asarray(self.recorded_s, float), np.asarray(self.recorded_rows)
        if times.ndim != 1 or times.size == 0 or rows.shape != times.shape or rows.dtype.kind not in "iu":
            raise InputError(
                f"log: expected a time and a row of each request, got {_size(times)} times and {_size(rows)} rows"
            )
        if not np.all(np.isfinite(times)) or np.any(np.diff(times) < 0):
            raise InputError(f"log: expected times in seconds, sorted, got {shown(self.recorded_s)}")
        object.__setattr__(self, "recorded_s", times - times[0])
        object.__setattr__(self, "recorded_rows", rows.astype(np.int64))

    def times_s(self, generator: np.random.Generator, count: int) -> FloatArray:
        return self.recorded_s[:count]

    def rows(self, generator: np.random.Generator, requests: Requests, count: int) -> IntArray:
        found = self.recorded_rows[:count]
        if found.min() < 0 or found.max() >= len(requests):
            raise InputError(f"log: expected rows of the {len(requests)} requests, got {found.min()} to {found.max()}")
        return found

    def at_rate(self, rate: float) -> Log:
        """The same requests at another pace, so many per second on average."""
        return replace(self, recorded_s=self.recorded_s * (self.requests_per_second / rate))

    def repeated(self, count: int) -> Log:
        """The same requests over and over, at least so many: a short log says little of a queue that grows."""
        times = math.ceil(count / self.recorded_s.size)
        period = float(self.recorded_s[-1]) + 1 / self.requests_per_second
        again = np.arange(times)[:, None] * period + self.recorded_s
        return replace(self, recorded_s=again.ravel(), recorded_rows=np.tile(self.recorded_rows, times))

    def divided(self, replicas: int) -> Log:
        """Those of the first replica, each in turn."""
        step = whole_number(replicas, "replicas", 1)
        return replace(self, recorded_s=self.recorded_s[::step], recorded_rows=self.recorded_rows[::step])

    @property
    def requests_per_second(self) -> float:
        """Over the time of the log; infinite where all came at once."""
        span = float(self.recorded_s[-1])
        return (self.recorded_s.size - 1) / span if span > 0 else float("inf")


def _size(values: Any) -> str:
    return " x ".join(map(str, np.shape(values))) or "no"
