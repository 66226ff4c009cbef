"""The load curve of a replica: times to the first token and throughput against the rate of requests.

Each point is solved numerically (`planner.traffic.chain`) where that level answers, and simulated
(`planner.traffic.events`) elsewhere: near the capacity, with full seats or cache, and of a log. The last lies beyond
the capacity: its queue grows, so that it has no times; what is answered meanwhile is where throughput saturates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from planner.base.dataclass import dataclass
from planner.traffic.arrivals import Arrivals, Poisson
from planner.traffic.chain import Spread, chain
from planner.traffic.events import simulate
from planner.traffic.levels import capacity
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests

SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.88, 0.95)
"""Of the rate above which it is unstable."""
BEYOND = 1.15
"""The same, of the point at which throughput is saturated."""
_REQUESTS = 6_000
"""That are simulated for a point."""


@dataclass(frozen=True)
class CurvePoint:
    """A replica at a rate."""

    requests_per_second: float
    level: str
    """ "chain" or "events"."""
    tokens_per_second: float
    """That are generated."""
    ttft_s: Mapping[str, float] = field(default_factory=dict, hash=False)
    """By percentile, "p50"; {} where the queue grows."""
    tpot_s: Mapping[str, float] = field(default_factory=dict, hash=False)
    """The same of each request's mean; {} too where answers have one token."""

    @property
    def stable(self) -> bool:
        """Whether the queue ends."""
        return bool(self.ttft_s)


@dataclass(frozen=True)
class LoadCurve:
    """Of one replica."""

    points: tuple[CurvePoint, ...]
    """By ascending rate; the last is beyond what is stable."""
    unstable_above: float
    """Requests per second."""

    @property
    def stable(self) -> tuple[CurvePoint, ...]:
        """Those whose queue ends."""
        return tuple(point for point in self.points if point.stable)


def load_curve(
    replica: Replica,
    requests: Requests,
    percentiles: Sequence[float] = (50.0, 95.0, 99.0),
    *,
    unstable_above: float | None = None,
    arrivals: Callable[[float], Arrivals] | None = None,
) -> LoadCurve:
    """Times and throughput from a tenth of the capacity to just below it, and throughput beyond it.

    Args:
        replica: the server.
        requests: what comes.
        percentiles: of the times.
        unstable_above: requests per second; None: the capacity in closed form.
        arrivals: when requests come at a rate, where that is not at random: only events answer for them.

    Raises:
        InputError: a request that the engine can never run.
    """
    most = capacity(replica, requests)[0] if unstable_above is None else unstable_above

    def at(rate: float) -> CurvePoint:
        if arrivals is None and rate < most:
            found = chain(replica, requests, rate)
            if found.ttft_s is not None:
                tokens = rate * requests.means.generated_tokens
                tpot = _percentiles(found.tpot_s, percentiles)
                return CurvePoint(rate, found.level, tokens, _percentiles(found.ttft_s, percentiles), tpot)
        comes = Poisson(rate) if arrivals is None else arrivals(rate)
        simulated = simulate(replica, requests, comes, count=_REQUESTS)
        level, tokens = simulated.level, simulated.tokens_per_second
        if not simulated.stable or rate >= most:
            return CurvePoint(rate, level, tokens)
        several = bool((simulated.generated_tokens > 1).any())
        ttft = {f"p{q:g}": simulated.ttft(q).value for q in percentiles}
        tpot = {f"p{q:g}": simulated.tpot(q).value for q in percentiles} if several else {}
        return CurvePoint(rate, level, tokens, ttft, tpot)

    return LoadCurve(tuple(at(share * most) for share in (*SHARES, BEYOND)), most)


def _percentiles(found: Spread | None, percentiles: Sequence[float]) -> dict[str, float]:
    return {} if found is None else {f"p{q:g}": found.percentile(q) for q in percentiles}
