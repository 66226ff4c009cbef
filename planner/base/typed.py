"""Quantities as people type them: stricter than in Python, where a bare number has the unit of its name."""

from __future__ import annotations

from planner.base.errors import QuantityError
from planner.base.quantities import parse_bytes, parse_flops, parse_seconds, shown

_FEWEST = 1e6  # FLOPs or bytes: no request of any model costs so little


def typed_seconds(text: str, name: str) -> float:
    """Seconds from a time with its unit. Raises QuantityError for a bare number: 100 could be ms or s."""
    seconds = parse_seconds(text, name)
    number = text.strip()
    if number[-1].isdigit() or number.endswith("."):
        raise QuantityError(f"{name}: {shown(number)} has no unit: write {number}ms or {number}s", text)
    return seconds


def typed_flops(text: str, name: str = "--budget") -> float:
    """FLOPs from "2 TFLOPs" or 5e11. Raises QuantityError for so few that the unit must have been forgotten."""
    return _enough(parse_flops(text, name), text, name, ("FLOPs", "TFLOPs", "e12", "2"))


def typed_bytes(text: str, name: str) -> float:
    """Bytes from "24 GiB" or 24e9. Raises QuantityError for so few that the unit must have been forgotten."""
    return _enough(parse_bytes(text, name), text, name, ("bytes", "GiB", "e9", "24"))


def _enough(value: float, text: str, name: str, words: tuple[str, str, str, str]) -> float:
    if value >= _FEWEST:
        return value
    what, unit, power, example = words
    number = text.strip()
    meant = number if number.replace(".", "", 1).isdigit() else example
    raise QuantityError(
        f"{name}: {shown(number)} is under a million {what}, less than any request costs: "
        f"write {meant}{unit} or {meant}{power}",
        text,
    )
