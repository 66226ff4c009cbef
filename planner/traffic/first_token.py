"""The time to the first token of a request that comes at any time: drawn from the chains of the backlog.

It waits for the rest of the iteration in which it comes, for the full iterations of what is in front, and for the
iteration in which its own prompt ends, which others may fill. Where iterations are filled while others run, the next
one is filled already when it comes. Points are spread evenly (R-sequence), not at random.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from planner.traffic.backlog import Backlog
from planner.traffic.iteration_time import FloatArray, IntArray
from planner.traffic.prompt_sizes import Sizes

POINTS = 1024
"""Beside each n."""
_DIMENSIONS, _EARLY_DIMENSIONS = 5, 7
"""Numbers that a point is made of; the latter where iterations are filled early."""
_MANY = 20.0
_ARRIVALS_MAX = 60
_AT = np.concatenate([[1e-6], np.linspace(0.0, 1.0, 513)[1:-1], [1 - 1e-6]])
NORMAL = (_AT, np.array([NormalDist().inv_cdf(one) for one in _AT.tolist()]))
"""Chances and the values of a normal distribution that are below with them."""


def spread_points(count: int, dimensions: int) -> FloatArray:
    """Points in the unit cube that fill it evenly (M. Roberts, the R-sequence). Shape (dimensions, count)."""
    root = 2.0
    for _ in range(30):
        root = (1 + root) ** (1 / (dimensions + 1))
    powers = root ** -np.arange(1.0, dimensions + 1)
    return np.asarray((0.5 + powers[:, None] * np.arange(1, count + 1)) % 1.0)


def first_token_s(backlog: Backlog, sizes: Sizes, points: int = POINTS) -> FloatArray:
    """Seconds from the arrival to the end of the iteration in which the prompt ends. Shape (K, points), each as likely
    as the others beside its n."""
    spread = spread_points(points, _EARLY_DIMENSIONS if backlog.early else _DIMENSIONS)
    at, within, before, behind, own = spread[:_DIMENSIONS]
    generator = np.random.default_rng(0)
    k = np.arange(len(backlog.n))[:, None]
    idle = (backlog.n == 0)[:, None] & (np.arange(backlog.states) == 0)
    lasting = backlog.share * np.where(idle, 1.0 / backlog.rate, backlog.seconds)
    edges = np.cumsum(lasting, axis=1)
    edges = edges / edges[:, -1:]
    state = np.stack([np.searchsorted(row, at) for row in edges])
    state = np.minimum(state, backlog.states - 1)
    waits = ~idle[k, state]
    now = backlog.seconds[k, state] * waits
    left = (state - backlog.taken[k, state]) * waits
    full, full_s = backlog.full[:, None], backlog.times_s[:, -1:]
    next_s, fills = np.zeros_like(now), backlog.rate * now * (1 - within)
    if backlog.early:
        known = left + _seen_late(backlog, sizes, state, spread[_DIMENSIONS:], generator)
        known, goes_on = known * waits, waits & ((known > 0) | (backlog.n > 0)[:, None])
        next_s = np.where(known > 0, _time(backlog, np.minimum(known, full)), backlog.times_s[:, :1]) * goes_on
        left = known - np.minimum(known, full)
    ahead = poisson(backlog.rate * now * within, before)
    size = _own(sizes, own) * backlog.units
    front = left + backlog.units * sum_of_sizes(ahead, sizes, generator)
    total = front + size
    before_last = np.maximum(np.ceil(total / full - 1e-9) - 1, 0.0)
    if backlog.early:
        fills = fills + backlog.rate * np.where(before_last > 0, next_s + (before_last - 1) * full_s, 0.0)
    else:
        fills = fills + backlog.rate * before_last * full_s
    follow = backlog.units * sum_of_sizes(poisson(fills, behind), sizes, generator)
    last = np.minimum(total - before_last * full + follow, full)
    return np.asarray(now * (1 - within) + next_s + before_last * full_s + _time(backlog, last))


def _seen_late(
    backlog: Backlog, sizes: Sizes, state: IntArray, at: FloatArray, generator: np.random.Generator
) -> FloatArray:
    """Units that came in the iteration before one of these states, and are computed in that after it."""
    k = np.arange(len(backlog.n))[:, None]
    row = k * backlog.states + state
    below = backlog.before.reshape(-1, backlog.states) + np.arange(len(backlog.n) * backlog.states)[:, None]
    earlier = np.searchsorted(below.ravel(), row + at[0]) - row * backlog.states
    earlier = np.clip(earlier, 0, backlog.states - 1)
    came = poisson(backlog.rate * backlog.seconds[k, earlier], at[1])
    # without sequences nothing runs between the iterations of a queue that ends
    there = (backlog.n > 0)[:, None] | (state > backlog.taken[k, state])
    return backlog.units * sum_of_sizes(came * there, sizes, generator)


def _own(sizes: Sizes, at: FloatArray) -> FloatArray:
    edges = np.cumsum(sizes.weights)
    return sizes.of_mean[np.minimum(np.searchsorted(edges / edges[-1], at), sizes.weights.size - 1)]


def poisson(mean: FloatArray, at: FloatArray) -> FloatArray:
    """Counts at these points of their distributions; many are as good as normal."""
    few = np.minimum(mean, _MANY)
    found, chance = np.zeros_like(few), np.exp(-few)
    below = chance.copy()
    for count in range(1, _ARRIVALS_MAX):
        more = below < at
        if not more.any():
            break
        found += more
        chance = chance * few / count
        below += chance
    many = mean > _MANY
    if many.any():
        z = np.interp(np.broadcast_to(at, mean.shape)[many], *NORMAL)
        m = mean[many]
        found[many] = np.maximum(np.rint(m + np.sqrt(m) * z + (z * z - 1) / 6), 0.0)
    return found


def sum_of_sizes(count: FloatArray, sizes: Sizes, generator: np.random.Generator) -> FloatArray:
    """Of so many requests, by the mean; that of many is as good as normal."""
    if sizes.of_mean.size == 1:
        return count
    found = np.zeros_like(count)
    many = count > _MANY
    for turn in range(int(count[~many].max(initial=0.0))):
        there = (count > turn) & ~many
        found[there] += sizes.of_mean[generator.choice(sizes.of_mean.size, int(there.sum()), p=sizes.weights)]
    deviation = np.sqrt(np.maximum(count[many] * (sizes.square - sizes.mean**2), 0.0))
    found[many] = np.maximum(count[many] * sizes.mean + deviation * generator.standard_normal(int(many.sum())), 0.0)
    return found


def _time(backlog: Backlog, units: FloatArray) -> FloatArray:
    """Of an iteration that takes so many units, which need not be whole."""
    last = backlog.times_s.shape[1] - 1
    low = np.clip(np.floor(units).astype(np.int64), 1, last)
    high = np.minimum(low + 1, last)
    k = np.arange(len(backlog.n))[:, None]
    return np.asarray(
        backlog.times_s[k, low] + np.maximum(units - low, 0.0) * (backlog.times_s[k, high] - backlog.times_s[k, low])
    )
