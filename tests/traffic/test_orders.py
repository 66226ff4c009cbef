"""What more load, more memory and more replicas do: never what they should not, within the scatter of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from traffic.planted import Linear

from planner.traffic.arrivals import Closed, Poisson
from planner.traffic.estimates import Estimate
from planner.traffic.events import simulate
from planner.traffic.iteration_time import FloatArray
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler

COUNT = 2500


@st.composite
def engines(draw: Any) -> tuple[Replica, Requests, float]:
    """An engine whose iterations take longer the more they do, requests, and a rate that it bears."""
    seats, budget = draw(st.sampled_from([8, 64])), draw(st.sampled_from([256, 2048]))
    times = Linear(
        step_s=draw(st.floats(1e-3, 2e-2)),
        row_s=draw(st.floats(1e-6, 1e-4)),
        context_s=draw(st.floats(0, 1e-6)),
        pair_s=draw(st.floats(0, 1e-8)),
        prefill_s=draw(st.floats(0, 5e-3)),
    )
    prompt, answer = draw(st.integers(20, 900)), draw(st.integers(2, 60))
    requests = Requests.spread(prompt, answer, prompt_cv=draw(st.sampled_from([0.0, 0.6])), generated_cv=0.3)
    scheduler = Scheduler(max_num_seqs=seats, max_num_batched_tokens=budget, chunked_prefill=True)
    replica = Replica(times, scheduler, math.inf)
    most = simulate(replica, requests, Closed(2 * seats), count=600).requests_per_second
    return replica, requests, draw(st.floats(0.2, 0.7)) * most


def not_below(larger: Estimate, smaller: Estimate) -> bool:
    return larger.high >= smaller.low


@settings(max_examples=12, deadline=None, derandomize=True)
@given(engines(), st.floats(1.05, 1.4))
def test_more_load_never_shortens(case: tuple[Replica, Requests, float], factor: float) -> None:
    replica, requests, rate = case
    less, more = (simulate(replica, requests, Poisson(one), count=COUNT) for one in (rate, factor * rate))
    assert not_below(more.ttft(95), less.ttft(95))
    assert not_below(more.tpot(95), less.tpot(95))
    assert not_below(more.latency(95), less.latency(95))
    assert not_below(less.goodput(ttft_s=less.ttft(90).value), more.goodput(ttft_s=less.ttft(90).value))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(engines(), st.integers(2, 4))
def test_more_replicas_never_lengthen(case: tuple[Replica, Requests, float], replicas: int) -> None:
    replica, requests, rate = case
    alone = simulate(replica, requests, Poisson(rate), count=COUNT)
    shared = simulate(replica, requests, Poisson(rate).divided(replicas), count=COUNT)
    assert not_below(alone.ttft(95), shared.ttft(95))
    assert not_below(alone.latency(95), shared.latency(95))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(engines(), st.floats(1.0, 4.0), st.floats(1.1, 3.0))
def test_more_memory_never_answers_fewer(case: tuple[Replica, Requests, float], room: float, factor: float) -> None:
    """Of a closed loop that keeps every seat taken: the most that the engine answers."""
    replica, requests, _ = case
    longest = float(np.max(requests.prompt_tokens + requests.generated_tokens)) + 16
    little, much = (replace(replica, kv_tokens=longest * one) for one in (room, room * factor))
    users = Closed(replica.scheduler.max_num_seqs)
    less, more = (simulate(one, requests, users, count=1200) for one in (little, much))
    assert more.requests_per_second >= 0.97 * less.requests_per_second  # preemptions fall otherwise in another run


def test_whole_prompts_stall_more_than_cut_ones() -> None:
    """Long prompts in one iteration hold up the decode steps beside them: some tokens come later."""
    times = Linear(step_s=5e-3, row_s=5e-5)
    requests = Requests.of_rows([100] * 19 + [6000], 40)
    chunked, whole = (
        Replica(times, Scheduler(max_num_seqs=64, max_num_batched_tokens=tokens, chunked_prefill=cut), math.inf)
        for tokens, cut in ((512, True), (8192, False))
    )
    stalls = [
        max(one.seconds for one in simulate(replica, requests, Poisson(4.0), count=1500, timeline_s=60.0).steps)
        for replica in (chunked, whole)
    ]
    assert stalls[0] <= 5e-3 + 512 * 5e-5 + 1e-12
    assert stalls[1] > 6000 * 5e-5


@dataclass(frozen=True)
class Dips(Linear):
    """From eight sequences on another kernel runs, in half the time."""

    def seconds(self, decodes: Any = 0.0, *rest: Any, **named: Any) -> FloatArray:
        return super().seconds(decodes, *rest, **named) * np.where(np.asarray(decodes) >= 8, 0.5, 1.0)


def test_where_times_fall_with_load_the_answer_follows_them() -> None:
    replica = Replica(Dips(step_s=0.02), Scheduler(), math.inf)
    requests = Requests.fixed(10, 40)
    few, many = (simulate(replica, requests, Poisson(rate), count=3000).mean_tpot for rate in (2.0, 40.0))
    assert many.high < few.low
