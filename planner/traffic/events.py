"""An engine under load, request by request: discrete events.

The most exact level: waiting, bursts, full seats, preemption and spread lengths are what they are. What is random
scatters: at nine tenths of the largest load the 95th percentile of the time to the first token by 4 % over runs of
16,000 requests that are alike, by 13 % where lengths are spread (`benchmarks/events_speed.py`); intervals say so.
"""

from __future__ import annotations

import math

import numpy as np

from planner.base.errors import InputError
from planner.base.quantities import whole_number
from planner.traffic.arrivals import Arrivals
from planner.traffic.course import Course, Room, Work
from planner.traffic.iteration_time import IntArray
from planner.traffic.loop import run
from planner.traffic.outcome import Outcome
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.times import Times

REQUESTS = 16_000
"""That are simulated by default."""
_WARM_UP = 0.10
"""Share of the requests that find the engine emptier than it will be."""
_TAIL = 0.05
"""Share of the requests that find fewer behind them than there will be."""


def simulate(
    replica: Replica,
    requests: Requests,
    arrivals: Arrivals,
    *,
    count: int = REQUESTS,
    seed: int = 0,
    timeline_s: float = 0.0,
    leap: bool = True,
) -> Outcome:
    """Let requests come to one replica until all are answered.

    Runs with the same seed draw the same numbers: the n-th request is of the same kind at every rate, and times between
    requests differ by the factor of the rates.

    Args:
        replica: that serves them.
        requests: what they are.
        arrivals: when they come.
        count: how many; of a log as many as it has at most.
        seed: of the numbers that are drawn.
        timeline_s: for how long iterations are kept, from the end of the warm-up on.
        leap: whether iterations of decode steps alone are leapt over. Not doing so gives the same, more slowly.

    Raises:
        InputError: a request that the engine can never run.
    """
    count = whole_number(count, "count", 1)
    check_fits(replica, requests)
    work, room, times = prepared(replica, requests, arrivals, count, seed)
    first, last = _kept(len(work.comes_s))
    marks = (first, last - 1)
    course = run(work, room, times, think_s=replica.request_s, marks=marks, leap=leap)
    if timeline_s > 0:
        start = course.marks[0].time_s
        window = (start, start + timeline_s)
        course = run(work, room, times, think_s=replica.request_s, marks=marks, recorded_s=window, leap=leap)
    return _outcome(course, replica, np.array(work.generated_tokens), arrivals.requests_per_second, first, last)


def prepared(
    replica: Replica, requests: Requests, arrivals: Arrivals, count: int, seed: int
) -> tuple[Work, Room, Times]:
    """What the loop takes: the requests that come, what bounds an iteration, and how long one takes."""
    comes_s = arrivals.times_s(np.random.default_rng([seed, 0]), count)
    rows = arrivals.rows(np.random.default_rng([seed, 1]), requests, comes_s.size)
    columns = (requests.prompt_tokens, requests.generated_tokens, requests.cached_tokens, requests.images)
    work = Work(comes_s.tolist(), *(column[rows].tolist() for column in columns))
    room = room_of(replica)
    longest = int(np.max(requests.cached_tokens + requests.prompt_tokens + requests.generated_tokens))
    times = replica.times(longest, int(requests.images.max()) if room.encoders else 0)
    times.foresee(requests.prompt_tokens[rows], requests.cached_tokens[rows])
    return work, room, times


def check_fits(replica: Replica, requests: Requests) -> None:
    """Raises InputError for requests that the engine can never run, alone on it as they may be."""
    scheduler = replica.scheduler
    seen = requests.cached_tokens + requests.prompt_tokens
    if not scheduler.chunked_prefill:
        longest = int(np.max(requests.prompt_tokens + requests.generated_tokens))
        if longest > scheduler.max_num_batched_tokens:
            raise InputError(
                f"without chunked prefill an iteration takes whole sequences, which a preemption computes again: "
                f"expected at most {scheduler.max_num_batched_tokens} tokens of prompt and answer "
                f"(max_num_batched_tokens), got {longest}"
            )
    blocks = np.ceil((seen + requests.generated_tokens - 1) / scheduler.block_tokens)
    if float(blocks.max()) > replica.kv_blocks:
        longest = int(np.max(seen + requests.generated_tokens))
        raise InputError(
            f"kv_tokens: expected room for the longest request, {longest} tokens, got {replica.kv_tokens:.0f}; give it "
            "more memory or shorter requests"
        )


def room_of(replica: Replica) -> Room:
    scheduler = replica.scheduler
    encoders = replica.gpus if scheduler.encoder_data_parallel else 1
    return Room(
        sequences=scheduler.max_num_seqs,
        tokens=scheduler.max_num_batched_tokens,
        chunked=scheduler.chunked_prefill,
        blocks=replica.kv_blocks,
        block_tokens=scheduler.block_tokens,
        encoders=0 if scheduler.encoder_is_apart else encoders,
        encode_apart_s=replica.encode_apart_s,
        ahead=scheduler.async_scheduling,
    )


def _kept(count: int) -> tuple[int, int]:
    """From which request until before which one the run counts."""
    first = int(_WARM_UP * count)
    return first, max(count - int(_TAIL * count), first + 1)


def _outcome(
    course: Course, replica: Replica, generated: IntArray, offered: float | None, first: int, last: int
) -> Outcome:
    comes, starts, ends = (np.array(one) for one in (course.comes_s, course.first_s, course.end_s))
    kept = slice(first, last)
    ttft_s, latency_s = starts[kept] - comes[kept], ends[kept] - comes[kept]
    steps = generated[kept] - 1
    tpot_s = np.where(steps > 0, (latency_s - ttft_s) / np.maximum(steps, 1), math.nan)
    begin, finish, whole = course.marks[0], course.marks[1], course.marks[-1]
    came = last - first
    if finish.time_s <= begin.time_s:  # all came at once
        begin, finish, came = whole._replace(**dict.fromkeys(whole._fields, 0)), whole, ends.size
    span = finish.time_s - begin.time_s
    answered = (ends > begin.time_s) & (ends <= finish.time_s)
    return Outcome(
        ttft_s=ttft_s + replica.request_s,
        tpot_s=tpot_s,
        latency_s=latency_s + replica.request_s,
        generated_tokens=generated[kept],
        offered_per_second=offered,
        requests_per_second=float(answered.sum()) / span,
        tokens_per_second=float(generated[answered].sum()) / span,
        utilisation=(finish.busy_s - begin.busy_s) / span,
        running=(finish.running_s - begin.running_s) / span,
        waiting=(finish.waiting_s - begin.waiting_s) / span,
        preemptions=finish.preemptions - begin.preemptions,
        unanswered=1 - float(answered.sum()) / came,
        steps=tuple(course.steps),
    )
