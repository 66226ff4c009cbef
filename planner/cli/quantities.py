"""Quantities as they are typed: stricter than in Python, where a bare number has the unit of its name."""

from __future__ import annotations

from planner.errors import QuantityError
from planner.quantities import parse_flops, parse_seconds, shown

_FEWEST_FLOPS = 1e6  # no request of any model costs so little


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
    flops = parse_flops(text, option)
    if flops < _FEWEST_FLOPS:
        number = text.strip()
        meant = f"{number}TFLOPs or {number}e12" if number.replace(".", "", 1).isdigit() else "2TFLOPs or 2e12"
        raise QuantityError(
            f"{option}: {shown(number)} is under a million FLOPs, less than any request costs: write {meant}", text
        )
    return flops


def checked_flops(text: str) -> str:
    """The text of a budget, as it came. Raises QuantityError as `read_flops` does."""
    read_flops(text)
    return text
