"""A kind of limit, described once: how it is given, read, shown and kept. `LIMITS` is the registry of all kinds.

An entry gives the Budget's keyword and field, the option of the command line, the explorer's slider, the row of every
table, the entry of a plan's file and the command that makes a plan again:

    planner.register(LimitKind("carbon_grams", "carbon of a request", parse_plain, show, "g", keyword="carbon",
                               compute=lambda quantities: quantities["energy_joules"] * GRAMS_PER_JOULE,
                               needs=(HARDWARE, POWER)))
    planner.plan(budget=planner.Budget(carbon=0.5), hardware="l4", ...)      # --limit carbon=0.5
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, QuantityError, UnknownNameError
from planner.base.quantities import format_percent, shown
from planner.base.registry import Registry
from planner.hardware import Hardware
from planner.planning.limits.needs import Need

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RELAXED_BY = 0.1
"""How much looser a limit is made to see what that buys."""


@dataclass(frozen=True)
class Slider:
    """A logarithmic slider of the explorer; its far end is no limit."""

    low: float
    """In `unit`."""
    high: float
    unit: str = ""
    """As it is written behind the number: "ms"."""
    unit_size: float = 1.0
    """Of the unit, in the base unit."""


@dataclass(frozen=True, repr=False)
class LimitKind:
    """Something that a budget may limit."""

    name: str
    """Field of the Budget and key in files, with its unit: "ttft_s"."""
    title: str
    """In words: "TTFT", "memory per device"."""
    parse: Callable[[Any, str], float]
    """(value, what an error calls it) -> a positive number in the base unit, from a number or a text with a unit."""
    show: Callable[[float], str]
    """A number in the base unit, for people; `parse` reads it."""
    unit: str = ""
    """Base unit: "s", "bytes"; "" of a plain number."""
    help: str = ""
    """What it limits, in a sentence for the command line."""
    keyword: str = ""
    """Keyword of the Budget: "ttft"; the name where it is left out."""
    option: str = ""
    """Of the command line: "--ttft"; made from the keyword where it is left out."""
    short: str = ""
    """Before the word "limit": "an energy limit"; the title where it is left out."""
    heading: str = ""
    """Above the explorer's slider; the title where it is left out."""
    column: str = ""
    """Quantity of the candidates that it looks at, by name with unit; the name where it is left out."""
    compute: Callable[[Mapping[str, FloatArray]], FloatArray] | None = None
    """Quantities of all candidates, each of shape (rows,) -> that column; None where every candidate has it."""
    at_least: bool = False
    """A floor instead of a ceiling."""
    looser: str = ""
    """What there is more or less of where it is relaxed, {} being the share: "{} more FLOPs"."""
    needs: tuple[Need, ...] = ()
    """What has to be known too."""
    typed: Callable[[str, str], float] | None = None
    """As `parse`, for texts that people type: refuses those whose unit was forgotten. `parse` where it is left out."""
    example: float | None = None
    """A usual value in the base unit, for messages."""
    of_hardware: Callable[[Hardware], float] | None = None
    """What the hardware allows by itself, whatever the budget says."""
    batching_helps: bool = False
    """Whether batches are tried where it is asked for."""
    of_all_gpus: bool = False
    """Whether it is counted for all replicas together, so that more GPUs give more of it."""
    of_each_request: bool = False
    """Whether it is a time that differs from request to request under a load: a percentile is held then."""
    names_itself: bool = False
    """Whether a shown value says what it is: "2 TFLOPs"."""
    slider: Slider | None = None
    """None: the explorer has none for it."""

    def __repr__(self) -> str:
        return f"LimitKind({self.name!r}, {self.title!r})"

    def __post_init__(self) -> None:
        for field, default in (
            ("keyword", self.name),
            ("option", f"--{(self.keyword or self.name).replace('_', '-')}"),
            ("short", self.title),
            ("heading", self.title),
            ("column", self.name),
            ("looser", f"{{}} {'less' if self.at_least else 'more'} {self.title}"),
        ):
            object.__setattr__(self, field, getattr(self, field) or default)
        if not (isinstance(self.name, str) and self.name.isidentifier() and self.keyword.isidentifier()):
            raise InputError(f"a limit's name and keyword have to be words such as 'ttft_s', got {self.name!r}")

    @property
    def called(self) -> str:
        """ "an energy limit", "a TTFT limit"."""
        return f"{'an' if self.short[0] in 'aeio' else 'a'} {self.short} limit"

    def read_typed(self, text: str, where: str) -> float:
        """A text that somebody typed. Raises QuantityError."""
        return (self.typed or self.parse)(text, where)

    def read_given(self, value: Any, key: str) -> float:
        """A number or a text that was given under its keyword or its name.

        Raises QuantityError as `parse` does, and for a plain number under the keyword, which names no unit, where
        `read_typed` refuses such a text too.
        """
        found = self.parse(value, key)
        if isinstance(value, str) or key.lower() == self.name or self.reads(repr(found)) is not None:
            return found
        number = f"{self.name}=" if self.example is None else f"{self.name}={as_number(self.example)}"
        text = "a text with its unit" if self.example is None else f"{self.keyword}={self.show(self.example)!r}"
        raise QuantityError(f"{key}: {shown(value)} has no unit: write it as in {text} or {number}", value)

    def reads(self, text: str) -> float | None:
        """What a text that somebody typed is read as; None where it is refused."""
        try:
            return self.read_typed(text, self.name)
        except InputError:
            return None

    def exact_text(self, value: float) -> str:
        """A value as people write it where that is exact, else at full precision; `read_typed` gives it back."""
        number = as_number(value)
        texts = (self.show(value).replace(" ", "").replace("µ", "u"), number)
        return next((text for text in texts if self.reads(text) == value), f"{number}{self.unit}")

    def missing(self, hardware: Hardware | None, price_per_hour: float | None) -> str:
        """What it needs and does not have, in a sentence; "" where nothing is missing."""
        lacking = (need.missing(hardware, price_per_hour) for need in self.needs)
        return next((f"{self.called} needs {text}" for text in lacking if text), "")


@dataclass(frozen=True, repr=False)
class Limit:
    """One limit of a budget: a kind with its value."""

    kind: LimitKind
    value: float
    """In the base unit of the kind."""
    percentile: float | None = None
    """Of the requests under a load that have to keep it; None where it holds for one alone."""

    @property
    def name(self) -> str:
        """Field of the Budget."""
        return self.kind.name

    @property
    def column(self) -> str:
        """Quantity of a candidate, by name with unit."""
        return self.kind.column

    @property
    def title(self) -> str:
        """In words: "TTFT", "p95 TTFT" under a load."""
        return self.kind.title if self.percentile is None else f"p{self.percentile:g} {self.kind.title}"

    @property
    def at_least(self) -> bool:
        """Whether it is a floor."""
        return self.kind.at_least

    def show(self, value: float) -> str:
        """A quantity that it holds, for people."""
        return self.kind.show(value)

    def met(self, quantities: Mapping[str, FloatArray]) -> BoolArray:
        """Which candidates keep it."""
        column = quantities[self.column]
        return column >= self.value if self.at_least else column <= self.value

    def share(self, quantity: float) -> float:
        """How much of the limit is used, 1 at the limit."""
        return self.value / quantity if self.at_least else quantity / self.value

    def relaxed(self) -> Limit:
        """The same, 10 % looser: a ceiling times 1.1, a floor divided by 1.1."""
        factor = 1 / (1 + RELAXED_BY) if self.at_least else 1 + RELAXED_BY
        return replace(self, value=self.value * factor)

    @property
    def relaxed_text(self) -> str:
        """What `relaxed` is, in words: "10 % more FLOPs", "9 % fewer requests per second" (1/1.1 of them)."""
        text = self.kind.looser.format(format_percent(abs(self.relaxed().value - self.value), self.value))
        return text if self.percentile is None else text.replace(self.kind.title, self.title)

    @property
    def of_one(self) -> str:
        """What it looks at: "TTFT"; "FLOPs of one request"."""
        return f"{self.title} of one request" if self.kind.names_itself else self.title

    @property
    def short_text(self) -> str:
        """ "TTFT at most 30 ms"; "2 TFLOPs", which names itself."""
        return self.show(self.value) if self.kind.names_itself else str(self)

    def __repr__(self) -> str:
        return f"Limit({self})"

    def __str__(self) -> str:
        return f"{self.title} {'at least' if self.at_least else 'at most'} {self.show(self.value)}"


LIMITS: Registry[LimitKind] = Registry("limit", LimitKind)
"""Every kind of limit, in the order in which limits are listed; plans run their frontier along the first one asked."""


def find_limit(key: object) -> LimitKind:
    """The kind with that keyword ("ttft") or name ("ttft_s"), case apart. Raises UnknownNameError with suggestions."""
    wanted = key.lower().replace("-", "_") if isinstance(key, str) else ""
    by_keyword = {kind.keyword.lower(): kind for kind in LIMITS}
    found = by_keyword.get(wanted) or LIMITS.get(wanted)  # the registry asks installed packages for what it lacks
    if found is None:
        found = {kind.keyword.lower(): kind for kind in LIMITS}.get(wanted)
    if found is None:
        raise UnknownNameError("limit", key, [kind.keyword for kind in LIMITS])
    return found


def said_in_a_budget(key: str, value: object) -> str:
    """What to say instead where a limit was given beside the budget; "" of what is no limit."""
    try:
        kind = find_limit(key)
    except UnknownNameError:
        return ""
    name = kind.keyword if isinstance(value, str) else kind.name
    return f"a limit stands in the budget: say budget=Budget({name}={shown(value)})"


def as_number(value: float) -> str:
    """A number at full precision, whole ones without a point."""
    return repr(int(value)) if value.is_integer() and value < 1e15 else repr(value)


def limits_in_unit_of(value: object) -> tuple[LimitKind, ...]:
    """The kinds that read a text with a unit, such as "150 ms"; () of a text that has none, and of what is no text."""
    if not isinstance(value, str) or _has_no_unit(value):
        return ()
    return tuple(kind for kind in LIMITS if kind.reads(value) is not None)


def _has_no_unit(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
