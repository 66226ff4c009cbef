"""The largest rate that the pick carries within its limits of time, by the numerical level."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.planning.under_load.asked import Traffic
from planner.traffic.batch import Batch
from planner.traffic.chain import LEVEL, MOST_UTILISED, Chain, chain
from planner.traffic.service import Service

_ROUNDS = 7
_NAMES = {"ttft_s": "ttft", "tpot_s": "tpot", "request_s": "latency"}


@dataclass(frozen=True)
class Headroom:
    """Of one replica."""

    requests_per_second: float
    """Within the limits."""
    bound: str
    """What ends it: "ttft", "tpot", "latency"; "capacity" where only a simulation would say more."""
    unstable_above: float
    """Requests per second."""

    level = LEVEL


def headroom(service: Service, traffic: Traffic, rate: float) -> Headroom:
    """The largest rate of a replica within the limits of time.

    Args:
        service: the replica and what comes to it.
        traffic: the limits, and the percentile that they hold for.
        rate: at which it keeps them.
    """
    replica, requests = service.replica, service.requests
    most = float(Batch.of(replica, requests).capacity[0])
    low, high, bound = rate, max(MOST_UTILISED * most, rate), "capacity"
    broken = _broken(chain(replica, requests, high), traffic)
    if not broken:
        return Headroom(high, bound, most)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        worst = _broken(chain(replica, requests, middle), traffic)
        low, high, broken = (low, middle, worst) if worst else (middle, high, broken)
    return Headroom(low, broken, most)


def _broken(found: Chain, traffic: Traffic) -> str:
    """The limit that is exceeded most; "" where none is."""
    over = {}
    for name, one in (("ttft_s", found.ttft_s), ("tpot_s", found.tpot_s), ("request_s", found.latency_s)):
        if one is not None and name in traffic.limits:
            over[_NAMES[name]] = one.percentile(traffic.percentile) / traffic.limits[name]
    if found.latency_s is None:
        return "capacity"
    worst = max(over, key=over.__getitem__, default="")
    return worst if worst and over[worst] > 1 else ""
