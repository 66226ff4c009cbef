"""What a run of an engine under load comes to: waiting, speed, and how busy it is."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.course import Step
from planner.traffic.estimates import UNBOUNDED, Estimate, mean, percentile
from planner.traffic.iteration_time import FloatArray, IntArray

_BLOCKS = 5
"""Of successive requests, whose mean times to the first token rise one by one where the queue grows."""
_GROWTH = 0.01
"""Of the requests that came, the share that was not answered meanwhile, from which on the queue is taken to grow."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of the requests between warm-up and tail, in the order in which they came.

    Times of a request count from when it comes, host and encoder included. Where the queue grows they grow with the
    length of the run: `stable` is false, and means and percentiles are infinite.
    """

    level: ClassVar[str] = "events"
    """How it was found."""

    ttft_s: FloatArray
    """Time to the first token; shape (requests,)."""
    tpot_s: FloatArray
    """Time per output token, (latency - TTFT) / (G - 1); not a number for requests of one token."""
    latency_s: FloatArray
    """Until the last token."""
    generated_tokens: IntArray
    """G."""
    offered_per_second: float | None
    """Requests that come per second; None where they come as others end."""
    requests_per_second: float
    """That were answered."""
    tokens_per_second: float
    """That were generated."""
    utilisation: float
    """Share of the time in which an iteration ran."""
    running: float
    """Sequences that ran, in the mean over time."""
    waiting: float
    """Requests that waited in front of the scheduler, in the mean over time."""
    preemptions: int
    """How often a sequence was thrown out of the KV cache."""
    unanswered: float
    """Share of the requests that came which others that ended did not make up for."""
    steps: tuple[Step, ...] = ()
    """Iterations of a while, where they were asked for."""

    # ---- validity ----------------------------------------------------------------------------------------------------

    @cached_property
    def stable(self) -> bool:
        """Whether the queue does not grow: fewer are answered than come, and successive requests wait longer."""
        if self.offered_per_second is None or self.unanswered < _GROWTH:
            return True
        blocks = [float(block.mean()) for block in np.array_split(self.ttft_s, _BLOCKS) if block.size]
        return not bool(np.all(np.diff(blocks) > 0))

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be said of these numbers."""
        if self.stable:
            return ()
        return (f"unstable above {self.requests_per_second:.3g} requests/s: more come than are answered",)

    # ---- numbers -----------------------------------------------------------------------------------------------------

    def ttft(self, q: float) -> Estimate:
        """The q-th percentile of the time to the first token, in seconds."""
        return percentile(self.ttft_s, q) if self.stable else UNBOUNDED

    def tpot(self, q: float) -> Estimate:
        """The q-th percentile, over requests, of the time per output token, in seconds."""
        return percentile(self._tpot_s, q) if self.stable else UNBOUNDED

    def latency(self, q: float) -> Estimate:
        """The q-th percentile of the time to the last token, in seconds."""
        return percentile(self.latency_s, q) if self.stable else UNBOUNDED

    @property
    def mean_ttft(self) -> Estimate:
        """Mean time to the first token, in seconds."""
        return mean(self.ttft_s) if self.stable else UNBOUNDED

    @property
    def mean_tpot(self) -> Estimate:
        """Mean over requests of the time per output token, in seconds."""
        return mean(self._tpot_s) if self.stable else UNBOUNDED

    @property
    def mean_latency(self) -> Estimate:
        """Mean time to the last token, in seconds."""
        return mean(self.latency_s) if self.stable else UNBOUNDED

    def goodput(
        self, *, ttft_s: float | None = None, tpot_s: float | None = None, latency_s: float | None = None
    ) -> Estimate:
        """Share of requests within all the limits given, in seconds; a request of one token has no time per output
        token that could be too long. 0 where the queue grows and times are limited."""
        if not self.stable and (ttft_s is not None or latency_s is not None or tpot_s is not None):
            return Estimate(0.0, 0.0, 0.0)
        good = np.ones(self.ttft_s.size)
        for values, limit in ((self.ttft_s, ttft_s), (self.tpot_s, tpot_s), (self.latency_s, latency_s)):
            if limit is not None:
                good = good * ~(values > limit)
        return mean(good)

    @cached_property
    def _tpot_s(self) -> FloatArray:
        return self.tpot_s[~np.isnan(self.tpot_s)]
