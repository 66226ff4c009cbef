"""Level A: the steady state of an engine in closed form, for as many candidates at once as arrays hold.

    n   sequences that run,  n = rate (G - 1) tau(n)                                        (Little's law)
    tau mean seconds of an iteration beside n sequences,  tau = t0 / (1 - u),  u = rate D
    t0  seconds of an iteration of n decode steps
    D   seconds by which a prompt lengthens an iteration, in the company that it has: k prompts
    x   seconds more for a request whose prompt came in a burst: those of the burst stall each other

n is found by Newton's method with the slope b of tau: a sequence that runs sees itself beside the others, so that its
iterations take a + b (n + 1) + x. The first token waits for the end of an iteration, for the prompts in front, and for
its own. It discards candidates: means hold within a few percent in the middle of the load, percentiles are estimates.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from planner.base.dataclass import dataclass
from planner.traffic.batch import Batch, Beside
from planner.traffic.demand import Demand
from planner.traffic.iteration_time import FloatArray, IterationTime, Number
from planner.traffic.scheduler import Scheduler

LEVEL = "steady"
ROUNDS = 10
_DAMPING = 0.5
_STEP = 0.05
"""Over which the slope is taken, as a share of n."""
_NO_TIME_S = 1e-12
_MEET = 1.3
"""Prompts of an iteration from which on they share it, as a rule."""
_MOST = 0.95
"""Of what feeds back on itself, in rounds that have not settled."""


@dataclass(frozen=True, eq=False)
class Steady:
    """Of each candidate; where it is not stable, times are infinite."""

    stable: Any
    """Whether it keeps up with the requests at all. Shape: that of the candidates; so are all others."""
    bound: Any
    """What ends the rate: "compute", "seats" (max_num_seqs) or "kv" (room in the KV cache)."""
    capacity: FloatArray
    """Requests per second above which it is unstable."""
    utilisation: FloatArray
    """The rate by the capacity."""
    running: FloatArray
    """n: sequences that are decoded at once."""
    tpot_s: FloatArray
    """Mean seconds of a token after the first."""
    ttft_s: FloatArray
    """Mean seconds to the first token."""
    latency_s: FloatArray
    """Mean seconds of a request."""
    tpot_tail_s: FloatArray
    """At the percentile, as are the next two: estimates."""
    ttft_tail_s: FloatArray
    latency_tail_s: FloatArray


def steady(
    iteration: IterationTime,
    scheduler: Scheduler,
    kv_tokens: Number,
    demand: Demand,
    rate: Number,
    *,
    request_s: Number = 0.0,
    encode_apart_s: Number = 0.0,
    gpus: Number = 1,
    percentile: float = 95.0,
    rounds: int = ROUNDS,
) -> Steady:
    """The steady state at a rate of requests; all numbers broadcast over candidates.

    Args:
        iteration: times the iterations of all candidates.
        scheduler: of the engine.
        kv_tokens: that the KV cache has room for.
        demand: what a request asks for.
        rate: requests per second of one replica.
        request_s: of the host for a request.
        encode_apart_s: of an image, where the encoder stands apart.
        gpus: that share the model; with `encoder_data_parallel` they share the images of an iteration.
        percentile: percent of the requests, of the tails.
        rounds: of Newton's method.
    """
    lam = np.asarray(rate, float)
    batch = Batch(iteration, scheduler, kv_tokens, demand, gpus, encode_apart_s)
    capacity, bound = batch.capacity
    n, k, encode = _settled(batch, lam, rounds)
    now = batch.beside(n, lam, k, encode)
    waits = _apart(batch, lam)
    steps = lam * batch.decodes
    stable = (lam < capacity) & (now.load < 1) & ((n < batch.seats * (1 - 1e-9)) | (steps == 0))
    z = NormalDist().inv_cdf(percentile / 100)
    tpot = np.where(steps > 0, n / np.where(steps > 0, steps, 1.0), now.tau_s)
    tpot_off = z * _deviation(batch, n, lam, now)
    share = percentile / 100
    first, tail = _first(batch, n, lam, k, now, share)
    ttft = first + waits.mean_s + request_s
    ttft_off = np.hypot(tail - first, waits.tail_s(share)) * np.sign(z)
    latency = ttft + batch.decodes * tpot
    long = z * np.sqrt(np.asarray(demand.decodes_variation)) * batch.decodes * tpot
    latency_off = np.sqrt(ttft_off**2 + (batch.decodes * tpot_off) ** 2 + long**2) * np.sign(z)
    times = (tpot, ttft, latency, tpot + tpot_off, ttft + ttft_off, latency + latency_off)
    running = np.where(stable, n, batch.seats)
    return Steady(stable, bound, capacity, lam / capacity, running, *(np.where(stable, one, np.inf) for one in times))


def _settled(batch: Batch, lam: FloatArray, rounds: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """n, k and the seconds of a request's images where they have settled."""
    g1, steps, seats = batch.decodes, lam * batch.decodes, batch.seats
    encode = batch.encode_s(1.0)
    n = np.minimum(steps * batch.step_s(np.minimum(1.0, seats)), seats)
    k = batch.alone(n)
    for turn in range(rounds):
        now = batch.beside(n, lam, k, encode)
        k = np.sqrt(k * batch.together(n, lam, k, now))
        h = np.maximum(_STEP * n, 0.5)
        slope = (
            (batch.step_s(n + h) / np.maximum(now.step_s, _NO_TIME_S) - 1.0) * now.tau_s / h
        )  # that of D is left out
        feedback = np.minimum(steps * slope, _MOST)
        seen = steps * (now.tau_s + slope + _burst(now, g1))
        n = np.clip(n + _DAMPING * (seen - n) / (1.0 - feedback), 0.3 * n, np.minimum(3.0 * n + 1.0, seats))
        if turn == rounds // 2:
            encode = batch.encode_s(k)
    return n, k, encode


def _burst(now: Beside, g1: FloatArray) -> FloatArray:
    """Seconds by which each iteration of a request is longer because prompts that come together stall each other."""
    u, many = np.minimum(now.load, _MOST), np.maximum(g1, 1.0)
    found: FloatArray = now.prompt_s * u * (1.0 - u**many) / ((1.0 - u) * (1.0 - u * u) * many)
    return found


def _deviation(batch: Batch, n: FloatArray, lam: FloatArray, now: Beside) -> FloatArray:
    """Standard deviation of the mean seconds of a request's tokens: of the sequences beside it, of prompts."""
    slope = np.maximum(batch.step_s(n + 1.0) / np.maximum(now.step_s, _NO_TIME_S) - 1.0, 0.0) * now.tau_s
    each = now.prompt_s / (np.maximum(batch.decodes, 1.0) * np.maximum(1.0 - now.load, 1.0 - _MOST))
    feedback = np.clip(lam * batch.decodes * slope, 0.0, _MOST)
    found: FloatArray = np.sqrt(n / (1.0 - feedback) * (2 / 3 * slope * slope + slope * each + each * each))
    return found


def _first(
    batch: Batch, n: FloatArray, lam: FloatArray, k: FloatArray, now: Beside, share: float
) -> tuple[FloatArray, FloatArray]:
    """Seconds to the first token in the engine: mean, and what a share of the requests keeps within.

    A prompt waits for the rest of the iteration in which it comes, short (decode steps alone) or long (with prompts),
    and for the end of the next one, its own. Where prompts take several iterations, they wait for each other's end.
    Where iterations are filled while others run, the next one is filled already if sequences run.
    """
    u, d = np.minimum(now.load, _MOST), now.prompt_s
    uneven = 1.0 + np.asarray(batch.demand.prompt_variation)
    tau = now.step_s / (1.0 - u)
    busy = -np.expm1(-(n + u))
    long_s = now.step_s + k * d
    in_long = u * long_s / np.maximum(k * d, 1e-300)  # chance to come in a long iteration
    two = busy * (in_long * long_s + (1.0 - in_long) * now.step_s) / 2 + long_s
    many = busy * (tau + lam * d * d * uneven / (1.0 - u * u)) / 2 * (1.0 + 2.0 * u) + now.step_s + d
    mean = np.maximum(two, np.where(k > _MEET, (two + many) / 2, many))
    late_s = _rest(busy, in_long, now.step_s, long_s, 1.0 - share)
    own_s = np.where(late_s > 0, (1.0 + lam * np.where(late_s > now.step_s, long_s, late_s)) * np.sqrt(uneven), 1.0) * d
    tail = np.maximum(mean + (2 * share - 1) * (mean - now.step_s - d), late_s + own_s + now.step_s)
    if batch.scheduler.async_scheduling:
        between, off = _filled_already(n, k, now, tau)
        beyond = tail - mean + np.where(late_s > 0, tau - between, 0.0)
        tail = mean + between + np.copysign(np.hypot(beyond, NormalDist().inv_cdf(share) * off), beyond)
        mean = mean + between
    room = batch.room(n)
    several = room < 1.0
    if not np.any(several):
        return mean, tail
    room = np.where(several, np.maximum(room, 1e-9), 1.0)
    alone = batch.prefill_s(n, room) / room + batch.encode_s(1.0)
    load = np.minimum(lam * alone, _MOST)
    idle = np.exp(-lam * tau) * (1.0 - u)
    wait = idle * busy * now.step_s / 2 + load * alone * uneven / (2 * (1.0 - load))
    wait = np.maximum(wait, mean - now.step_s - d)
    queued = wait * (2 * share + (-math.log1p(-share) - 2 * share) * load)
    return np.where(several, alone + wait, mean), np.where(several, alone + queued, tail)


def _rest(busy: FloatArray, in_long: FloatArray, step_s: FloatArray, long_s: FloatArray, over: float) -> FloatArray:
    """Seconds left of the iteration in which a request comes, which a share of the requests exceeds: none where it
    idles, else evenly from 0 to the length of the iteration, which is a long one by chance."""
    late = 1.0 - over / np.maximum(busy, 1e-9)
    shares = in_long / np.maximum(long_s, _NO_TIME_S) + (1.0 - in_long) / np.maximum(step_s, _NO_TIME_S)
    found = late / np.maximum(shares, 1e-300)
    found = np.where(found > step_s, (1.0 - over / np.maximum(busy * in_long, 1e-9)) * long_s, found)
    return np.where(late > 0, found, 0.0)


def _filled_already(n: FloatArray, k: FloatArray, now: Beside, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Seconds of the iteration between the one in which a request comes and its own: mean and standard deviation."""
    there = -np.expm1(-n)
    longer = k * now.prompt_s
    share = np.clip((tau - now.step_s) / np.maximum(longer, 1e-300), 0.0, 1.0)  # of the iterations has prompts
    return there * tau, there * longer * np.sqrt(share * (1.0 - share))


class _Apart(NamedTuple):
    """Of an encoder that stands in front of the engine: images of a request one after the other."""

    load: FloatArray
    mean_s: FloatArray
    """Before the engine, of a request."""
    waiting_s: FloatArray
    """Mean of the waiting among it, of those with images."""
    share: FloatArray
    """Of the requests that have images."""

    def tail_s(self, share: float) -> FloatArray:
        """Seconds beyond the mean that a share of the requests keeps within; the tail of waiting is exponential."""
        load = np.maximum(self.load, 1e-12)
        tail = self.waiting_s / load * np.maximum(np.log(load / (1.0 - share)), 0.0)
        return np.where(self.share > 1.0 - share, np.maximum(tail - self.waiting_s, 0.0), 0.0)


def _apart(batch: Batch, lam: FloatArray) -> _Apart:
    """M/D/1; requests without images pass it by."""
    mean = batch.apart_s
    share = np.minimum(np.asarray(batch.demand.images, float), 1.0) * (mean > 0)
    load = lam * mean
    used = np.minimum(load, 1.0 - 1e-9)
    waiting = used * mean / np.where(share > 0, share, 1.0) / (2 * (1.0 - used))
    return _Apart(load, mean + share * waiting, waiting, share)
