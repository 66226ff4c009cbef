"""When the requests of a log came: its span, its mean rate and that of its busiest time, in a sentence.

    peak = most requests in any window of its length / that length

The window is the shortest of a second to a day in which a log has a hundred requests on average: in a shorter one it
would be chance that speaks, some 10 % of what a hundred have.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.quantities import counted, format_percent
from planner.traffic.iteration_time import FloatArray

_ENOUGH = 100
"""Requests in a window, on average."""
_WINDOWS = {1.0: "second", 10.0: "10 seconds", 60.0: "minute", 600.0: "10 minutes", 3600.0: "hour", 86400.0: "day"}
_DATES_FROM_S = 1e8
"""Time stamps from here on, early in 1973, are seconds since 1970; before, they count from any beginning."""
_GAP = 0.5
"""Of the span: a longer time without a request is named."""
_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


@dataclass(frozen=True)
class Span:
    """When the requests of a log came."""

    count: int
    first_s: float
    """Time stamp of the first, seconds."""
    last_s: float
    unordered: int
    """Rows whose time stamp is earlier than one before."""
    requests_per_second: float
    """On average; infinite where all came at once."""
    peak_per_second: float | None
    """In the busiest window; None where a log is too short for one."""
    window: str
    """Its length in words; "" without one."""
    gap_s: float
    """The longest time without a request."""

    @classmethod
    def of(cls, stamps_s: FloatArray) -> Span:
        """Of time stamps in the order of the rows, at least one, shape (requests,)."""
        times = np.sort(stamps_s)
        span = float(times[-1] - times[0])
        rate = (times.size - 1) / span if span > 0 else float("inf")
        window = next((one for one in _WINDOWS if one * rate >= _ENOUGH and 2 * one <= span), None)
        peak = None
        if window is not None:
            within = np.searchsorted(times, times + window, side="left") - np.arange(times.size)
            peak = float(within.max() / window)
        return cls(
            count=times.size,
            first_s=float(times[0]),
            last_s=float(times[-1]),
            unordered=int(np.sum(stamps_s < np.maximum.accumulate(stamps_s))),
            requests_per_second=rate,
            peak_per_second=peak,
            window="" if window is None else _WINDOWS[window],
            gap_s=float(np.diff(times).max()) if times.size > 1 else 0.0,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was made of the log, in sentences."""
        span = self.last_s - self.first_s
        peak = "" if self.peak_per_second is None else f", {self.peak_per_second:.3g} in its busiest {self.window}"
        first, last = self._when(self.first_s), self._when(self.last_s)
        rate = f": {self.requests_per_second:.3g} requests/s on average{peak}" if span else " at one time"
        found = [f"the log has {counted(self.count, 'request')} from {first} to {last}, {_duration(span)}{rate}"]
        if self.unordered:
            rows = "row comes" if self.unordered == 1 else "rows come"
            found.append(f"{self.unordered:,} {rows} before an earlier one in time: the log was put in order")
        if self.count > 2 and self.gap_s > _GAP * span:
            share = format_percent(self.gap_s, span)
            found.append(
                f"no request comes for {_duration(self.gap_s)}, {share} of the log's span: if a time stamp is "
                "wrong, so is the rate"
            )
        return tuple(found)

    def _when(self, stamp_s: float) -> str:
        """A date, or seconds of the log's own clock."""
        if self.first_s < _DATES_FROM_S:
            return f"{stamp_s:.6g} s"
        return datetime.fromtimestamp(stamp_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(seconds: float) -> str:
    """ "12.6 min", "3.2 days"."""
    unit, name = next((one for one in _UNITS if seconds >= 2 * one[0]), _UNITS[-1])
    return f"{seconds / unit:.3g} {name}"
