"""Each setting as text, as links and controls have it: how it is read, checked against the offer, written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import (
    format_bytes,
    format_flops,
    format_seconds,
    parse_bytes,
    parse_flops,
    parse_seconds,
    positive_number,
    shown,
    whole_number,
)
from planner.explore.offer import Offer
from planner.explore.state import State

NONE = "none"
"""No limit, no card."""
ANY = "any"
"""All batches are tried."""
TOKENS_MAX = 1_000_000

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


def fresh_state(offer: Offer) -> State:
    """What a page without a link is set to."""
    return State(law=offer.law)


def _quantity(key: str, parse: Callable[[Any, str], float], unit: str = "", bare_min: float = 0.0) -> Read:
    """A quantity, or none. A number without a unit is taken from `bare_min` on: below, its unit was forgotten."""

    def read(text: str, _: Offer) -> float | None:
        text = text.strip()
        if text.lower() in ("", NONE):
            return None
        value = parse(text, key)
        if value < bare_min and not text[-1].isalpha():
            raise InputError(f"{key}: {shown(text)} has no unit: write {text}{unit}")
        return value

    return read


def _exact(show: Callable[[float], str], parse: Callable[[Any], float], unit: str) -> Callable[[float | None], str]:
    """A quantity as it is shown to people where that is all of it, else in its base unit at full precision."""

    def write(value: float | None) -> str:
        if value is None:
            return NONE
        text = show(value).replace(" ", "").replace("µ", "u")
        return text if parse(text) == value else f"{value!r}{unit}"

    return write


def _plain(text: Any, key: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise InputError(f"{key}: expected a positive number, got {shown(text)}") from None
    return positive_number(number, key)


def _show_plain(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and value < 1e15 else repr(value)


def _count(key: str, highest: int) -> Read:
    def read(text: str, _: Offer) -> int:
        try:
            count = whole_number(int(text), key)
        except (ValueError, InputError):
            count = highest + 1
        if count > highest:
            raise InputError(f"{key}: expected a whole number from 0 to {highest}, got {shown(text)}")
        return count

    return read


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
_write_price = _exact(_show_plain, float, "")

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "budget",
        "budget_flops",
        _quantity("budget", parse_flops, "TFLOPs", 1e6),
        _exact(format_flops, parse_flops, "FLOPs"),
    ),
    Setting(
        "ttft", "ttft_s", _quantity("ttft", parse_seconds, "ms", math.inf), _exact(format_seconds, parse_seconds, "s")
    ),
    Setting(
        "memory",
        "memory_bytes",
        _quantity("memory", parse_bytes, "GiB", math.inf),
        _exact(format_bytes, parse_bytes, "B"),
    ),
    Setting("price", "price", _quantity("price", _plain), _write_price),
    Setting("price_per_hour", "price_per_hour", _quantity("price_per_hour", _plain), _write_price),
    Setting("query_tokens", "query_tokens", _count("query_tokens", TOKENS_MAX), str),
    Setting("generated_tokens", "generated_tokens", _count("generated_tokens", TOKENS_MAX), str),
    Setting("cached_tokens", "cached_tokens", _count("cached_tokens", TOKENS_MAX), str),
    Setting("hardware", "hardware", _hardware, _or(NONE)),
    Setting("batch", "batch", _batch, _or(ANY)),
    Setting("compressor", "compressors", _several("compressor", lambda offer: offer.compressors, 1), _join),
    Setting("prompt_order", "prompt_orders", _several("prompt_order", lambda offer: offer.prompt_orders, 1), _join),
    Setting("llms", "llms", _several("llms", lambda offer: offer.llms, 0), _join),
    Setting("precision", "precisions", _several("precision", lambda offer: offer.precisions, 0), _join),
    Setting("law", "law", _one("law", lambda offer: offer.laws), str),
    Setting("ocr_percent", "ocr_percent", _count("ocr_percent", 100), str),
)
BY_KEY = {setting.key: setting for setting in SETTINGS}
