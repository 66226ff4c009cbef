"""Quantities as they are typed: stricter than in Python, where a bare number has the unit of its name."""

from __future__ import annotations

from planner.base.errors import QuantityError
from planner.base.quantities import parse_bytes, parse_flops, parse_seconds, shown

_FEWEST = 1e6  # FLOPs or bytes: no request of any model costs so little


def read_seconds(text: str | None, option: str) -> float | None:
    """Seconds from a time with its unit. Raises QuantityError for a bare number: 100 could be ms or s."""
    if text is None:
        return None
    seconds = parse_seconds(text, option)
    number = text.strip()
    if number[-1].isdigit() or number.endswith("."):
        raise QuantityError(f"{option}: {shown(number)} has no unit: write {number}ms or {number}s", text)
    return seconds


def read_flops(text: str | None, option: str = "--budget") -> float | None:
    """FLOPs from "2 TFLOPs" or 5e11. Raises QuantityError for so few that the unit must have been forgotten."""
    if text is None:
        return None
    return _enough(parse_flops(text, option), text, option, ("FLOPs", "TFLOPs", "e12", "2"))


def read_bytes(text: str | None, option: str) -> float | None:
    """Bytes from "24 GiB" or 24e9. Raises QuantityError for so few that the unit must have been forgotten."""
    if text is None:
        return None
    return _enough(parse_bytes(text, option), text, option, ("bytes", "GiB", "e9", "24"))


def _enough(value: float, text: str, option: str, words: tuple[str, str, str, str]) -> float:
    if value >= _FEWEST:
        return value
    what, unit, power, example = words
    number = text.strip()
    meant = number if number.replace(".", "", 1).isdigit() else example
    raise QuantityError(
        f"{option}: {shown(number)} is under a million {what}, less than any request costs: "
        f"write {meant}{unit} or {meant}{power}",
        text,
    )


def checked_flops(text: str) -> str:
    """The text of a budget, as it came. Raises QuantityError as `read_flops` does."""
    read_flops(text)
    return text
