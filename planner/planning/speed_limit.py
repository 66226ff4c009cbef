"""Below how many visual tokens fewer of them no longer make the pick faster."""

from __future__ import annotations

from planner.costs.latency import speed_limit_tokens
from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.request import Load


def speed_limit(best: Candidate, deployment: Deployment, load: Load) -> int | None:
    """Visual tokens below which fewer save less than 5 % of the TTFT; None without hardware, or where they do not move
    alone."""
    if deployment.hardware is None or not best.model.tokens_move_alone:
        return None
    return int(speed_limit_tokens(best.model, load.tail, best.run(deployment.hardware)))
