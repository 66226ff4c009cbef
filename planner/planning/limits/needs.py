"""What has to be known before a limit means anything: the hardware, its power, what it costs an hour."""

from __future__ import annotations

from collections.abc import Callable

from planner.base.dataclass import dataclass
from planner.hardware import Hardware


@dataclass(frozen=True)
class Need:
    """One thing that a limit may need."""

    argument: str
    """The argument of `planner.plan` that gives it."""
    missing: Callable[[Hardware | None, float | None], str]
    """(hardware, price per hour) -> what to give, as the end of "an energy limit needs ..."; "" where it is there."""
    on_the_page: str
    """The same for somebody who has the explorer's controls before him."""


def _hardware(card: Hardware | None, _: float | None) -> str:
    return "" if card is not None else "hardware=, such as hardware='l4'"


def _power(card: Hardware | None, _: float | None) -> str:
    if card is None or card.power_w is not None:
        return ""
    return f"the power of {card.title}, which is not known: give power_w in a hardware profile"


def _price(_: Hardware | None, price_per_hour: float | None) -> str:
    return "" if price_per_hour is not None else "price_per_hour=, what one GPU costs an hour: no prices are shipped"


HARDWARE = Need("hardware", _hardware, "a GPU: choose one")
POWER = Need("hardware", _power, "a GPU whose power is known: choose another one")
PRICE_PER_HOUR = Need("price_per_hour", _price, "the price of a GPU hour: no prices are shipped")
