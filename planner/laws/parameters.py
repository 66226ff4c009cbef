"""How well the runs determine each parameter of a law, whichever way it was fitted."""

from __future__ import annotations

from planner.laws.fitted import FittedLaw
from planner.laws.intervals import LEVEL, Interval, profiler
from planner.laws.joint import joint_parameters


def intervals(law: FittedLaw, level: float = LEVEL) -> dict[str, Interval]:
    """Profile-likelihood intervals of every parameter, by its name; true at active bounds too.

    Args:
        law: a fitted law, of its own or of a joint fit.
        level: probability that an interval holds the true value.

    Raises:
        FitError: the law was given, not fitted, or has constraints.
    """
    return joint_parameters(law, level) if law.joint else profiler(law, level).parameters()
