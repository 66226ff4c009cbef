"""How many sequences run, and how long their tokens take: a product form over the iterations beside n of them.

    p_n / p_(n-1) = ((1 - b) rate (G - 1) tau(n) + b (n - 1)) / n,   n = 1, 2 ... N

With b = 0 it is a server that is shared, whatever the lengths of the answers are. tau(n) is what a request meets that
joins: its iterations begin in the burst in which its own prompt came. Prompts that come while others are computed
become sequences together: where they take a share u of the time, n varies by 1 / (1 - u)^2 times its mean, and b makes
it so.
"""

from __future__ import annotations

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.backlog import Backlog
from planner.traffic.batch import Batch
from planner.traffic.iteration_time import FloatArray
from planner.traffic.prompt_sizes import classes
from planner.traffic.requests import Requests

_ANSWERS = 8
"""Lengths of answers, at most."""
_GRID = 33
_NO_TIME_S = 1e-12
_SHARE_MAX = 0.9
"""Of the time that goes to prompts, as far as it makes sequences come in bursts."""
_STAYS = 0.5
"""Share of a request's life for which a sequence that comes in it stays."""
_OTHERS_MAX = 0.15
"""Of n: sequences of the same burst, at most; a burst does not exceed those that run."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Lengths of answers behind their first token, as few classes; shape (classes,). Those without are left out."""

    decodes: FloatArray
    weights: FloatArray
    """They sum to 1."""
    share: float
    """Of the requests that have any."""

    @classmethod
    def of(cls, requests: Requests) -> Answers:
        decodes = requests.generated_tokens.astype(float) - 1.0
        there = decodes > 0
        if not there.any():
            return cls(np.ones(1), np.ones(1), 0.0)
        weights = requests.weights[there]
        return cls(*classes(decodes[there], weights / weights.sum(), _ANSWERS), float(weights.sum()))

    @property
    def mean(self) -> float:
        """Of all requests."""
        return self.share * float(self.weights @ self.decodes)

    def beside(self) -> FloatArray:
        """Variance of the mean number of sequences beside a request over its life, by their number; for each class.
        2/3 if all are as long."""
        own, grid = self.decodes[:, None], np.linspace(0.0, 1.0, _GRID)
        there = np.maximum(self.decodes - (own * grid)[..., None], 0.0) @ self.weights / (self.weights @ self.decodes)
        return np.asarray(2 * np.trapezoid((1 - grid) * there, grid, axis=1))


@dataclass(frozen=True, eq=False)
class Running:
    """Sequences that run."""

    chance: FloatArray
    """p_n of n = 0, 1, ... N. Shape (N + 1,)."""
    tau_s: FloatArray
    """Mean seconds of an iteration of a request beside n sequences, itself included. Shape (N + 1,)."""
    nodes: FloatArray
    """Share of each n of the chains. Shape (K,)."""
    tpot_s: FloatArray
    """Mean seconds of a token after the first, by length of the answer. Shape (classes,)."""
    base_s: FloatArray
    """Without what the prompts of its life add. Shape (classes,)."""
    tpot_deviation_s: FloatArray
    """Of the means of requests, by the sequences beside them. Shape (classes,)."""
    stalls: tuple[FloatArray, ...]
    """Chance that so many prompts or fewer stall a request in its life, of 0, 1, ...; by length of the answer."""
    stall_s: FloatArray
    """By which each lengthens the mean of its tokens. Shape (classes,)."""
    prompts_share: float
    """u: of the time that a request's iterations take, spent on prompts."""

    @property
    def mean(self) -> float:
        return float(self.chance @ np.arange(self.chance.size))


def product_form(rate: float, decodes: float, tau_s: FloatArray, uneven: FloatArray | float = 1.0) -> FloatArray:
    """p_n from tau(n), n = 0 ... N; the first tau is not looked at. Shape (N + 1,).

    `uneven` is the variance of n by its mean where tau does not depend on n: 1 if sequences come one by one, more where
    they come in bursts, as prompts that arrived while others were computed. It may depend on n.
    """
    n = np.arange(1, tau_s.size)
    bursts = 1.0 - 1.0 / np.broadcast_to(uneven, tau_s.shape)[1:]
    ratio = (1.0 - bursts) * rate * decodes * tau_s[1:] + bursts * (n - 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(ratio / n, 1e-300)))])
    found = np.exp(logs - logs.max())
    return np.asarray(found / found.sum())


def running(batch: Batch, answers: Answers, backlog: Backlog, seats: int) -> Running:
    """What follows from chains beside some numbers of sequences."""
    n, rate = backlog.n, backlog.rate
    if not answers.share:
        none = np.zeros(1)
        return Running(np.ones(1), none, np.ones(1), none, none, none, (np.ones(1),), none, 0.0)
    some = n > 0
    life = backlog.life_s()[some]
    total = np.cumsum(np.concatenate([np.zeros((life.shape[0], 1)), life], axis=1), axis=1)
    looked = np.minimum(answers.decodes, life.shape[1])
    sums = np.stack([np.interp(looked, np.arange(total.shape[1]), row) for row in total])
    sums = sums + (answers.decodes - looked) * backlog.mean_s[some][:, None]
    every = np.arange(seats + 1.0)
    step = batch.step_s(every)

    def over_n(values: FloatArray) -> FloatArray:
        """Between the chains as a multiple of the decode step, which is known for each n."""
        scale = step + _NO_TIME_S
        ratio = np.interp(every[1:], n[some], values / np.interp(n[some], every, scale))
        return np.concatenate([[0.0], ratio * scale[1:]])

    means = over_n(backlog.mean_s[some])
    share = np.concatenate([[0.0], np.clip(1.0 - step[1:] / means[1:], 0.0, _SHARE_MAX)])
    uneven = 1.0 / (1.0 - share) ** 2
    seen = every + np.minimum(uneven - 1.0, _OTHERS_MAX * every)

    def met(values: FloatArray) -> FloatArray:
        """Of the sequences that a request sees: itself and those that came in its burst."""
        return np.asarray(np.interp(seen, every, over_n(values)))

    tau = met(sums @ answers.weights / (answers.weights @ answers.decodes))
    chance = product_form(rate, answers.mean, tau, uneven)
    joined = chance[:-1] / max(chance[:-1].sum(), 1e-300)
    tpot = np.stack([met(sums[:, i] / one)[1:] for i, one in enumerate(answers.decodes)]) @ joined
    spread, slope = _deviation(answers, tau[1:], joined)
    variance = met(backlog.variance[some])[1:]
    mean = met(backlog.mean_s[some])[1:] @ joined
    beside = np.where(some, _weights(chance, n), 0.0)
    even = np.average(backlog.evenness(answers.decodes), axis=0, weights=beside) if backlog.early else np.ones(1)
    stalls, stall_s, base = _stalls(
        answers, tpot, step[1:] @ joined, mean, (variance @ joined) / backlog.square, slope, even
    )
    return Running(chance, tau, _weights(chance, n), tpot, base, spread, stalls, stall_s, float(share[1:] @ joined))


def _weights(chance: FloatArray, n: FloatArray) -> FloatArray:
    """Share of each chain: each p_n goes to its neighbours."""
    every = np.arange(chance.size)
    return np.array([chance @ np.interp(every, n, row) for row in np.eye(n.size)])


def _deviation(answers: Answers, tau: FloatArray, joined: FloatArray) -> tuple[FloatArray, float]:
    """Of a request's mean iteration by the sequences beside it, those left out that come in its life; and by how much a
    sequence lengthens iterations."""
    n = np.arange(1, tau.size + 1)
    off, beside = tau - joined @ tau, n - joined @ n
    slope = float(joined @ (off * beside)) / max(float(joined @ beside**2), 1e-12)
    others = np.maximum(answers.beside() - _STAYS**2, 0.0)
    return np.sqrt(float(joined @ off**2) * others), max(slope, 0.0)


def _stalls(
    answers: Answers, tpot: FloatArray, step: float, mean: float, variance: float, slope: float, even: FloatArray
) -> tuple[tuple[FloatArray, ...], FloatArray, FloatArray]:
    """Prompts that stall a request: those that come in its life, and in the stalls of those. Their number is the whole
    progeny of a branching process (generalized Poisson, Consul and Jain 1973): a first ones, u further of each. Each
    then runs beside the request, for half of its life on average."""
    share = max(1.0 - step / mean, 1e-9)
    each = max(variance * (1.0 - share) ** 2 / (share * mean), _NO_TIME_S)
    jump = each / answers.decodes
    count = np.maximum(tpot - step, 0.0) / jump
    shares = np.where(even < 1.0, np.maximum(1.0 - (1.0 - share) / np.sqrt(even), 0.0), share)
    shares = np.broadcast_to(shares, count.shape)
    tables = tuple(
        _progeny(one * (1.0 - some), some) for one, some in zip(count.tolist(), shares.tolist(), strict=True)
    )
    jump = jump + _STAYS * slope
    return tables, jump, tpot - count * jump


def _progeny(first: float, each: float) -> FloatArray:
    """Distribution function of the progeny, first ones included."""
    mean = first / (1.0 - each)
    k = np.arange(int(mean + 10 * np.sqrt(mean / (1.0 - each) ** 2)) + 12)
    lam = np.maximum(first + each * k, 1e-300)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(k[1:]))])
    found = np.exp(np.log(max(first, 1e-300)) + (k - 1) * np.log(lam) - lam - factorials)
    below = np.cumsum(found)
    return np.asarray(below / below[-1])
