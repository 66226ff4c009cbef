"""Level B: one replica under requests at random, solved numerically; as near to events as a few percent.

Beside each of some numbers n of sequences the prompts form a Markov chain (`planner.traffic.backlog`); n follows from
the iterations beside it (`planner.traffic.running`), and times to the first token are drawn from the chains
(`planner.traffic.first_token`). It answers where seats and KV cache are not full, and says where it does not.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.quantities import positive_number
from planner.traffic.backlog import Backlog, backlog
from planner.traffic.batch import Batch
from planner.traffic.first_token import NORMAL, first_token_s, spread_points, sum_of_sizes
from planner.traffic.iteration_time import FloatArray
from planner.traffic.prompt_sizes import Sizes
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.running import Answers, Running, product_form, running

LEVEL = "chain"
MOST_UTILISED = 0.9
"""Of the capacity; nearer to it only events answer."""
MOST_FULL = 0.01
"""Chance that all seats are taken; beyond it requests wait for seats, which only events see."""
MOST_PROMPTS = 0.75
"""Share of the time that goes to prompts; beyond it a burst of prompts lasts as long as an answer."""
_NODES = 7
_BURSTS_MAX = 0.7
_TAIL_CHANCE = 1e-4
"""Of the sequences that run, beyond which no chain is solved."""


@dataclass(frozen=True, eq=False)
class Chain:
    """What a replica does at a rate. Times are None where only events answer or where it is unstable."""

    rate: float
    """Requests per second."""
    capacity: float
    """Requests per second above which it is unstable."""
    bound: str
    """What is full at the capacity: "compute", "seats", "kv" or "encoder"."""
    stable: bool
    events_only: str
    """Why this level does not answer; "" where it does."""
    running: float | None = None
    """Sequences that are decoded at once, on average."""
    ttft_s: Spread | None = None
    tpot_s: Spread | None = None
    """Of each request's mean; None where no request generates more than one token."""
    latency_s: Spread | None = None

    level = LEVEL

    @property
    def utilisation(self) -> float:
        """The rate by the capacity."""
        return self.rate / self.capacity


@dataclass(frozen=True, eq=False)
class Spread:
    """A time, as requests have it: values and their weights."""

    values: FloatArray
    weights: FloatArray

    @cached_property
    def mean(self) -> float:
        return float(self.values @ self.weights / self.weights.sum())

    def percentile(self, percent: float) -> float:
        """The time that so many percent of the requests keep within."""
        values, below = self._sorted
        return float(np.interp(percent / 100, below, values))

    @cached_property
    def _sorted(self) -> tuple[FloatArray, FloatArray]:
        order = np.argsort(self.values)
        weights = self.weights[order] / self.weights.sum()
        return self.values[order], np.cumsum(weights) - weights / 2


def chain(replica: Replica, requests: Requests, rate: float) -> Chain:
    """Times at a rate of requests that come at random.

    Raises InputError for a rate that is none, and for prompts that the engine refuses: longer than the tokens of an
    iteration where they are not cut.
    """
    lam = positive_number(rate, "rate")
    batch = Batch.of(replica, requests)
    most, full = float(batch.capacity[0]), str(batch.capacity[1])
    if lam >= most:
        return Chain(lam, most, full, False, f"unstable above {most:.4g} requests/s")
    if lam > MOST_UTILISED * most:
        return Chain(
            lam, most, full, True, f"the load is {lam / most:.0%} of what is stable, above {MOST_UTILISED:.0%}"
        )
    seats = int(min(replica.scheduler.max_num_seqs, replica.scheduler.max_num_batched_tokens - 1))
    answers = Answers.of(requests)
    sizes, solved, found = _solved(batch, answers, requests, lam, seats)
    reason = _not_here(replica, lam, requests, found, seats)
    if reason:
        return Chain(lam, most, full, True, reason)
    first = first_token_s(solved, sizes)
    return _told(replica, requests, answers, sizes, found, first, Chain(lam, most, full, True, "", found.mean))


def _solved(
    batch: Batch, answers: Answers, requests: Requests, lam: float, seats: int
) -> tuple[Sizes, Backlog, Running]:
    """Chains beside those n that occur, which a closed form finds first."""
    every = np.arange(seats + 1.0)
    guess = batch.beside(every, lam, batch.alone(every), batch.encode_s(1.0))
    chance = product_form(lam, answers.mean, guess.tau_s, 1.0 / (1.0 - np.minimum(guess.load, _BURSTS_MAX)) ** 2)
    sizes = Sizes.of(batch, requests, float(chance @ every))
    for _ in range(2):
        nodes = _nodes(chance) if answers.share else np.zeros(1)
        solved = backlog(batch, sizes, lam, nodes)
        found = running(batch, answers, solved, seats)
        chance = found.chance
        outside = chance[: int(nodes[0])].sum() + chance[int(nodes[-1]) + 1 :].sum()
        if outside < 10 * _TAIL_CHANCE:
            break
    return sizes, solved, found


def _nodes(chance: FloatArray) -> FloatArray:
    """Numbers of sequences from one tail to the other; always one that is not 0."""
    below = np.cumsum(chance)
    low = int(np.searchsorted(below, _TAIL_CHANCE))
    high = max(int(np.searchsorted(below, 1 - _TAIL_CHANCE)), 1)
    spaced = np.rint(np.linspace(np.sqrt(max(low, 1)), np.sqrt(high), _NODES) ** 2)
    return np.unique(np.concatenate([[0.0] if low == 0 else [], spaced]))


def _not_here(replica: Replica, rate: float, requests: Requests, found: Running, seats: int) -> str:
    """Why only events answer; "" where this level does."""
    early = replica.scheduler.async_scheduling
    held = rate * float(found.chance @ found.tau_s) if early else 0.0  # seats of those that have ended
    n = np.arange(found.chance.size) + held
    filled = seats == replica.scheduler.max_num_seqs < n.size
    full = float(found.chance[n >= seats].sum()) if filled else 0.0
    if full > MOST_FULL:
        return f"all {seats} seats (max_num_seqs) are taken {full:.0%} of the time"
    if found.prompts_share > MOST_PROMPTS:
        return f"prompts take {found.prompts_share:.0%} of the time, so that sequences come in bursts"
    means = requests.means
    tokens = n * (means.context_tokens + replica.scheduler.block_tokens / 2) + means.prompt_tokens + means.cached_tokens
    short = float(found.chance[tokens > replica.kv_tokens].sum())
    if short > MOST_FULL / 2:
        return f"the KV cache is full {short:.0%} of the time, and sequences are preempted"
    return ""


def _told(
    replica: Replica,
    requests: Requests,
    answers: Answers,
    sizes: Sizes,
    found: Running,
    first: FloatArray,
    so_far: Chain,
) -> Chain:
    """Times of points that are as likely as their weights."""
    points = first.shape[1]
    weights = np.repeat(found.nodes / points, points)
    before, which, normal, stalls = spread_points(weights.size, 4)
    ttft = first.ravel() + replica.request_s + _apart_s(replica, requests, so_far.rate, before)
    if not answers.share:
        alike = Spread(ttft, weights)
        return replace(so_far, ttft_s=alike, latency_s=alike)
    has = which < answers.share
    edges = np.cumsum(answers.weights)
    kind = np.minimum(np.searchsorted(edges / edges[-1], which / answers.share), edges.size - 1)
    z = np.interp(normal, *NORMAL)
    count = np.zeros_like(z)
    for one, below in enumerate(found.stalls):
        count[kind == one] = np.searchsorted(below, stalls[kind == one])
    stall = sum_of_sizes(count, sizes, np.random.default_rng(2)) / sizes.mean
    tpot = found.base_s[kind] + found.tpot_deviation_s[kind] * z + found.stall_s[kind] * stall
    latency = ttft + np.where(has, tpot * answers.decodes[kind], 0.0)
    return replace(
        so_far, ttft_s=Spread(ttft, weights), tpot_s=Spread(tpot[has], weights[has]), latency_s=Spread(latency, weights)
    )


def _apart_s(replica: Replica, requests: Requests, lam: float, at: FloatArray) -> FloatArray:
    """Seconds before an encoder that stands apart is done: of M/G/1, whose waiting is a geometric sum of what is left
    of services (Pollaczek and Khinchine). Shape of the points."""
    service = requests.images * replica.encode_apart_s
    if not replica.scheduler.encoder_is_apart or not service.any():
        return np.zeros(at.size)
    generator = np.random.default_rng(1)
    load = lam * float(requests.weights @ service)
    count = generator.geometric(1 - load, at.size) - 1
    met = requests.weights * service / (requests.weights @ service)
    left = generator.choice(service, int(count.sum()), p=met) * generator.random(int(count.sum()))
    waiting = np.bincount(np.repeat(np.arange(at.size), count), weights=left, minlength=at.size)
    edges = np.cumsum(requests.weights)
    own = service[np.minimum(np.searchsorted(edges / edges[-1], at), service.size - 1)]
    return np.where(own > 0, waiting + own, 0.0)
