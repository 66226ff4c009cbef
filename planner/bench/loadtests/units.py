"""Units of time, as load testers write them beside their numbers."""

from __future__ import annotations

_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def scale_of(unit: str) -> float | None:
    """Seconds of one unit; None for what is no unit of time."""
    return _SECONDS.get(unit.strip().lower())
