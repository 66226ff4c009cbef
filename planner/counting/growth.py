"""How FLOPs grow with tokens, through a few runs; all runs have to agree to the last FLOP, else nothing is said."""

from __future__ import annotations

from typing import TypeAlias

from planner.base.errors import InputError
from planner.counting.count import Growth

Seen: TypeAlias = tuple[int, int, int]
"""New tokens, cached tokens, FLOPs of a run."""


def around(window: int | None, limit: int) -> list[int]:
    """Lengths on both sides of a window."""
    return [] if window is None else [one for one in (window - 1, window, window + 5) if 1 < one < limit]


def _line(name: str, runs: list[Seen]) -> tuple[int, int]:
    """Linear and quadratic part through the first two runs."""
    (n, c, flops), (m, d, more) = runs[0], runs[1]
    slope, rest = divmod(more * n - flops * m, n * m * ((d + m) - (c + n)))
    linear, left = divmod(flops - slope * n * (c + n), n)
    if rest or left or linear < 0 or slope < 0:
        raise InputError(_no_rule(name))
    return linear, slope


def fitted_steps(name: str, runs: list[Seen], window: int | None) -> Growth:
    """Of steps: layers with a window are those that stop growing beyond it; every run has to agree."""
    linear, slope = _line(name, runs)
    beyond = [] if window is None else [one for one in runs if one[1] >= window]
    if len(beyond) > 1:
        _, full = _line(name, beyond)
        return agreeing(name, Growth(linear, full, slope - full), runs, window)
    if beyond or window is None:
        return agreeing(name, Growth(linear, slope, 0), runs, window)
    return agreeing(name, Growth(linear, 0, slope), runs, window)  # its window is as long as its context


def fitted_prefill(name: str, runs: list[Seen], window: int | None, step: Growth) -> Growth:
    """Of passes without a cache: a window shows in steps alone, so its share is theirs."""
    linear, slope = _line(name, runs)
    if slope != step.quadratic + step.windowed:
        if step.windowed:
            raise InputError(_no_rule(name))
        return agreeing(name, Growth(linear, slope, 0), runs, window)
    return agreeing(name, Growth(linear, step.quadratic, step.windowed), runs, window)


def agreeing(name: str, growth: Growth, runs: list[Seen], window: int | None) -> Growth:
    """The same where it gives the FLOPs of every run. Raises InputError."""
    if any(growth.flops(new, cached, window) != seen for new, cached, seen in runs):
        raise InputError(_no_rule(name))
    return growth


def _no_rule(name: str) -> str:
    return (
        f"{name}: its FLOPs do not grow with its tokens by a linear and a quadratic part, so those of a request cannot "
        "be counted"
    )
