"""Load tests repeated by the traffic model: what each would have measured on an engine with given numbers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.bench.calibration.engine_points import NUMBERS, Point, numbers_of
from planner.hardware import Hardware
from planner.traffic.course import Work
from planner.traffic.events import room_of
from planner.traffic.loop import run
from planner.traffic.replica import Replica
from planner.traffic.times import Times, times_of

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Replayed:
    """Predictions of several tests."""

    numbers: FloatArray
    """(points, NUMBERS): means over the seeds; NaN for what no request of a test says."""
    chance: FloatArray
    """Relative standard deviations of one test, (points, NUMBERS)."""
    utilisation: FloatArray
    """Requests per second as a share of the most that the engine carries, (points,); above 1 a queue grows."""


def replay(points: Sequence[Point], hardware: Hardware, seeds: int = 0) -> Replayed:
    """Simulate each test with the numbers of a profile.

    Args:
        points: the tests.
        hardware: the profile.
        seeds: for each test; 0: as many as its length asks for.
    """
    tables: dict[Hashable, Times] = {}
    numbers, chance, share = [], [], []
    for point in points:
        replica = point.service(hardware).replica
        times = _times(point, points, replica, tables)
        drawn = seeds or point.seeds
        runs = [_once(point, replica, times, seed) for seed in range(drawn)]
        values = np.array(runs)
        mean = values.mean(axis=0)
        numbers.append(mean)
        offered = point.test.requests_per_second
        share.append((mean[0] if offered is None else offered) / most_per_second(point, replica))
        off = np.std(values, axis=0, ddof=1) / mean if drawn > 1 else np.zeros(len(NUMBERS))
        chance.append(np.where(np.isfinite(off), off, 0.0))
    return Replayed(np.array(numbers), np.array(chance), np.array(share))


def _times(point: Point, points: Sequence[Point], replica: Replica, tables: dict[Hashable, Times]) -> Times:
    """Times of iterations, shared by tests of the same server."""
    key = _server(point)
    if key not in tables:
        alike = [one for one in points if _server(one) == key]
        longest = max(sum(map(max, one.lengths(max(one.test.tried, 1)))) for one in alike)
        cached = max(one.workload.cached_tokens for one in alike)
        images = max(one.workload.images for one in alike)
        most = max(one.test.tried for one in alike)  # no more sequences run than there are requests
        seats, tokens = min(point.scheduler.max_num_seqs, max(most, 1)), point.scheduler.max_num_batched_tokens
        tables[key] = times_of(replica.iteration, seats, tokens, longest + cached, images)
    return tables[key]


def _server(point: Point) -> Hashable:
    run = point.run
    looks = point.model.compressor.query_aware and point.workload.images > 0
    beside = point.workload if looks else point.workload.images
    model = (repr(point.model), id(point.model.llm))
    return (model, point.scheduler, run.precision, run.kv_precision, run.tensor_parallel, beside)


def most_per_second(point: Point, replica: Replica) -> float:
    """Requests per second that a server carries with all seats taken:

        1 / ((G - 1) t(N) / N + D)

    t(N) a decode step of N sequences, D what a prompt adds to the iterations that compute it, when these are full. N:
    seats, or sequences for which the KV cache has room.
    """
    prompt, generated = point.service_request
    load, scheduler = point.workload, point.scheduler
    context = load.cached_tokens + prompt + generated / 2
    seats = max(min(scheduler.max_num_seqs, replica.kv_tokens / context, scheduler.max_num_batched_tokens - 1), 1.0)
    left = max(scheduler.max_num_batched_tokens - seats, 1.0)
    prompts = left / prompt
    pairs = prompts * prompt * (load.cached_tokens + (prompt + 1) / 2)
    seconds = replica.iteration.seconds
    step = float(seconds(seats, seats * context, 0.0, 0.0, seats))
    images = prompts * load.images if not scheduler.encoder_is_apart else 0.0
    full = float(
        seconds(seats, seats * context, left, pairs, seats + prompts, prompts=max(prompts, 1.0), images=images)
    )
    return 1 / ((generated - 1) * step / seats + (full - step) / prompts)


def _once(point: Point, replica: Replica, times: Times, seed: int) -> FloatArray:
    """NUMBERS of one run."""
    comes = point.comes_s(np.random.default_rng([seed, point.place]))
    count = len(comes)
    prompts, answers = point.lengths(count)
    load = point.workload
    work = Work(comes.tolist(), prompts, answers, [load.cached_tokens] * count, [load.images] * count)
    course = run(work, room_of(replica), times, think_s=replica.request_s)
    came, first, end = (np.array(one) for one in (course.comes_s, course.first_s, course.end_s))
    generated = np.array(answers)
    span = float(end.max() - came.min()) + replica.request_s
    low, high = (round(share * count) for share in point.kept)
    kept = slice(low, max(high, low + 1))
    ttft = (first - came + replica.request_s)[kept]
    latency = (end - came + replica.request_s)[kept]
    steps = generated[kept] - 1
    tpot = np.where(steps > 0, (end - first)[kept] / np.maximum(steps, 1), math.nan)
    return numbers_of(ttft, tpot, latency, count / span)
