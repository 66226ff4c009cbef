"""What is asked for: Budget. (The Workload is defined where it is costed, in `costs.stages`.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, TypeAlias

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, QuantityError, UnknownNameError
from planner.base.quantities import parse_flops, shown
from planner.costs.flops import CONVENTIONS, FULL
from planner.costs.stages import Workload, as_workload
from planner.planning.limits import LIMITS, LimitKind, find_limit, limits_in_unit_of

if TYPE_CHECKING:
    from planner.traffic.arrivals import Log

__all__ = ["Budget", "Load", "Quantity", "Workload", "as_budget", "as_workload"]

Quantity: TypeAlias = str | float
"""A text with a unit ("150 ms"), or a plain number in the base unit, which the name has to say: ttft_s=0.15."""


@dataclass(frozen=True, init=False, repr=False)
class Budget:
    """The most that a request may cost, in any combination of limits; at least one is needed.

        Budget("2 TFLOPs")
        Budget(ttft="150 ms", memory="24 GiB")
        Budget(requests_per_second=20, price=12.5)

    Every limit of the table is a keyword: `ttft`, `tpot`, `latency` (times of a request), `memory` (peak on one device;
    that of the hardware by default), `energy` (joules of a request), `price` (of a million requests), and
    `requests_per_second` (of all GPUs, at least). A limit that was registered from outside is one too. The names with
    their units (`ttft_s`, `memory_bytes`), under which a budget gives the values back, are taken as well. A time as a
    plain number is taken under these alone, `ttft_s=0.15`, and so is a memory of under a million bytes: `ttft=150` says
    neither ms nor s.

    Args:
        flops: FLOPs of one request.
        convention: how FLOPs are counted: "full" (every stage), "paper" (2 N (Q + V + G), LLM only) or "torch".
        limits: limits by keyword or name, as the keywords below.
        more: a limit each; None is no limit.

    Raises:
        QuantityError: a limit that is no positive number of its unit or lacks a unit, or no limit at all.
        UnknownNameError: no such limit or convention.
        InputError: a limit that is given twice.
    """

    convention: str
    """How FLOPs are counted."""
    limits: Mapping[str, float]
    """Every limit that is set, in its base unit, by its name with the unit ("ttft_s"), in the order of the table."""

    def __init__(
        self,
        flops: Quantity | None = None,
        convention: str = FULL,
        limits: Mapping[str, Quantity | None] | None = None,
        **more: Quantity | None,
    ) -> None:
        if convention not in CONVENTIONS:
            raise UnknownNameError("convention", convention, CONVENTIONS)
        if limits is not None and not isinstance(limits, Mapping):
            raise InputError(f"limits: expected a mapping such as {{'ttft': '150 ms'}}, got {shown(limits)}")
        found = {} if limits is None else _read(limits)
        found |= _read(more if flops is None else {"flops": flops, **more})
        if not found:
            *others, last = (kind.keyword for kind in LIMITS if kind.name != "flops")
            raise QuantityError(
                "Budget: expected at least one limit, got none: FLOPs of one request, as Budget('2 TFLOPs'), or one or "
                f"more of {', '.join(others)} and {last}, as Budget(ttft='150 ms', memory='24 GiB')",
                None,
            )
        object.__setattr__(self, "convention", convention)
        object.__setattr__(self, "limits", {kind.name: found[kind.name] for kind in LIMITS if kind.name in found})

    @property
    def flops(self) -> float | None:
        """FLOPs of one request; None: no limit."""
        return self.limits.get("flops")

    def __getattr__(self, name: str) -> float | None:
        """A limit by its name or keyword, None where it is not set."""
        if name.startswith("_") or name in ("convention", "limits"):
            raise AttributeError(name)  # what copies and pickles ask for before anything is set
        try:
            kind = find_limit(name)
        except UnknownNameError as error:
            raise AttributeError(f"a Budget has no {name!r}: {error}") from None
        return self.limits.get(kind.name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(kind.name for kind in LIMITS)]

    def __hash__(self) -> int:
        return hash((self.convention, *self.limits.items()))

    def __repr__(self) -> str:
        parts = []
        for kind, value in self.kinds():
            text = kind.show(value)
            if kind.reads(text) == value:
                parts.append(f"{'flops' if kind.name == 'flops' else kind.keyword}={text!r}")
            else:
                parts.append(f"{kind.name}={value!r}")
        if self.convention != FULL:
            parts.append(f"convention={self.convention!r}")
        return f"Budget({', '.join(parts)})"

    def kinds(self) -> tuple[tuple[LimitKind, float], ...]:
        """Every limit that is set, with its value in the base unit."""
        return tuple((LIMITS.find(name), value) for name, value in self.limits.items())


def _read(given: Mapping[str, Quantity | None]) -> dict[str, float]:
    """Limits by the names of their kinds, in base units. Raises as Budget does."""
    found: dict[str, float] = {}
    for key, value in given.items():
        kind = find_limit(key)
        if value is None:
            continue
        if kind.name in found:
            raise InputError(f"{key}: this limit is given twice, as {kind.keyword} and {kind.name}; leave one out")
        found[kind.name] = kind.parse(value, kind.keyword) if key.lower() == "flops" else kind.read_given(value, key)
    return found


def as_budget(budget: Budget | Quantity, convention: str | None) -> Budget:
    """A Budget from what a user may pass; `convention` overrides a plain number's default."""
    if isinstance(budget, Budget):
        return budget if convention is None else replace(budget, convention=convention)
    try:
        flops = parse_flops(budget)
    except QuantityError:
        others = limits_in_unit_of(budget)
        if not others:
            raise
        first, *rest = (kind.keyword for kind in others)
        also = f" (or {' or '.join(f'{keyword}=' for keyword in rest)})" if rest else ""
        raise QuantityError(
            f"budget: a value alone is FLOPs of one request, got {shown(budget)}; say "
            f"budget=Budget({first}={shown(budget)}){also}",
            budget,
        ) from None
    return Budget(flops, FULL if convention is None else convention)


@dataclass(frozen=True)
class Load:
    """What is served."""

    mean: Workload
    """The request that FLOPs, throughput, energy and price are counted for."""
    tail: Workload
    """The request that times and memory must hold for: the 95th percentile of a distribution, else the same."""
    requests: int = 1
    """How many requests these stand for."""
    longest: Workload | None = None
    """As long in every count as any of them, which a server must take too; None of one request, or where a plan's file
    does not say."""
    kinds: tuple[Workload, ...] = ()
    """Requests that come under a load; left out, all are the mean one."""
    shares: tuple[float, ...] = ()
    """Of each kind; they sum to 1."""
    arrivals: Log | None = field(default=None, compare=False, repr=False)
    """When they came, of a log; None: at random."""
    file: str = field(default="", compare=False, repr=False)
    """That they were read from; "" of one request, or where a plan's file does not say."""
    logged: bool = field(default=False, compare=False, repr=False)
    """Whether that file is a log, whose time stamps say when they come."""

    def __post_init__(self) -> None:
        if not self.mean.images:
            told = "a plan chooses visual tokens of images; cost and capacity answer for text alone"
            raise QuantityError(f"images: expected at least 1, got 0: {told}", 0)
        if not self.kinds:
            object.__setattr__(self, "kinds", (self.mean,))
            object.__setattr__(self, "shares", (1.0,))
