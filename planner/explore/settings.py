"""Each setting as text, as links and controls have it: how it is read, checked against the offer, written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import parse_plain, shown, whole_number
from planner.explore.offer import Offer
from planner.explore.state import State
from planner.planning.limits import LimitKind
from planner.planning.under_load.asked import PERCENTILES

NONE = "none"
"""No limit, no card."""
ANY = "any"
"""All batches are tried."""
TOKENS_MAX = 1_000_000
REQUESTS_MAX, GPUS_MAX = 100_000, 10_000

Read = Callable[[str, Offer], Any]


@dataclass(frozen=True)
class Setting:
    """One control of the page."""

    key: str
    """In a link, and the name of the control."""
    field: str
    """Of the State."""
    read: Read
    """Text -> value. Raises InputError for what cannot be or is not on offer."""
    write: Callable[[Any], str]
    """Value -> text that reads as the same value."""
    is_limit: bool = False
    """Whether the field is one of the State's limits."""

    def of(self, state: State) -> Any:
        """Its value in a state; None of a limit that is not set."""
        return state.limits.get(self.field) if self.is_limit else getattr(state, self.field)


def fresh_state(offer: Offer) -> State:
    """What a page without a link is set to."""
    return State(law=offer.law)


def _limit(kind: LimitKind) -> Setting:
    """A limit as text, or none."""

    def read(text: str, _: Offer) -> float | None:
        return None if text.strip().lower() in ("", NONE) else kind.read_typed(text.strip(), kind.keyword)

    def write(value: float | None) -> str:
        return NONE if value is None else kind.exact_text(value)

    return Setting(kind.keyword, kind.name, read, write, is_limit=True)


def _read_price(text: str, _: Offer) -> float | None:
    return None if text.strip().lower() in ("", NONE) else parse_plain(text.strip(), "price_per_hour")


def _write_price(value: float | None) -> str:
    return NONE if value is None else number_text(value)


def number_text(value: float) -> str:
    """A number as `float` reads it back, without a point where it is whole."""
    return f"{value:.0f}" if value.is_integer() and value < 1e15 else repr(value)


def _count(key: str, highest: int, least: int = 0) -> Read:
    def read(text: str, _: Offer) -> int:
        try:
            count = whole_number(int(text), key, least)
        except (ValueError, InputError):
            count = highest + 1
        if count > highest:
            raise InputError(f"{key}: expected a whole number from {least} to {highest}, got {shown(text)}")
        return count

    return read


def _count_or_none(key: str, highest: int) -> Read:
    read_count = _count(key, highest, least=1)

    def read(text: str, offer: Offer) -> int | None:
        return None if text.strip().lower() in ("", NONE) else int(read_count(text, offer))

    return read


def _read_percentile(text: str, _: Offer) -> float:
    low, high = PERCENTILES
    found = parse_plain(text.strip(), "percentile")
    if not low <= found <= high:
        raise InputError(f"percentile: expected a number from {low:g} to {high:g}, got {shown(text)}")
    return found


def _one(key: str, choices: Callable[[Offer], Any]) -> Read:
    def read(text: str, offer: Offer) -> str:
        return _listed(key, text, tuple(choices(offer)))

    return read


def _several(key: str, choices: Callable[[Offer], Any], least: int) -> Read:
    """Names separated by commas, each once, in the order of the offer."""

    def read(text: str, offer: Offer) -> tuple[str, ...]:
        known = tuple(choices(offer))
        named = {_listed(key, part, known) for part in text.split(",") if part.strip()}
        if len(named) < least:
            raise InputError(f"{key}: expected at least one of {', '.join(known)}, got none")
        return tuple(name for name in known if name in named)

    return read


def _listed(key: str, text: str, known: tuple[str, ...]) -> str:
    by_lower = {name.lower(): name for name in known}
    found = by_lower.get(text.strip().lower())
    if found is None:
        short = text if len(text) <= 40 else text[:37] + "..."
        raise InputError(f"{key}: {UnknownNameError('choice of this page', short, known)}")
    return found


def _hardware(text: str, offer: Offer) -> str | None:
    return None if text.strip().lower() in ("", NONE) else _listed("hardware", text, offer.hardware)


def _batch(text: str, offer: Offer) -> int | None:
    if text.strip().lower() == ANY:
        return None
    return int(_listed("batch", text, (*map(str, offer.batches), ANY)))


def _or(missing: str) -> Callable[[Any], str]:
    return lambda value: missing if value is None else str(value)


_join = ",".join

_OTHERS: tuple[Setting, ...] = (
    Setting("price_per_hour", "price_per_hour", _read_price, _write_price),
    Setting("query_tokens", "query_tokens", _count("query_tokens", TOKENS_MAX), str),
    Setting("generated_tokens", "generated_tokens", _count("generated_tokens", TOKENS_MAX), str),
    Setting("cached_tokens", "cached_tokens", _count("cached_tokens", TOKENS_MAX), str),
    Setting("concurrency", "concurrency", _count_or_none("concurrency", REQUESTS_MAX), _or(NONE)),
    Setting("scheduler", "scheduler", _one("scheduler", lambda offer: offer.schedulers), str),
    Setting("percentile", "percentile", _read_percentile, number_text),
    Setting("hardware", "hardware", _hardware, _or(NONE)),
    Setting("gpus", "gpus", _count_or_none("gpus", GPUS_MAX), _or(NONE)),
    Setting("batch", "batch", _batch, _or(ANY)),
    Setting("compressor", "compressors", _several("compressor", lambda offer: offer.compressors, 1), _join),
    Setting("prompt_order", "prompt_orders", _several("prompt_order", lambda offer: offer.prompt_orders, 1), _join),
    Setting("llms", "llms", _several("llms", lambda offer: offer.llms, 0), _join),
    Setting("precision", "precisions", _several("precision", lambda offer: offer.precisions, 0), _join),
    Setting("law", "law", _one("law", lambda offer: offer.laws), str),
    Setting("ocr_percent", "ocr_percent", _count("ocr_percent", 100), str),
)


def settings_of(offer: Offer) -> dict[str, Setting]:
    """Every control of the page, by its key: the limits on offer, then all others."""
    return {setting.key: setting for setting in (*map(_limit, offer.limits), *_OTHERS)}


def changed(state: State, values: Mapping[Setting, Any]) -> State:
    """A state with other values of some settings."""
    limits = dict(state.limits)
    for setting, value in values.items():
        if setting.is_limit:
            limits.pop(setting.field, None)
            limits |= {} if value is None else {setting.field: value}
    others = {setting.field: value for setting, value in values.items() if not setting.is_limit}
    return replace(state, limits=limits, **others)
