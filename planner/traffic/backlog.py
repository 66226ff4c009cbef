"""The prompts that wait or are computed beside n sequences: a Markov chain from iteration to iteration, solved.

    w -> w - s + A,   s = min(w, C)   and   A = what arrives during t(n, s), compound Poisson

w is counted in units of 1/r of a prompt of the mean size; C units fit into an iteration, whose time is t(n, s). With n
held, which changes slowly beside it, the chain has a steady state; n = 0 idles until the next request, which starts at
once. Sizes are the seconds by which a prompt lengthens an iteration, by their mean: images of a request are part of it.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.batch import Batch, Beside
from planner.traffic.iteration_time import FloatArray, IntArray
from planner.traffic.requests import Requests

_FULL = 12
"""Units at least of an iteration that is full of prompts, where prompts are cut."""
_COST = 0.001
"""Share of an iteration by which rounding may be off, to save one unit of a prompt."""
_STATES_MAX = 256
_STEPS = 32
"""From iteration to iteration that are looked at one by one."""
_SETTLED = 1e-4
"""Of the mean, where the iterations ahead do not depend on the state any more."""
_SIZES = 16
"""Of prompts, at most."""
_TAIL = 8.0
"""Exponents of e that the states reach into the tail of the backlog."""


@dataclass(frozen=True, eq=False)
class Sizes:
    """Of prompts by their mean, as few classes; shape (classes,)."""

    of_mean: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, batch: Batch, requests: Requests, n: float) -> Sizes:
        """By the seconds that each row adds to an iteration beside n sequences: as many mean prompts add them."""
        tokens = requests.prompt_tokens.astype(float)
        if len(requests) == 1:
            return cls(np.ones(1), np.ones(1))
        context = n * np.asarray(batch.demand.context_tokens)
        pairs = tokens * (requests.cached_tokens + (tokens + 1) / 2)
        added: FloatArray = batch.iteration.seconds(n, context, tokens, pairs, n + 1.0, prompts=1.0)
        added = added + batch.images_s(requests.images.astype(float))
        grid = np.geomspace(1e-2, 4 * tokens.max() / tokens.mean(), 256)
        mean_prompt = batch.iteration.seconds(
            n, context, grid * batch.prompt_tokens, grid * np.asarray(batch.demand.pairs), n + 1.0, prompts=1.0
        )
        known = np.maximum.accumulate(mean_prompt + grid * batch.encode_s(grid))
        return cls(*classes(np.interp(added, known, grid), requests.weights, _SIZES))

    @property
    def mean(self) -> float:
        """1, but for what classes lose."""
        return float(self.weights @ self.of_mean)

    @property
    def square(self) -> float:
        """Mean of the squares."""
        return float(self.weights @ self.of_mean**2)


def classes(values: FloatArray, weights: FloatArray, most: int) -> tuple[FloatArray, FloatArray]:
    """At most so many values with their weights, each the mean of neighbours; the mean stays, ends are finer."""
    found, which = np.unique(values, return_inverse=True)
    shares = np.bincount(which, weights=weights).astype(float)
    if found.size > most:
        below = np.cumsum(shares) - shares / 2
        edges = np.sin(np.linspace(0, np.pi / 2, most + 1))[1:-1] * (1 + 1e-9)  # the largest are the finest
        which = np.searchsorted(edges, below)
        total = np.bincount(which, weights=shares, minlength=most)
        sums = np.bincount(which, weights=shares * found, minlength=most)
        there = total > 0
        return sums[there] / total[there], total[there].astype(float)
    return found, shares


@dataclass(frozen=True, eq=False)
class Backlog:
    """Steady states, one for each n of some; letters: K of these, W states, S units that an iteration may take."""

    n: FloatArray
    """Shape (K,)."""
    units: int
    """r: of a prompt of the mean size."""
    full: IntArray
    """C: units that an iteration takes at most. Shape (K,)."""
    times_s: FloatArray
    """t(n, s). Shape (K, S + 1); constant beyond C."""
    rate: float
    moves: FloatArray
    """P. Shape (K, W, W)."""
    square: float
    """Mean square of the sizes of prompts, by the square of their mean."""
    ends: FloatArray
    """Chance that a prompt of the backlog ends so many units before the backlog does. Shape (W,)."""

    @property
    def states(self) -> int:
        return int(self.moves.shape[1])

    @cached_property
    def taken(self) -> IntArray:
        """s: of each state. Shape (K, W)."""
        return np.minimum(np.arange(self.states), self.full[:, None])

    @cached_property
    def seconds(self) -> FloatArray:
        """Of the iteration of each state; of the idle one, 0. Shape (K, W)."""
        return np.take_along_axis(self.times_s, self.taken, axis=1)

    @cached_property
    def share(self) -> FloatArray:
        """Of the iterations, by state. Shape (K, W)."""
        w = self.states
        found = np.linalg.solve(np.swapaxes(self._bordered, 1, 2), np.full((len(self.n), w, 1), 1.0 / w))[..., 0]
        found = np.maximum(found, 0.0)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    @cached_property
    def mean_s(self) -> FloatArray:
        """Of an iteration. Shape (K,)."""
        return np.asarray((self.share * self.seconds).sum(axis=1))

    @cached_property
    def after(self) -> FloatArray:
        """States of the iteration after that in which a prompt ends, as such a prompt sees them. Shape (K, W)."""
        before = np.concatenate([[0.0], np.cumsum(self.ends)])
        w = np.arange(self.states)
        weights = self.share * (before[w] - before[w - self.taken])
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return np.asarray((weights[:, None, :] @ self.moves)[:, 0, :])

    @cached_property
    def ahead(self) -> FloatArray:
        """Mean seconds of the iteration so many steps after each state, 0 first; what follows the last takes the mean
        of an iteration. Shape (K, at most `_STEPS`, W)."""
        found = [self.seconds]
        for _ in range(_STEPS - 1):
            off = self.share * (found[-1] - self.mean_s[:, None]) ** 2
            if np.all(off.sum(axis=1) < _SETTLED**2 * self.mean_s**2):
                break
            found.append((self.moves @ found[-1][..., None])[..., 0])
        return np.stack(found, axis=1)

    def life_s(self) -> FloatArray:
        """Mean seconds of each iteration after that in which a prompt ends. Shape (K, steps)."""
        return np.asarray((self.ahead @ self.after[..., None])[..., 0])

    @cached_property
    def variance(self) -> FloatArray:
        """Of the seconds of many iterations, by their number. Shape (K,)."""
        off = self.seconds - self.mean_s[:, None]
        h = np.linalg.solve(self._bordered, off[..., None])[..., 0]
        h = h - (self.share * h).sum(axis=1, keepdims=True)
        return np.asarray(np.maximum((self.share * off * (2 * h - off)).sum(axis=1), 0.0))

    # ---- how ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _bordered(self) -> FloatArray:
        """I - P and a matrix of rank one, by which it has an inverse."""
        w = self.states
        return np.eye(w) - self.moves + 1.0 / w


def backlog(batch: Batch, sizes: Sizes, rate: float, n: FloatArray) -> Backlog:
    """The chain beside each of some numbers of sequences; shape of n: (K,)."""
    room = batch.room(n)
    middle = batch.beside(n, rate, batch.alone(n), batch.encode_s(1.0))
    reach = _reach(middle, rate, room, sizes)
    units = _units(float(np.median(room)), reach, sizes, batch.scheduler.chunked_prefill)
    states = int(np.clip(np.ceil(units * reach), 16, _STATES_MAX))
    full = np.minimum(_full(room, units, sizes), states - 1)
    s = np.arange(full.max() + 1)
    k = np.minimum(s, full[:, None]) / units
    times = np.where(k > 0, batch.prefill_s(n[:, None], np.maximum(k, 1e-9)), batch.step_s(n)[:, None])
    times = times + k * batch.encode_s(k)
    # an iteration that is full takes its tokens, not the units that are next to them
    served = full / units / np.minimum(room, (states - 1) / units)
    exact = batch.prefill_s(n, full / units / served) + full / units * batch.encode_s(full / units)
    times = np.where(s >= full[:, None], (exact * served)[:, None], times)
    arrive = _arrivals(rate * times, sizes, units, states)
    one = _one(sizes, units, states)
    arrive[(n == 0), 0] = one  # idle: the next request starts at once
    return Backlog(n, units, full, times, rate, _moves(arrive, full, states), sizes.square / sizes.mean**2, _ends(one))


def _reach(middle: Beside, rate: float, room: FloatArray, sizes: Sizes) -> float:
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


def _units(room: float, reach: float, sizes: Sizes, chunked: bool) -> int:
    """r: as few as keep sizes apart, so that a full iteration has `_FULL` of them, where there are not too many states,
    and is near a whole number."""
    if not chunked:
        return 1
    least = 1 if room >= _FULL else int(np.ceil(_FULL / room))
    if sizes.of_mean.size > 1:
        least = max(least, 4)
    most = max(int(_STATES_MAX / reach), 1)
    least = min(least, most)
    if room >= _FULL:
        return least
    found = np.arange(least, max(least + 1, min(3 * least, most + 1)))
    off = [abs(float(_full(np.array([room]), one, sizes)[0]) / (one * room) - 1) for one in found.tolist()]
    return int(found[np.argmin(np.array(off) + _COST * (found - least))])


def _full(room: FloatArray, units: int, sizes: Sizes) -> IntArray:
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


def _one(sizes: Sizes, units: int, states: int) -> FloatArray:
    """Chance of each number of units of one request. Shape (states,)."""
    exact = np.minimum(sizes.of_mean * units, states - 1.001)
    low = np.floor(exact).astype(np.int64)
    found = np.zeros(states)
    np.add.at(found, low, sizes.weights * (low + 1 - exact))
    np.add.at(found, np.minimum(low + 1, states - 1), sizes.weights * (exact - low))
    return found


def _ends(one: FloatArray) -> FloatArray:
    """Chance that prompts, the last of which ends at 0, end at each of the units before it: a renewal process."""
    found = np.zeros_like(one)
    found[0] = 1.0 / (1.0 - one[0])
    there = np.flatnonzero(one[1:]) + 1
    for at in range(1, one.size):
        reach = there[there <= at]
        found[at] = one[reach] @ found[at - reach] / (1.0 - one[0])
    found[0] = 1.0
    return found


def _arrivals(mean: FloatArray, sizes: Sizes, units: int, states: int) -> FloatArray:
    """Chance of each number of units that arrive, where `mean` requests do. Shape (..., states)."""
    if sizes.of_mean.size == 1:
        count = np.arange((states - 1) // units + 1)
        logs = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(count[1:], 1)))])
        chance = np.exp(count * np.log(np.maximum(mean, 1e-300))[..., None] - mean[..., None] - logs)
        found = np.zeros((*mean.shape, states))
        found[..., ::units][..., : count.size] = chance
        return found
    length = 1 << int(np.ceil(np.log2(2 * states)))
    spectrum = np.fft.rfft(_one(sizes, units, states), length)
    found = np.fft.irfft(np.exp(mean[..., None] * (spectrum - 1.0)), length)[..., :states]
    return np.maximum(found, 0.0)


def _moves(arrive: FloatArray, full: IntArray, states: int) -> FloatArray:
    """P: what is left and what arrives. Shape (K, W, W)."""
    kinds, served, _ = arrive.shape
    padded = np.concatenate([np.zeros_like(arrive), arrive], axis=-1).ravel()
    w = np.arange(states)
    taken = np.minimum(w, full[:, None])
    start = (np.arange(kinds)[:, None] * served + taken) * 2 * states + states - (w - taken)
    found = padded[start[..., None] + w]
    found[..., -1] += np.maximum(1.0 - found.sum(axis=-1), 0.0)
    return np.asarray(found)
