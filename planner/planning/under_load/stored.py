"""The load in a plan's file: what was asked for, from which the same is made again."""

from __future__ import annotations

from typing import Any

from planner.planning.plan_record import Inputs
from planner.planning.request import Budget
from planner.planning.under_load.asked import CONTINUOUS, Traffic, as_traffic

_SAME = ("concurrency", "percentile", "scale", "max_num_seqs", "max_num_batched_tokens")


def stored(traffic: Traffic | None) -> dict[str, Any]:
    """Fields of the inputs; the rate stands among the limits. {} of static batches, as in files of versions before."""
    if traffic is None:
        return {}
    same = {name: getattr(traffic, name) for name in _SAME}
    return {"scheduler": CONTINUOUS, "arriving_per_second": traffic.requests_per_second, **same}


def restored_traffic(inputs: Inputs, budget: Budget) -> Traffic | None:
    """The load that a file holds. Raises InputError."""
    if inputs.scheduler != CONTINUOUS:
        return None
    return as_traffic(
        budget,
        inputs.scheduler,
        inputs.percentile,
        inputs.concurrency,
        inputs.scale,
        max_num_seqs=inputs.max_num_seqs,
        max_num_batched_tokens=inputs.max_num_batched_tokens,
        arriving=inputs.arriving_per_second,
        hardware=True,
        batch=False,
        latency_source=inputs.latency_source,
    )
