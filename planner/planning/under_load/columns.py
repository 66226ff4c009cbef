"""What every candidate does under the load, by the steady state in closed form: the columns that limits look at.

Each candidate gets the GPUs that there are, or as many replicas as keep the limits of time, the fewest. The GPUs of all
replicas are paid for and draw power all the time, whether they are busy or not. A tenth of the capacity stays free, and
hardly ever are seats or KV cache full: beyond that, waits grow without bound at any further request.

    price per million requests = GPUs x price per hour / 3600 / rate x 1e6
    energy of a request = GPUs x power limit / rate
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.configuration import Run
from planner.costs.memory import Memory
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.together import Together
from planner.planning.under_load.asked import ARRIVING, RATE, Traffic
from planner.planning.under_load.engines import NO_LOAD, Engines, engines_of
from planner.planning.under_load.room import engine_of, memory_share
from planner.planning.under_load.tabulated import FloatArray
from planner.traffic.steady import Steady

_LIGHT = 0.05
"""Of the capacity: what does not keep its limits at such a load, keeps them at none that is worth a GPU."""
_MOST = 0.97
"""Of the capacity: nearer to it, it is within what the closed form is off, and waits have no end."""
_SETTLED, _FULL = 0.9, 0.005
"""Of the capacity, and of the time in which seats or cache may be full, up to which times can be solved for."""


def under_load(
    groups: Sequence[Together],
    held: Memory,
    run: Run,
    load: Load,
    deployment: Deployment,
    shape: tuple[int, int, int, int],
) -> dict[str, FloatArray]:
    """What limits look at, by name, of the whole shape; times are infinite of what does not keep up with the load.

    Arguments as `engines_of`; `deployment` has the load and the GPUs.
    """
    traffic, card = deployment.traffic, deployment.hardware
    assert traffic is not None and card is not None
    share = memory_share(card, traffic.memory_bytes)
    scheduler = engine_of(deployment).scheduler
    engines = engines_of(groups, held, run, load, scheduler, share, traffic.percentile, shape)
    if deployment.gpus is None:
        replicas = _replicas(engines, traffic)
    else:
        replicas = np.maximum(np.floor(deployment.gpus / engines.devices), 1.0)
    found, rate = engines.under(traffic, replicas)
    gpus = engines.devices * replicas if deployment.gpus is None else np.full(len(engines), float(deployment.gpus))
    total, most, full = rate * replicas, _SETTLED * found.capacity * replicas, engines.full(found)
    quantities = {
        **_times(found),
        ARRIVING: total,
        RATE: np.where(full <= _FULL, most, np.minimum(most, total * (1 - _FULL))),
        "gpus": gpus,
        "replicas": replicas,
        "utilisation": found.utilisation,
        "running": found.running,
        "full": full,
    }
    with np.errstate(divide="ignore"):
        if card.power_w is not None:
            quantities["energy_joules"] = card.power_w * gpus / total
        if deployment.price_per_hour is not None:
            quantities["price_per_million_requests"] = 1e6 / 3600 * deployment.price_per_hour * gpus / total
    return {name: np.asarray(one, float).reshape(shape) for name, one in quantities.items()}


def _times(found: Steady) -> dict[str, FloatArray]:
    """Seconds that the percentile of the requests keeps, by the quantity that limits look at."""
    times = {"ttft_s": found.ttft_tail_s, "tpot_s": found.tpot_tail_s, "request_s": found.latency_tail_s}
    return {name: np.where(found.utilisation <= _MOST, one, np.inf) for name, one in times.items()}


def settled(quantities: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
    """Which keep a tenth of their capacity free, and hardly ever run out of seats and KV cache: their times can be
    solved for, and a little more load breaks nothing."""
    return np.asarray((quantities["utilisation"] <= _SETTLED) & (quantities["full"] <= _FULL))


def _kept(found: Steady, full: FloatArray, traffic: Traffic) -> NDArray[np.bool_]:
    """Which keep the limits of time, and have settled."""
    times = _times(found)
    kept = np.asarray(found.stable, bool) & settled({"utilisation": found.utilisation, "full": full})
    for name in traffic.limits.keys() & times.keys():
        kept = kept & (times[name] <= traffic.limits[name])
    return kept


def _replicas(engines: Engines, traffic: Traffic) -> FloatArray:
    """The fewest of each that keep the limits of time; of what keeps them at no load, those of a light load."""
    light = engines.at(np.full(len(engines), NO_LOAD))
    rate = traffic.requests_per_second
    if rate is None:
        assert traffic.concurrency is not None
        most = np.full(len(engines), float(traffic.concurrency))
        fewest = np.ones(len(engines))
    else:
        room = np.maximum(light.capacity, 1e-12)
        fewest = np.maximum(np.ceil(rate / room), 1.0)
        most = np.maximum(np.ceil(rate / (_LIGHT * room)), fewest)
    found = most.copy()

    def kept_by(some: Engines, replicas: FloatArray) -> NDArray[np.bool_]:
        state, _ = some.under(traffic, replicas)
        return _kept(state, some.full(state), traffic)

    able = np.flatnonzero(kept_by(engines, found))
    low, high, step = fewest[able] - 1, np.full(len(able), np.inf), np.ones(len(able))
    left = np.arange(len(able))
    while len(left):  # up in growing steps until the limits are kept, then halving what is between
        most_left = most[able[left]]
        up = np.isinf(high[left])
        at = np.where(up, np.minimum(low[left] + step[left], most_left), np.floor((low[left] + high[left]) / 2))
        kept = kept_by(engines.only(able[left]), at)
        kept |= at >= most_left  # known from the light load
        high[left[kept]], low[left[~kept]] = at[kept], at[~kept]
        step[left[~kept & up]] *= 2
        left = left[high[left] - low[left] > 1]
    found[able] = high
    return found
