"""A load as a log of requests has it: kinds of requests with their shares, and when they came."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np

from planner.base.errors import InputError
from planner.costs.stages import Workload
from planner.planning.request import Load
from planner.planning.traffic import TAIL
from planner.traffic.arrivals import Log
from planner.traffic.iteration_time import IntArray
from planner.traffic.log import Kinds, RequestLog, read_log

KINDS = 64
"""Of requests, at most; those that are alike stand at their means."""
_COLUMNS = ("query_tokens", "generated_tokens", "cached_tokens", "system_tokens", "images")


def load_of_log(path: str | os.PathLike[str]) -> tuple[Load, Log, tuple[str, ...]]:
    """What comes, when, and what has to be said of the log.

    The mean request, the long one (the 95th percentile, column by column) and the longest are those that FLOPs, memory
    and contexts are planned for; times are those of the kinds of requests as they come.

    Raises:
        InputError: no such file, no time stamps, all at one time, or a line that cannot be read, which it names.
    """
    log = read_log(path)
    mean, tail, most = (
        Workload(**{name: ceiling(getattr(log, name)) for name in _COLUMNS}) for ceiling in (_mean, _tail, _most)
    )
    kinds = log.kinds(KINDS)
    arrivals = arrivals_of_log(log, kinds)
    notes = () if log.span is None else log.span.notes
    load = Load(mean, tail, len(log), most if len(log) > 1 else None, file=os.fspath(path), logged=True)
    return replace(load, kinds=kinds.workloads, shares=tuple(kinds.weights.tolist())), arrivals, notes


def arrivals_of_log(log: RequestLog, kinds: Kinds) -> Log:
    """When they came. Raises InputError where the log has no time stamps, or all came at one time."""
    arrivals = log.arrivals(kinds)
    if not math.isfinite(arrivals.requests_per_second):
        found = "one request" if len(log) == 1 else f"{len(log)} requests at the same time"
        raise InputError(
            f"{log.file}: expected requests that come at different times, whose rate is the load, got {found}"
        )
    return arrivals


def pace(log: Log, rate: float | None, concurrency: int | None) -> tuple[str, ...]:
    """That the times of a log are stretched to another load, in a sentence; () where they are as they were."""
    if concurrency is not None:
        return (f"its times are stretched so that {concurrency} requests are under way at once, on average",)
    if rate is None:
        return ()
    return (f"its times are stretched to {rate:.4g} requests/s, {rate / log.requests_per_second:.3g} times their own",)


def with_kinds(load: Load, path: str | os.PathLike[str]) -> Load:
    """A load with the kinds of requests of its file."""
    kinds = read_log(path).kinds(KINDS)
    return replace(load, kinds=kinds.workloads, shares=tuple(kinds.weights.tolist()))


def _mean(values: IntArray) -> int:
    return math.ceil(float(values.mean()) - 1e-9)


def _tail(values: IntArray) -> int:
    return math.ceil(float(np.quantile(values, TAIL)) - 1e-9)


def _most(values: IntArray) -> int:
    return int(values.max())
