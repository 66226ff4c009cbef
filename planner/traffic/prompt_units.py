"""The backlog in whole units: how many a prompt has, how many fit into an iteration, and how many come in one.

What chains of the backlog are made of; letters as in `planner.traffic.backlog`.
"""

from __future__ import annotations

import numpy as np

from planner.traffic.batch import Beside
from planner.traffic.iteration_time import FloatArray, IntArray
from planner.traffic.prompt_sizes import Sizes

_FULL = 12
"""Units at least of an iteration that is full of prompts, where prompts are cut."""
_COST = 0.001
"""Share of an iteration by which rounding may be off, to save one unit of a prompt."""
STATES_MAX = 256
_TAIL = 8.0
"""Exponents of e that the states reach into the tail of the backlog."""


def reach_of(middle: Beside, rate: float, room: FloatArray, sizes: Sizes) -> float:
    """Prompts of the mean size that hardly any backlog exceeds: of the prompts of some iterations, or of a queue."""
    u = np.clip(middle.load, 0.0, 0.97)
    mean = rate * middle.step_s / (1 - u)
    deviation = np.sqrt(mean * sizes.square / (1 - u * u))
    largest = sizes.of_mean.max()
    free = mean + 5 * deviation + 3 * largest
    full_s = middle.step_s + middle.prompt_s * room
    gap = np.maximum(room - rate * full_s, 0.03 * room)
    decay = 2 * gap / np.maximum(rate * full_s * sizes.square, 1e-9)
    queue = np.maximum(np.minimum(free, room) + _TAIL / decay + 2 * largest, free)
    return float(np.max(np.where(free < room, free, queue)))


def units_of(room: float, reach: float, sizes: Sizes, chunked: bool) -> int:
    """r: as few as keep sizes apart, so that a full iteration has `_FULL` of them, where there are not too many states,
    and is near a whole number."""
    if not chunked:
        return 1
    least = 1 if room >= _FULL else int(np.ceil(_FULL / room))
    if sizes.of_mean.size > 1:
        least = max(least, 4)
    most = max(int(STATES_MAX / reach), 1)
    least = min(least, most)
    if room >= _FULL:
        return least
    found = np.arange(least, max(least + 1, min(3 * least, most + 1)))
    off = [abs(float(full_of(np.array([room]), one, sizes)[0]) / (one * room) - 1) for one in found.tolist()]
    return int(found[np.argmin(np.array(off) + _COST * (found - least))])


def full_of(room: FloatArray, units: int, sizes: Sizes) -> IntArray:
    """C, of each n: near to room, but prompts of one size are as many in an iteration, or take as many iterations, as
    they do: a few tokens too many take another one."""
    found = np.maximum(np.rint(room * units), 1.0)
    if sizes.of_mean.size > 1:
        return found.astype(np.int64)
    whole, parts = np.floor(room + 1e-9), np.ceil(1.0 / room - 1e-9)
    found = np.where(found >= (whole + 1) * units, (whole + 1) * units - 1, found)
    split = np.ceil(units / np.maximum(parts - 1, 1.0)) - 1  # the most that still take so many
    found = np.where((parts > 1) & (found > split), split, found)
    return np.maximum(found, 1.0).astype(np.int64)


def units_of_one(sizes: Sizes, units: int, states: int) -> FloatArray:
    """Chance of each number of units of one request. Shape (states,)."""
    exact = np.minimum(sizes.of_mean * units, states - 1.001)
    low = np.floor(exact).astype(np.int64)
    found = np.zeros(states)
    np.add.at(found, low, sizes.weights * (low + 1 - exact))
    np.add.at(found, np.minimum(low + 1, states - 1), sizes.weights * (exact - low))
    return found


def ends_of(one: FloatArray) -> FloatArray:
    """Chance that prompts, the last of which ends at 0, end at each of the units before it: a renewal process."""
    found = np.zeros_like(one)
    found[0] = 1.0 / (1.0 - one[0])
    there = np.flatnonzero(one[1:]) + 1
    for at in range(1, one.size):
        reach = there[there <= at]
        found[at] = one[reach] @ found[at - reach] / (1.0 - one[0])
    found[0] = 1.0
    return found


def arrivals(mean: FloatArray, sizes: Sizes, units: int, states: int) -> FloatArray:
    """Chance of each number of units that arrive, where `mean` requests do. Shape (..., states)."""
    if sizes.of_mean.size == 1:
        count = np.arange((states - 1) // units + 1)
        logs = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(count[1:], 1)))])
        chance = np.exp(count * np.log(np.maximum(mean, 1e-300))[..., None] - mean[..., None] - logs)
        found = np.zeros((*mean.shape, states))
        found[..., ::units][..., : count.size] = chance
        return found
    length = 1 << int(np.ceil(np.log2(2 * states)))
    spectrum = np.fft.rfft(units_of_one(sizes, units, states), length)
    found = np.fft.irfft(np.exp(mean[..., None] * (spectrum - 1.0)), length)[..., :states]
    return np.maximum(found, 0.0)


def moves(arrive: FloatArray, full: IntArray, states: int) -> FloatArray:
    """P: what is left and what arrives. Shape (K, W, W)."""
    kinds, served, _ = arrive.shape
    padded = np.concatenate([np.zeros_like(arrive), arrive], axis=-1).ravel()
    w = np.arange(states)
    taken = np.minimum(w, full[:, None])
    start = (np.arange(kinds)[:, None] * served + taken) * 2 * states + states - (w - taken)
    found = padded[start[..., None] + w]
    found[..., -1] += np.maximum(1.0 - found.sum(axis=-1), 0.0)
    return np.asarray(found)
