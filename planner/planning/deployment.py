"""How a model would run: hardware, precision, GPUs, batch. Each axis may hold several values to choose from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, QuantityError
from planner.base.quantities import positive_number, whole_number
from planner.costs.latency import ROOFLINE, check_latency_source
from planner.hardware import Hardware, default_precision, find_hardware
from planner.hardware.precision import check_precisions
from planner.planning.limits import LimitKind
from planner.planning.request import Budget
from planner.planning.under_load.asked import Traffic, as_traffic

BATCHES_TRIED = (1, 2, 4, 8, 16, 32, 64)
PRICE_PER_HOUR_MAX = 1e12
"""Of one GPU, in any currency: above it is no price, and a million requests' overflows."""


@dataclass(frozen=True)
class Deployment:
    """The ways to run that are tried."""

    hardware: Hardware | None
    precisions: tuple[str, ...]
    """Of the LLM's matrices."""
    kv_precision: str | None
    """Of the KV cache; None: that of what is not quantised."""
    tensor_parallel: tuple[int, ...]
    """GPUs that share one model."""
    batches: tuple[int, ...]
    """Requests that run together; (1,) under a load, from which the batch follows."""
    gpus: int | None
    """GPUs in all, as many replicas as they hold; None: one replica, or as many as carry the load."""
    price_per_hour: float | None
    """Of one GPU, in any currency."""
    latency_source: str = ROOFLINE
    """Where times come from: "roofline" or "silicon"."""
    traffic: Traffic | None = None
    """The load of an engine that batches continuously; None: static batches, one after the other."""

    @property
    def gpus_follow(self) -> bool:
        """Whether all candidates get the fewest GPUs with which one of them carries the load."""
        return self.traffic is not None and self.gpus is None and not self.traffic.priced

    def on(self, gpus: int | None) -> Deployment:
        """The same on so many GPUs, as far as a model is shared by no more."""
        if gpus is None:
            return self
        devices = tuple(count for count in self.tensor_parallel if count <= gpus)
        return replace(self, gpus=gpus, tensor_parallel=devices)

    def replicas(self, tensor_parallel: int) -> int:
        """Copies of a model that so many GPUs share one of; what is left over idles."""
        return 1 if self.gpus is None else self.gpus // tensor_parallel

    def gpus_used(self, tensor_parallel: int) -> int:
        """GPUs whose throughput counts: those of all replicas."""
        return tensor_parallel * self.replicas(tensor_parallel)


def default_batches(limits: Iterable[LimitKind]) -> tuple[int, ...]:
    """The batches that are tried where none is asked for: several where a limit gains from them, else one request."""
    return BATCHES_TRIED if any(kind.batching_helps for kind in limits) else (1,)


def as_deployment(
    budget: Budget,
    hardware: str | Path | Hardware | None,
    precision: str | Iterable[str] | None,
    kv_precision: str | None,
    tensor_parallel: int | Iterable[int],
    batch: int | Iterable[int] | None,
    gpus: int | None,
    price_per_hour: float | None,
    latency_source: str = ROOFLINE,
    *,
    scheduler: str | None = None,
    percentile: float | None = None,
    concurrency: int | None = None,
    scale: float | None = None,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
    arriving: float | None = None,
) -> Deployment:
    """A Deployment from what a user may pass.

    Raises:
        InputError: a limit without what it needs, as hardware or a price per hour; more GPUs for one model than there
            are, or GPUs in all without hardware; what contradicts the load (`planner.planning.under_load.asked`).
        UnknownNameError: no such hardware, precision or scheduler.
    """
    check_latency_source(latency_source)
    card = None if hardware is None else find_hardware(hardware)
    for kind, _ in budget.kinds():
        if lacking := kind.missing(card, price_per_hour):
            raise InputError(lacking)
    precisions = (default_precision(card),) if precision is None else some(precision, "precision")
    for one in precisions:
        check_precisions(one, kv_precision)
    devices = tuple(whole_number(count, "tensor_parallel", 1) for count in some(tensor_parallel, "tensor_parallel"))
    batches = () if batch is None else tuple(whole_number(count, "batch", 1) for count in some(batch, "batch"))
    traffic = as_traffic(
        budget,
        scheduler,
        percentile,
        concurrency,
        scale,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        arriving=arriving,
        hardware=card is not None,
        batch=bool(batches),
        latency_source=latency_source,
    )
    if not batches:
        batches = (1,) if traffic is not None else default_batches(kind for kind, _ in budget.kinds())
    total = None if gpus is None else whole_number(gpus, "gpus", 1)
    if total is not None and min(devices) > total:
        raise InputError(f"tensor_parallel: {min(devices)} GPUs for one model, but gpus={total}")
    if total is not None:
        devices = tuple(count for count in devices if count <= total)
    if total is not None and card is None:
        raise InputError(
            "gpus: GPUs in all decide the throughput, and that needs hardware=, such as hardware='l4'; or leave "
            "gpus= out"
        )
    price = None if price_per_hour is None else positive_number(price_per_hour, "price_per_hour")
    if price is not None and price > PRICE_PER_HOUR_MAX:
        raise QuantityError(f"price_per_hour: expected at most {PRICE_PER_HOUR_MAX:g}, got {price:g}", price)
    if price is not None and card is None:
        raise InputError(
            "price_per_hour: a price needs the time that a request takes; name the hardware, such as hardware='l4', or "
            "leave the price out"
        )
    return Deployment(
        hardware=card,
        precisions=precisions,
        kv_precision=kv_precision,
        tensor_parallel=devices,
        batches=batches,
        gpus=total,
        price_per_hour=price,
        latency_source=latency_source,
        traffic=traffic,
    )


def several(value: Any) -> tuple[Any, ...]:
    """One value or several, each once, in the order given; nothing for None."""
    if value is None:
        return ()
    one = isinstance(value, str | bytes) or not isinstance(value, Iterable)
    found = [value] if one else list(value)
    return tuple(entry for i, entry in enumerate(found) if entry not in found[:i])  # not a set: some cannot be hashed


def some(value: Any, name: str) -> tuple[Any, ...]:
    """As `several`; raises InputError where there is none."""
    found = several(value)
    if not found:
        raise InputError(f"{name}: expected at least one choice, got none")
    return found
