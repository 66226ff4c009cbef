"""How many GPUs carry the load, where nobody says how many there are or what they may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.planning.deployment import Deployment
from planner.planning.limits import all_met, computed_columns, limits_of
from planner.planning.request import Budget, Load

if TYPE_CHECKING:
    from planner.planning.released import ReleasedAxes
    from planner.planning.space import Axes

_TRIED = 4


def fewest_gpus(
    axes: Axes | ReleasedAxes, budget: Budget, load: Load, deployment: Deployment
) -> tuple[int | None, ...]:
    """Numbers of GPUs with which a candidate keeps every limit by the closed form, ascending, the fewest first; those
    of one replica where none does."""
    assert deployment.traffic is not None
    space = axes.evaluate(deployment, load, budget.convention)
    limits = limits_of(budget, deployment.hardware, deployment.traffic.percentile)
    quantities = {**space.table.quantities, **computed_columns(limits, space.table.quantities)}
    fits = all_met(limits, quantities) & space.possible
    if not fits.any():
        return (None,)
    return tuple(int(one) for one in np.unique(quantities["gpus"][fits])[:_TRIED])
