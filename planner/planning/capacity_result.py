"""What a server carries: the highest rate within limits, how it runs there, and at other loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any

from planner.base.dataclass import dataclass
from planner.base.quantities import format_percent, format_seconds, format_significant
from planner.base.result import Result, above
from planner.configuration import Model, Run
from planner.costs.stages import Workload
from planner.traffic.scheduler import Scheduler
from planner.traffic.service import Service

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from planner.traffic.arrivals import Log


@dataclass(frozen=True)
class Times:
    """Seconds of many requests."""

    mean: float
    p50: float
    p95: float
    p99: float
    asked: float
    """At the percentile of the limits."""

    def to_dict(self) -> dict[str, float]:
        """Without the one that was asked for, which stands among the promised numbers."""
        return {name: value for name, value in asdict(self).items() if name != "asked"}


@dataclass(frozen=True)
class LoadPoint:
    """One load of one server, and what becomes of its requests."""

    requests_per_second: float
    """That come, or of a closed loop those that are answered."""
    concurrency: float | None
    """Requests on their way at a time, those that wait included; so with the numbers below: None where the queue grows
    without end."""
    batch: float | None
    """Of these, sequences that are decoded in one iteration."""
    utilisation: float
    """By the rate above which the queue grows without end."""
    ttft_s: Times | None
    tpot_s: Times | None
    """None too where answers have one token."""
    latency_s: Times | None

    @property
    def stable(self) -> bool:
        """Whether the queue ends."""
        return self.ttft_s is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        numbers = ("requests_per_second", "concurrency", "batch", "utilisation")
        found: dict[str, Any] = {name: getattr(self, name) for name in numbers}
        for name in ("ttft_s", "tpot_s", "latency_s"):
            times: Times | None = getattr(self, name)
            found[name] = None if times is None else times.to_dict()
        return found


@dataclass(frozen=True, repr=False)
class Capacity(Result):
    """The most that one server carries within limits, or in a closed loop at a concurrency."""

    model: Model
    run: Run
    workload: Workload
    """Of many requests the mean one, each count rounded up."""
    scheduler: Scheduler | None
    """None: static batches, one after the other."""
    limits: Mapping[str, float]
    """Most seconds, by name with unit: "ttft_s", "tpot_s", "latency_s"; none in a closed loop."""
    percentile: float
    """Percent of the requests that keep within each limit."""
    bound: str
    """What ends the rate: a limit by its name, or what is full: "compute", "seats", "kv", "encoder", "memory" or
    "concurrency"."""
    level: str
    """How it was found: "events", or "static"."""
    at: LoadPoint
    """That load."""
    others: tuple[LoadPoint, ...]
    """Half and twice that load."""
    unstable_above: float | None
    """Requests per second, at the same level: what is answered while twice as many requests as it has seats are always
    on their way. None of static batches, which have no queue."""
    gpus: int
    """Of one server."""
    kv_tokens: float | None
    """Tokens that the KV cache has room for; None of static batches."""
    constants: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Of the scheduler, by name: where each comes from ("as asked", "vLLM's defaults", "of the profile, ..."); {} of
    static batches."""
    requests: int = 1
    """How many requests of a file these are for."""
    log: Log | None = field(default=None, repr=False, compare=False)
    """When they came; None: at random."""
    notes: tuple[str, ...] = ()
    """What has to be said of these numbers."""
    service: Service | None = field(default=None, repr=False, compare=False)
    """The server and its requests, from which pictures are made; None of static batches."""

    @property
    def requests_per_second(self) -> float:
        """The highest rate."""
        return self.at.requests_per_second

    def plot(self) -> Figure:
        """Times and throughput against the rate of requests; see `planner.plot_load`."""
        return above().picture_of(self)

    def __str__(self) -> str:
        return f"{self.model}: {format_significant(self.requests_per_second)} requests per second"

    def __repr__(self) -> str:
        times = self.at.ttft_s
        first = "" if times is None else f", TTFT {format_seconds(times.asked)}"
        load = format_percent(self.at.utilisation, 1.0)
        return f"Capacity({self}, {self.run}: load {load}{first})"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        at = self.at
        asked = {name: getattr(at, name) for name in ("ttft_s", "tpot_s", "latency_s")}
        return {
            "max_requests_per_second": self.requests_per_second,
            **{name: None if one is None else one.asked for name, one in asked.items()},
            "concurrency": at.concurrency,
            "batch": at.batch,
            "utilisation": at.utilisation,
            "bound": self.bound,
            **{f"mean_{name}": None if one is None else one.mean for name, one in asked.items()},
            "gpus_per_replica": self.gpus,
            "percentile": self.percentile,
            "level": self.level,
            "scheduler": "static" if self.scheduler is None else asdict(self.scheduler),
            "scheduler_source": dict(self.constants),
            "limits": dict(self.limits),
            "unstable_above": self.unstable_above,
            "kv_tokens": self.kv_tokens,
            "loads": [one.to_dict() for one in (at, *self.others)],
            "model": self.model.names,
            "hardware": None if self.run.hardware is None else self.run.hardware.name,
            "precision": self.run.precision,
            "tensor_parallel": int(self.run.tensor_parallel),
            "workload": {**vars(self.workload)},
            "requests": self.requests,
            "arrivals": "at random" if self.log is None else "as the log has them",
            "notes": list(self.notes),
        }
