"""Limits of a budget: which candidates keep them, which limit binds, which two cannot be kept together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from planner.base.quantities import format_bytes, format_flops, format_seconds
from planner.hardware import Hardware
from planner.planning.request import Budget

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RELAXED_BY = 0.1
"""How much looser a limit is made to see what that buys."""


@dataclass(frozen=True)
class Limit:
    """One limit, and the column of the candidates that it holds down (or up)."""

    name: str
    """Field of the Budget."""
    column: str
    """Quantity of a candidate, by name with unit."""
    title: str
    value: float
    show: Callable[[float], str]
    at_least: bool = False

    def met(self, quantities: Mapping[str, FloatArray]) -> BoolArray:
        """Which candidates keep it."""
        column = quantities[self.column]
        return column >= self.value if self.at_least else column <= self.value

    def share(self, quantity: float) -> float:
        """How much of the limit is used, 1 at the limit."""
        return self.value / quantity if self.at_least else quantity / self.value

    def relaxed(self) -> Limit:
        factor = 1 / (1 + RELAXED_BY) if self.at_least else 1 + RELAXED_BY
        return replace(self, value=self.value * factor)

    def __str__(self) -> str:
        return f"{self.title} {'at least' if self.at_least else 'at most'} {self.show(self.value)}"


def _plain(number: float) -> str:
    """A rate or a price to four digits, without powers of ten: "20.03", "20000"."""
    return f"{number:.4g}" if number < 1e4 else f"{number:.0f}"


def show_price(price: float) -> str:
    """Money, in the currency of the price per hour: "0.80", "12.76"; to four digits above 100 and below 1."""
    cents, digits = f"{price:.2f}", _plain(price)
    return cents if 1 <= price < 100 or (price < 1 and float(cents) == float(digits)) else digits


_KINDS: dict[str, tuple[str, str, Callable[[float], str], bool]] = {
    "flops": ("total_flops", "FLOPs", format_flops, False),
    "ttft_s": ("ttft_s", "TTFT", format_seconds, False),
    "tpot_s": ("tpot_s", "TPOT", format_seconds, False),
    "request_s": ("request_s", "request latency", format_seconds, False),
    "memory_bytes": ("peak_memory_bytes", "memory of a device", format_bytes, False),
    "energy_joules": ("energy_joules", "energy of a request", lambda joules: f"{joules:.3g} J", False),
    "price_per_million_requests": (
        "price_per_million_requests",
        "price of a million requests",
        _plain,
        False,
    ),
    "requests_per_second": ("requests_per_second", "requests per second", _plain, True),
}
"""Field of the Budget -> column, title, how to show a value, whether it is a least instead of a most."""

NEEDS_HARDWARE = tuple(name for name in _KINDS if name not in ("flops", "memory_bytes"))


def limits_of(budget: Budget, hardware: Hardware | None) -> tuple[Limit, ...]:
    """The limits of a budget; the memory of the hardware is one too, the last where it is not asked for."""
    found: list[Limit] = []
    given: list[Limit] = []
    for name, (column, title, show, at_least) in _KINDS.items():
        value = getattr(budget, name)
        if name == "memory_bytes" and hardware is not None:
            value = hardware.memory_bytes if value is None else min(value, hardware.memory_bytes)
        if value is not None:
            asked = getattr(budget, name) is not None
            (found if asked else given).append(Limit(name, column, title, value, show, at_least))
    return (*found, *given)


def all_met(limits: Sequence[Limit], quantities: Mapping[str, FloatArray]) -> BoolArray:
    """Which candidates keep every limit."""
    rows = len(next(iter(quantities.values())))
    met = np.ones(rows, bool)
    for limit in limits:
        met &= limit.met(quantities)
    return met


def conflict(limits: Sequence[Limit], quantities: Mapping[str, FloatArray], possible: BoolArray) -> tuple[Limit, ...]:
    """Why nothing fits: the one limit that nothing keeps, else two that nothing keeps together, else all of them."""
    met = {limit.name: limit.met(quantities) & possible for limit in limits}
    for limit in limits:
        if not met[limit.name].any():
            return (limit,)
    for one, other in combinations(limits, 2):
        if not (met[one.name] & met[other.name]).any():
            return one, other
    return tuple(limits)


def gpus_that_do(
    limits: Sequence[Limit],
    quantities: Mapping[str, FloatArray],
    possible: BoolArray,
    tensor_parallel: NDArray[np.intp],
    gpus: int | None,
) -> int | None:
    """The least GPUs with which one of these candidates keeps every limit; None where no number of them helps.

    A replica on n GPUs gives r requests per second, G GPUs give floor(G / n) r; no other quantity knows of G. So
    G = n ceil(wanted / r), the least of all candidates that keep the other limits.

    Args:
        limits: every limit.
        quantities: of the candidates, with the throughput of `gpus`.
        possible: which candidates can run at all.
        tensor_parallel: n of each candidate.
        gpus: G now; None: a single replica.
    """
    rate = next((limit for limit in limits if limit.name == "requests_per_second"), None)
    if rate is None:
        return None
    rows = np.flatnonzero(all_met([limit for limit in limits if limit is not rate], quantities) & possible)
    devices = tensor_parallel[rows]
    per_replica = quantities[rate.column][rows] / (1 if gpus is None else gpus // devices)
    useful = per_replica > 0
    devices, per_replica = devices[useful], per_replica[useful]
    replicas = np.ceil(rate.value / per_replica)
    replicas -= (replicas - 1) * per_replica >= rate.value  # a quotient near a whole number is rounded to either side
    replicas += replicas * per_replica < rate.value
    return int((devices * replicas).min()) if len(devices) else None


@dataclass(frozen=True)
class Slack:
    """What one limit is to the pick."""

    limit: Limit
    used: float
    """Share of the limit that the pick uses."""
    binds: bool
    """Whether a better candidate would fit without it."""
    relaxed_row: int | None
    """Row of the better pick if the limit were 10 % looser, None if that buys nothing."""


def slacks(
    limits: Sequence[Limit], quantities: Mapping[str, FloatArray], errors: FloatArray, possible: BoolArray, best: int
) -> tuple[Slack, ...]:
    """For each limit, all others kept: does it bind, and what does relaxing it by 10 % buy?"""
    found = []
    for limit in limits:
        others = all_met([other for other in limits if other is not limit], quantities) & possible
        better = others & (errors < errors[best])
        relaxed = np.flatnonzero(better & limit.relaxed().met(quantities))
        row = int(relaxed[np.argmin(errors[relaxed])]) if len(relaxed) else None
        used = limit.share(float(quantities[limit.column][best]))
        found.append(Slack(limit, used, bool(better.any()), row))
    return tuple(found)
