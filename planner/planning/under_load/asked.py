"""The load that a service has to carry, as it is asked for, and how its engine schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, QuantityError, UnknownNameError
from planner.base.quantities import positive_number, shown, whole_number
from planner.costs.latency import ROOFLINE
from planner.planning.limits import LIMITS

if TYPE_CHECKING:
    from planner.planning.request import Budget

CONTINUOUS, STATIC = "continuous", "static"
SCHEDULERS = (CONTINUOUS, STATIC)
RATE = "requests_per_second"
"""The limit that is the load where an engine batches continuously."""
ARRIVING = "arriving_per_second"
"""Requests per second that arrive at all replicas of a candidate, a quantity of each: with so many requests under way
it follows from their latency."""
PERCENTILE, PERCENTILES = 95.0, (50.0, 99.0)
"""Of the requests that keep a limit of time; the least and the most."""
SCALE, SCALES = 2.0, (1.0, 1000.0)
"""How many times the load the next size is shown for; the least, which is not taken, and the most."""


@dataclass(frozen=True)
class Traffic:
    """Requests that arrive by themselves, at an engine that lets them join its batch at every step."""

    requests_per_second: float | None
    """Of all GPUs; None where `concurrency` says the load."""
    concurrency: int | None
    """Requests under way at once, on average: so many arrive as the latency leaves room for. None where a rate says the
    load."""
    percentile: float = PERCENTILE
    """Of the requests: so many percent keep each limit of time."""
    scale: float | None = None
    """How many times this load the next size is planned for; None: only what becomes of the pick at twice the load."""
    limits: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Limits of time by the quantity that they look at, seconds: replicas are added until they are kept."""
    memory_bytes: float | None = None
    """Limit of the memory of a GPU; None: what the engine takes by itself."""
    max_num_seqs: int | None = None
    """Sequences that an engine runs at once; None: as the profile of the hardware says, or vLLM's default."""
    max_num_batched_tokens: int | None = None
    """Tokens of an iteration; None likewise."""
    priced: bool = False
    """Whether a limit says what the GPUs may cost, of which each candidate then gets as many as it needs; else, where
    their number is not given either, all get the fewest with which one of them carries the load."""

    @property
    def next_scale(self) -> float:
        """How many times the load is looked at beside it."""
        return SCALE if self.scale is None else self.scale

    @property
    def text(self) -> str:
        """ "30 requests/s", "16 requests at once"."""
        if self.concurrency is not None:
            return f"{self.concurrency} request{'s' * (self.concurrency > 1)} at once"
        return f"{self.requests_per_second:.4g} requests/s"


def as_traffic(
    budget: Budget,
    scheduler: str | None,
    percentile: float | None,
    concurrency: int | None,
    scale: float | None,
    *,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
    arriving: float | None = None,
    hardware: bool,
    batch: bool,
    latency_source: str,
) -> Traffic | None:
    """The load, of what a user may pass; None for static batches, one after the other.

    Args:
        budget: its rate is the load.
        scheduler: "continuous", "static", or by default continuous where there is a load.
        percentile: 50 to 99.
        concurrency: requests under way at once, instead of a rate.
        scale: how many times the load.
        max_num_seqs, max_num_batched_tokens: of the engine's scheduler.
        arriving: requests per second of a log, where the budget has no rate.
        hardware: whether there is any.
        batch: whether a batch is asked for.
        latency_source: of the times.

    Raises:
        UnknownNameError: no such scheduler.
        InputError: what says something of a load that there is not, two loads, or what no such engine has.
    """
    if scheduler is not None and scheduler not in SCHEDULERS:
        raise UnknownNameError("scheduler", scheduler, SCHEDULERS)
    rate = budget.limits.get(RATE, arriving)
    if scheduler == STATIC and arriving is not None:
        raise InputError(
            "traffic: static batches run one after the other, whenever requests arrive; leave out scheduler=, or "
            "traffic= and take the lengths alone of the same file, by workload="
        )
    constants = {"max_num_seqs": max_num_seqs, "max_num_batched_tokens": max_num_batched_tokens}
    said = {"concurrency": concurrency, "percentile": percentile, "scale": scale, **constants}
    if scheduler == STATIC or (rate is None and concurrency is None):
        for name, value in said.items():
            if value is not None:
                raise InputError(_no_load(name, scheduler))
        if scheduler == CONTINUOUS:
            raise InputError(_no_load("scheduler='continuous'", None))
        return None
    if rate is not None and concurrency is not None:
        raise InputError(
            f"concurrency: the load is {rate:g} requests per second already, by requests_per_second=; leave one out"
        )
    if not hardware:
        raise InputError("concurrency: a load needs hardware=, such as hardware='l4'")
    if batch:
        raise InputError(
            "batch: under continuous batching the batch follows from the load; leave out batch=, or say "
            "scheduler='static' for batches of one size, one after the other"
        )
    if latency_source != ROOFLINE:
        raise InputError(
            f"latency_source: continuous batching is timed by 'roofline', got {shown(latency_source)}; leave it out, "
            "or say scheduler='static'"
        )
    low, high = PERCENTILES
    share = PERCENTILE if percentile is None else positive_number(percentile, "percentile")
    if not low <= share <= high:
        raise QuantityError(f"percentile: expected a number from {low:g} to {high:g}, got {share:g}", percentile)
    times = None if scale is None else positive_number(scale, "scale")
    if times is not None and not SCALES[0] < times <= SCALES[1]:
        raise QuantityError(f"scale: expected more than 1 time the load and at most 1000, got {times:g}", scale)
    return Traffic(
        requests_per_second=rate,
        concurrency=None if concurrency is None else whole_number(concurrency, "concurrency", 1),
        percentile=share,
        scale=times,
        **{name: None if value is None else whole_number(value, name, 1) for name, value in constants.items()},
        limits={kind.column: value for kind, value in budget.kinds() if kind.of_each_request},
        memory_bytes=budget.limits.get("memory_bytes"),
        priced=any(kind.batching_helps and not kind.of_all_gpus for kind, _ in budget.kinds()),
    )


def _no_load(name: str, scheduler: str | None) -> str:
    """Why something cannot be said."""
    if scheduler == STATIC:
        return f"{name}: static batches run one after the other, whatever arrives; leave out {name}= or scheduler="
    example = LIMITS.find(RATE).keyword
    return f"{name}: needs a load, such as budget=Budget({example}=30), or concurrency=16"
