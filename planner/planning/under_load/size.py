"""How many GPUs carry the load, where nobody says how many there are or what they may cost; and the next size."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from planner.planning.deployment import Deployment
from planner.planning.limits import all_met, computed_columns, limits_of
from planner.planning.request import Budget, Load
from planner.planning.under_load.asked import RATE
from planner.planning.under_load.columns import settled

if TYPE_CHECKING:
    from planner.planning.released import ReleasedAxes
    from planner.planning.space import Axes

_TRIED = 4


def numbers_of_gpus(
    axes: Axes | ReleasedAxes, budget: Budget, load: Load, deployment: Deployment
) -> tuple[int | None, ...]:
    """Numbers of GPUs to plan on, until something fits: those that are given; or, ascending, those with which a
    candidate keeps every limit by the closed form. None: of each candidate as many as it needs."""
    if not deployment.gpus_follow:
        return (deployment.gpus,)
    assert deployment.traffic is not None
    space = axes.evaluate(deployment, load, budget.convention)
    limits = limits_of(budget, deployment.hardware, deployment.traffic.percentile)
    quantities = {**space.table.quantities, **computed_columns(limits, space.table.quantities)}
    fits = all_met(limits, quantities) & space.possible & settled(quantities)
    if not fits.any():
        return (None,)
    return tuple(int(one) for one in np.unique(quantities["gpus"][fits])[:_TRIED])


def next_size(budget: Budget, load: Load, deployment: Deployment) -> tuple[Budget, Load, Deployment]:
    """What is asked for at `scale` times the load: on as many times the GPUs, where they are given."""
    traffic = deployment.traffic
    assert traffic is not None and traffic.scale is not None
    rate, at_once = traffic.requests_per_second, traffic.concurrency
    scaled = replace(
        traffic,
        requests_per_second=None if rate is None else rate * traffic.scale,
        concurrency=None if at_once is None else math.ceil(at_once * traffic.scale),
        scale=None,
    )
    limits = {name: value * traffic.scale if name == RATE else value for name, value in budget.limits.items()}
    gpus = None if deployment.gpus is None else math.ceil(deployment.gpus * traffic.scale)
    return (
        Budget(convention=budget.convention, limits=limits),
        load,
        replace(deployment, traffic=scaled, gpus=gpus),
    )
