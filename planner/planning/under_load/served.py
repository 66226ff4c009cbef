"""What is known of a candidate under the load, as a plan holds it and its file stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from planner.base.codec import SPARSE
from planner.base.dataclass import dataclass
from planner.base.stored import COUNT, Whole

_FROM_ONE = Whole(1)
TIMES = ("ttft_s", "tpot_s", "request_s")
"""Quantities that limits of time look at."""


@dataclass(frozen=True)
class Most:
    """How much a candidate carries."""

    requests_per_second: float
    """Of all replicas, within every limit of time."""
    bound: str
    """What ends it: "ttft", "tpot", "latency"; "capacity" where nine tenths of that are used, or seats or cache are
    full, and only a simulation would say more."""
    level: str
    unstable_above: float
    """Requests per second of all replicas, in closed form."""


@dataclass(frozen=True)
class Carried:
    """A candidate under the load, at one level: "chain" (numerical) or "events" (simulated)."""

    level: str
    requests_per_second: float
    """Of all replicas together."""
    gpus: Annotated[int, _FROM_ONE]
    """Those that are paid for."""
    replicas: Annotated[int, _FROM_ONE]
    utilisation: float
    """The rate by that above which it is unstable."""
    running: float
    """Sequences that one replica decodes at once, on average."""
    ttft_s: Mapping[str, float] = field(hash=False)
    """Seconds by "mean", "p50", "p95", "p99", and by the percentile that was asked for."""
    tpot_s: Mapping[str, float] = field(hash=False)
    """The same of each request's mean; {} where no request generates more than one token."""
    latency_s: Mapping[str, float] = field(hash=False)
    goodput: float | None = field(default=None, metadata=SPARSE)
    """Share of the requests within every limit of time; None where the level knows no joint times."""
    idle_gpus: Annotated[int, COUNT] = field(default=0, metadata=SPARSE)
    """Of `gpus`, those that are too few for another replica: they are paid for and do nothing."""
    most: Most | None = field(default=None, metadata=SPARSE)
    """How much it carries; None where nobody asked."""

    def time_s(self, quantity: str, percentile: float) -> float:
        """Seconds of one of `TIMES` at a percentile; 0 of TPOT where no request has one."""
        own = {"ttft_s": self.ttft_s, "tpot_s": self.tpot_s, "request_s": self.latency_s}[quantity]
        return own.get(f"p{percentile:g}", 0.0)


@dataclass(frozen=True)
class Scaled:
    """The pick at several times the load."""

    factor: float
    requests_per_second: float
    stable: bool
    """Whether the GPUs of the plan keep up with it."""
    gpus: Annotated[int, _FROM_ONE]
    """That the pick needs for it within the limits."""
    ttft_s: Mapping[str, float] = field(default_factory=dict, hash=False)
    """On the GPUs of the plan; {} where they do not keep up, or only a simulation answers."""


@dataclass(frozen=True)
class Rival:
    """One of the next best under the same load."""

    name: str
    visual_tokens: Annotated[int, COUNT]
    precision: str
    tensor_parallel: Annotated[int, _FROM_ONE]
    carried: Carried | None
    """None: it does not keep up with the load."""


@dataclass(frozen=True)
class ScheduledBy:
    """Constants of an engine's scheduler, and where they come from."""

    max_num_seqs: Annotated[int, _FROM_ONE]
    max_num_batched_tokens: Annotated[int, _FROM_ONE]
    source: Mapping[str, str] = field(hash=False)
    """By name: "as asked", "vLLM's defaults", or of a profile that was calibrated to an engine."""


@dataclass(frozen=True)
class Served:
    """The pick under the load, simulated, and how much more it carries."""

    requests_per_second: float
    gpus: Annotated[int, _FROM_ONE]
    replicas: Annotated[int, _FROM_ONE]
    utilisation: float
    goodput: float | None
    ttft_s: Mapping[str, float] = field(hash=False)
    tpot_s: Mapping[str, float] = field(hash=False)
    latency_s: Mapping[str, float] = field(hash=False)
    max_requests_per_second: float
    """Of all replicas, within the limits of time."""
    level: str
    """Of the times: "events", or "chain" where the simulated queue grows."""
    max_level: str
    """Of the largest rate."""
    bound: str
    """What ends it, as `Most.bound`."""
    unstable_above: float
    """Requests per second of all replicas, in closed form."""
    running: float
    """Sequences that one replica decodes at once, on average."""
    percentile: float
    """Of the requests that keep the limits of time."""
    confirmed: Carried
    """The pick by the level that confirmed it."""
    scaled: Scaled
    rivals: tuple[Rival, ...] = field(default=(), metadata=SPARSE)
    scheduler: ScheduledBy | None = field(default=None, metadata=SPARSE)
    """Of each engine; None in files of versions before."""
    idle_gpus: Annotated[int, COUNT] = field(default=0, metadata=SPARSE)
    """Of `gpus`, those that are too few for another replica: they are paid for and do nothing."""
