"""What is known of a candidate under the load, as a plan holds it and its file stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from planner.base.codec import INLINE, SPARSE
from planner.base.dataclass import dataclass
from planner.base.stored import COUNT, Whole

_FROM_ONE = Whole(1)


@dataclass(frozen=True)
class Carried:
    """A candidate under the load, at one level: "steady" (closed form), "chain" (numerical) or "events" (simulated)."""

    level: str
    requests_per_second: float
    """Of all replicas together."""
    gpus: Annotated[int, _FROM_ONE]
    replicas: Annotated[int, _FROM_ONE]
    utilisation: float
    """The rate by that above which it is unstable."""
    running: float
    """Sequences that one replica decodes at once, on average."""
    ttft_s: Mapping[str, float] = field(metadata=INLINE)
    """Seconds by "mean", "p50", "p95", "p99", and by the percentile that was asked for."""
    tpot_s: Mapping[str, float] = field(metadata=INLINE)
    """The same of each request's mean; {} where no request generates more than one token."""
    latency_s: Mapping[str, float] = field(metadata=INLINE)
    goodput: float | None = field(default=None, metadata=SPARSE)
    """Share of the requests within every limit of time; None where the level knows no joint times."""

    def time_s(self, quantity: str, percentile: float) -> float:
        """Seconds of a quantity that limits look at ("ttft_s", "tpot_s", "request_s") at a percentile; 0 of TPOT where
        no request has one."""
        own = {"ttft_s": self.ttft_s, "tpot_s": self.tpot_s, "request_s": self.latency_s}[quantity]
        return own.get(f"p{percentile:g}", 0.0)


@dataclass(frozen=True)
class Scaled:
    """The pick at several times the load."""

    factor: float
    requests_per_second: float
    gpus: Annotated[int, _FROM_ONE]
    """That the pick needs for it."""
    stable: bool
    """Whether the GPUs of the plan keep up with it at all."""
    ttft_s: Mapping[str, float] = field(default_factory=dict, metadata=INLINE)
    """On the GPUs of the plan; {} where they do not keep up."""


@dataclass(frozen=True)
class Rival:
    """One of the next best under the same load."""

    llm: str
    visual_tokens: Annotated[int, COUNT]
    precision: str
    carried: Carried


@dataclass(frozen=True)
class Served:
    """The pick under the load, simulated, and how much more it carries."""

    requests_per_second: float
    gpus: Annotated[int, _FROM_ONE]
    replicas: Annotated[int, _FROM_ONE]
    utilisation: float
    goodput: float | None
    ttft_s: Mapping[str, float] = field(metadata=INLINE)
    tpot_s: Mapping[str, float] = field(metadata=INLINE)
    latency_s: Mapping[str, float] = field(metadata=INLINE)
    max_requests_per_second: float
    """Of all replicas, within the limits."""
    level: str
    """Of the times."""
    max_level: str
    """Of the largest rate."""
    bound: str
    """What ends it: "ttft", "tpot", "latency", or what is full where it becomes unstable."""
    unstable_above: float
    """Requests per second of all replicas."""
    running: float
    percentile: float
    scaled: Scaled
    rivals: tuple[Rival, ...] = field(default=(), metadata=SPARSE)
