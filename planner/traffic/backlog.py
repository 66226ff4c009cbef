"""The prompts that wait or are computed beside n sequences: a Markov chain from iteration to iteration, solved.

    w -> w - s + A,   s = min(w, C)   and   A = what arrives during t(n, s), compound Poisson

w is counted in units of 1/r of a prompt of the mean size; C units fit into an iteration, whose time is t(n, s). With n
held, which changes slowly beside it, the chain has a steady state; n = 0 idles until the next request, which starts at
once. Sizes are the seconds by which a prompt lengthens an iteration, by their mean: images of a request are part of it.

Where an iteration is filled while the one before it runs, A is what arrived during t(n, s) of the one before that. As
long as nothing is left over, every other iteration then makes a chain of its own with the same steady state, and
neighbours know nothing of each other; what is left over joins them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.batch import Batch
from planner.traffic.iteration_time import FloatArray, IntArray
from planner.traffic.prompt_sizes import Sizes
from planner.traffic.prompt_units import (
    STATES_MAX,
    arrivals,
    ends_of,
    full_of,
    moves,
    reach_of,
    units_of,
    units_of_one,
)

_STEPS = 32
"""From iteration to iteration that are looked at one by one."""
_SETTLED = 1e-4
"""Of the mean, where the iterations ahead do not depend on the state any more."""
_SELDOM = 1e-4
"""Share of the iterations that leave something over, below which it is not followed."""


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
    arrive: FloatArray
    """Chance of each number of units that arrive in an iteration that takes s of them. Shape (K, S + 1, W)."""
    early: bool = False
    """Whether an iteration is filled while the one before it runs."""

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
        return np.asarray((self._ending[:, None, :] @ self.moves)[:, 0, :])

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
        found = np.asarray((self.ahead @ self.after[..., None])[..., 0])
        return self._every_other(found) if self.early else found

    @cached_property
    def apart(self) -> FloatArray:
        """P where what arrives knows nothing of what is left: neighbours of iterations that are filled early. Shape
        (K, W, W)."""
        weights = np.zeros_like(self.arrive[..., 0])
        np.add.at(weights, (np.arange(len(self.n))[:, None], self.taken), self.share)
        arrive = (weights[:, None, :] @ self.arrive)[:, 0, :]
        return moves(np.broadcast_to(arrive[:, None, :], self.arrive.shape), self.full, self.states)

    @cached_property
    def before(self) -> FloatArray:
        """Distribution function of the state before each one, of iterations that are filled early. Shape (K, W, W),
        the last axis that of the state before."""
        joint = np.swapaxes(self.share[..., None] * self.apart, 1, 2)
        total = joint.sum(axis=2, keepdims=True)
        joint = np.where(total > 0, joint, self.share[:, None, :])
        below = np.cumsum(joint, axis=2)
        return np.asarray(below / below[..., -1:])

    @cached_property
    def variance(self) -> FloatArray:
        """Of the seconds of many iterations, by their number. Shape (K,)."""
        off = self.seconds - self.mean_s[:, None]
        h = np.linalg.solve(self._bordered, off[..., None])[..., 0]
        h = h - (self.share * h).sum(axis=1, keepdims=True)
        return np.asarray(np.maximum((self.share * off * (2 * h - off)).sum(axis=1), 0.0))

    def evenness(self, iterations: FloatArray) -> FloatArray:
        """Variance of the seconds of so many successive iterations that are filled early, by that of iterations that
        are not: less, as stalls bring on others later. Shape (K, counts)."""
        off = self.ahead - self.mean_s[:, None, None]
        covariance = (self.share[:, None, :] * off * off[:, :1, :]).sum(axis=2)
        m = np.arange(np.ceil(iterations.max()) + 1)
        lags = np.arange(1, covariance.shape[1])
        found = m * covariance[:, :1] + 2 * covariance[:, 1:] @ np.maximum(m - lags[:, None], 0.0)
        halves, wholes = (np.stack([np.interp(many, m, row) for row in found]) for many in (iterations / 2, iterations))
        return np.asarray(np.where(wholes > 0, 2 * halves / np.where(wholes > 0, wholes, 1.0), 1.0))

    # ---- how ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _ending(self) -> FloatArray:
        """States of the iteration in which a prompt ends, as such a prompt sees them. Shape (K, W)."""
        before = np.concatenate([[0.0], np.cumsum(self.ends)])
        w = np.arange(self.states)
        weights = self.share * (before[w] - before[w - self.taken])
        return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300))

    def _every_other(self, found: FloatArray) -> FloatArray:
        """`life_s` of iterations that are filled early: what arrived beside a prompt is met every other iteration, what
        it left over in each."""
        steps, mean = found.shape[1], self.mean_s[:, None]
        left = self._left_s(2 * steps)
        late = np.zeros_like(left)
        late[:, 1::2] = found - mean - left[:, :steps]
        return np.asarray(mean + left + late)

    def _left_s(self, steps: int) -> FloatArray:
        """Seconds above the mean in the iterations after that in which a prompt ends, by what is left over. Shape (K,
        steps)."""
        found = np.zeros((len(self.n), steps))
        if float((self.share * (self.taken < np.arange(self.states))).sum(axis=1).max()) < _SELDOM:
            return found
        now = self._ending[:, None, :]
        for step in range(steps):
            now = now @ self.apart
            found[:, step] = (now[:, 0, :] * self.seconds).sum(axis=1)
            if step and np.all(np.abs(found[:, step] - found[:, step - 1]) < _SETTLED * self.mean_s):
                found[:, step + 1 :] = found[:, step, None]
                break
        return found - found[:, -1:]

    @cached_property
    def _bordered(self) -> FloatArray:
        """I - P and a matrix of rank one, by which it has an inverse."""
        w = self.states
        return np.eye(w) - self.moves + 1.0 / w


def backlog(batch: Batch, sizes: Sizes, rate: float, n: FloatArray) -> Backlog:
    """The chain beside each of some numbers of sequences; shape of n: (K,)."""
    room = batch.room(n)
    middle = batch.beside(n, rate, batch.alone(n), batch.encode_s(1.0))
    reach = reach_of(middle, rate, room, sizes)
    units = units_of(float(np.median(room)), reach, sizes, batch.scheduler.chunked_prefill)
    states = int(np.clip(np.ceil(units * reach), 16, STATES_MAX))
    full = np.minimum(full_of(room, units, sizes), states - 1)
    s = np.arange(full.max() + 1)
    k = np.minimum(s, full[:, None]) / units
    times = np.where(k > 0, batch.prefill_s(n[:, None], np.maximum(k, 1e-9)), batch.step_s(n)[:, None])
    times = times + k * batch.encode_s(k)
    # an iteration that is full takes its tokens, not the units that are next to them
    served = full / units / np.minimum(room, (states - 1) / units)
    exact = batch.prefill_s(n, full / units / served) + full / units * batch.encode_s(full / units)
    times = np.where(s >= full[:, None], (exact * served)[:, None], times)
    arrive = arrivals(rate * times, sizes, units, states)
    one = units_of_one(sizes, units, states)
    arrive[(n == 0), 0] = one  # idle: the next request starts at once
    early, square = batch.scheduler.async_scheduling, sizes.square / sizes.mean**2
    return Backlog(n, units, full, times, rate, moves(arrive, full, states), square, ends_of(one), arrive, early)
