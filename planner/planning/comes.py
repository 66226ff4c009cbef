"""What comes to a server: one kind of request, a mix of them, or a log with the times at which they came."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import fields, replace

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.costs.stages import Workload, as_workload
from planner.planning.under_load.logged import KINDS, arrivals_of_log
from planner.traffic.arrivals import Arrivals, Log, Poisson
from planner.traffic.events import REQUESTS
from planner.traffic.log import read_log

_BEYOND = 20
"""Requests beyond the percentile of the limits, of which there should be so many."""


@dataclass(frozen=True, eq=False)
class Comes:
    """Requests by kinds."""

    workloads: tuple[Workload, ...]
    shares: tuple[float, ...]
    """Of each kind; they sum to 1."""
    count: int = 1
    """How many requests these stand for."""
    log: Log | None = None
    """When they came; None: at random."""
    notes: tuple[str, ...] = ()
    """What has to be said of the file that they are from."""
    longest: Workload | None = None
    """The longest request of that file, whom a kind's mean may hide; None without one."""

    @property
    def images(self) -> int:
        """The most of a request."""
        return max(one.images for one in self.workloads)

    @property
    def mean(self) -> Workload:
        """The mean request, each count rounded up."""
        names = [field.name for field in fields(Workload)]
        pairs = list(zip(self.shares, self.workloads, strict=True))
        sums = {name: math.fsum(share * getattr(one, name) for share, one in pairs) for name in names}
        return Workload(**{name: math.ceil(value - 1e-9) for name, value in sums.items()})

    @property
    def arrivals(self) -> Callable[[float], Arrivals]:
        """When they come at a rate: at random, or as the log has them over and over, at another pace."""
        return Poisson if self.log is None else self.log.repeated(REQUESTS).at_rate

    def text_alone(self) -> Comes:
        """The same without their images."""
        longest = None if self.longest is None else replace(self.longest, images=0)
        return replace(self, workloads=tuple(replace(one, images=0) for one in self.workloads), longest=longest)

    def scatter(self, percentile: float) -> tuple[str, ...]:
        """That a log is too short for a percentile, in a sentence; () where it is not."""
        beyond = self.count * (1 - percentile / 100)
        if self.log is None or beyond >= _BEYOND:
            return ()
        return (f"p{percentile:g} of {self.count} requests rests on {beyond:.0f} of them: another log would differ",)


def what_comes(
    workload: Workload | str | os.PathLike[str] | None,
    traffic: str | os.PathLike[str] | None,
    query_tokens: int | None,
    generated_tokens: int | None,
    cached_tokens: int,
) -> Comes:
    """The requests, of what a user may pass.

    Args:
        workload: one kind of request, or a file of requests, which come at random.
        traffic: a log of requests with time stamps, which come as they came.
        query_tokens, generated_tokens, cached_tokens: of one kind of request, instead.

    Raises:
        InputError: several of these, none of them, or a file that cannot be read; names its line.
    """
    counts = (query_tokens, generated_tokens, cached_tokens)
    if traffic is not None:
        if workload is not None or query_tokens is not None or generated_tokens is not None or cached_tokens:
            raise InputError("traffic: the log says what requests are; leave out workload= and the counts of tokens")
        log = read_log(traffic)
        kinds = log.kinds(KINDS)
        notes = () if log.span is None else log.span.notes
        return Comes(
            kinds.workloads, tuple(kinds.weights.tolist()), len(log), arrivals_of_log(log, kinds), notes, log.longest
        )
    if isinstance(workload, str | os.PathLike):
        as_workload(Workload(0, 0), *counts)  # not both
        log = read_log(workload)
        kinds = log.kinds(KINDS)
        return Comes(kinds.workloads, tuple(kinds.weights.tolist()), len(log), longest=log.longest)
    return Comes((as_workload(workload, *counts, "a Workload or a file of requests"),), (1.0,))
