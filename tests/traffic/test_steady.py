"""Level A: known answers, what it broadcasts over, what is unstable."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from traffic.line import CARD, Line

from planner.traffic.batch import Batch
from planner.traffic.demand import Demand
from planner.traffic.iteration_time import Number
from planner.traffic.scheduler import Scheduler
from planner.traffic.steady import Steady, steady

WIDE = Scheduler(max_num_seqs=1024, max_num_batched_tokens=8192)


def at(
    line: Line, demand: Demand, rate: Number, scheduler: Scheduler = WIDE, kv: Number = math.inf, **more: Any
) -> Steady:
    return steady(line, scheduler, kv, demand, rate, **more)


def test_iterations_of_one_length_hold_as_many_sequences_as_littles_law_says() -> None:
    found = at(Line(step_s=0.01), Demand.fixed(1, 101), 50.0)
    assert found.running == pytest.approx(50 * 100 * 0.01, rel=1e-3)
    assert found.tpot_s == pytest.approx(0.01, rel=1e-3)


def test_iterations_as_long_as_their_sequences_are_many_share_the_processor() -> None:
    # M/D/1 with a shared processor: the time of a request is its work by 1 - load
    load = 0.8
    found = at(Line(decode_s=1e-3), Demand.fixed(1, 1001), load)
    assert found.tpot_s * 1000 == pytest.approx(1 / (1 - load), rel=0.02)


def test_prompts_that_take_whole_iterations_queue_as_m_d_1() -> None:
    load, long = 0.8, Scheduler(max_num_seqs=64, max_num_batched_tokens=64)
    found = at(Line(prompt_token_s=1 / 640), Demand.fixed(640, 1), load, long)
    assert found.ttft_s == pytest.approx(1 + load / (2 * (1 - load)), rel=0.01)


def test_means_obey_littles_law() -> None:
    rates = np.linspace(0.5, 9, 12)
    found = at(CARD, Demand.fixed(900, 200), rates)
    assert found.running == pytest.approx(rates * 199 * found.tpot_s)
    assert np.all(np.diff(found.tpot_s) > 0) and np.all(np.diff(found.ttft_s) > 0)


def test_every_number_broadcasts_over_candidates() -> None:
    rates, tokens = np.array([[1.0], [4.0]]), np.array([300.0, 900.0, 1800.0])
    many = at(CARD, Demand.fixed(tokens, 200, images=np.array([0.0, 1.0, 2.0])), rates, kv=np.array([1e5, 2e5, 1e6]))
    assert many.tpot_s.shape == many.ttft_s.shape == many.stable.shape == (2, 3)
    one = at(CARD, Demand.fixed(900, 200, images=1), 4.0, kv=2e5)
    assert one.ttft_s == pytest.approx(many.ttft_s[1, 1], rel=1e-12)
    assert one.tpot_tail_s == pytest.approx(many.tpot_tail_s[1, 1], rel=1e-12)


def test_work_of_a_batch_that_is_full_gives_the_capacity() -> None:
    # 100 seats, 99 steps of .01 s each: a hundred requests in .99 s, prompts in between take 100 x .002 s
    line = Line(step_s=0.01, prompt_token_s=2e-5)
    demand, late = Demand.fixed(100, 100), Scheduler(max_num_seqs=100, async_scheduling=False)
    capacity, bound = Batch(line, late, math.inf, demand).capacity
    assert capacity == pytest.approx(100 / (99 * 0.01 + 100 * 0.002), rel=1e-3)
    assert bound == "seats"
    # who has ended keeps the seat for another step: 99 steps of every 101 / 100 as many
    capacity, bound = Batch(line, replace(late, async_scheduling=True), math.inf, demand).capacity
    assert capacity == pytest.approx(100 / (99 * 0.01 * 101 / 100 + 100 * 0.002), rel=1e-3)
    assert bound == "seats"


def test_above_the_capacity_times_are_infinite() -> None:
    capacity, _ = Batch(CARD, WIDE, math.inf, Demand.fixed(900, 200)).capacity
    found = at(CARD, Demand.fixed(900, 200), np.array([0.9, 1.1]) * capacity)
    assert found.stable.tolist() == [True, False]
    assert np.isfinite(found.ttft_s[0]) and np.isinf(found.ttft_s[1]) and np.isinf(found.latency_tail_s[1])
    assert found.utilisation == pytest.approx([0.9, 1.1])


def test_room_for_little_context_bounds_the_sequences() -> None:
    found = at(CARD, Demand.fixed(900, 200), 1.0, kv=np.array([4e3, 1e9]))
    assert found.bound.tolist() == ["kv", "seats"]
    assert found.capacity[0] < found.capacity[1]


def test_images_in_the_process_take_time_of_iterations_and_apart_they_wait_in_front() -> None:
    line = Line(step_s=0.01, image_s=0.05)
    text, here = at(line, Demand.fixed(100, 100), 5.0), at(line, Demand.fixed(100, 100, images=1), 5.0)
    assert here.tpot_s == pytest.approx(text.tpot_s / (1 - 5 * 0.05), rel=0.05)
    apart = Scheduler(encoder="apart")
    there = at(line, Demand.fixed(100, 100, images=1), 5.0, apart, encode_apart_s=0.05)
    assert there.tpot_s == pytest.approx(text.tpot_s, rel=1e-9)
    assert there.ttft_s - text.ttft_s == pytest.approx(0.05 + 0.25 * 0.05 / (2 * 0.75))
    slow = at(line, Demand.fixed(100, 100, images=1), 25.0, apart, encode_apart_s=0.05)
    assert not slow.stable and slow.bound == "encoder" and slow.capacity == pytest.approx(20)


def test_images_dealt_out_to_the_gpus_of_a_model_take_less() -> None:
    line, work = Line(step_s=0.01, image_s=0.01), Demand.fixed(100, 100, images=4)
    every = at(line, work, 5.0, gpus=4)
    dealt = at(line, work, 5.0, Scheduler(encoder_data_parallel=True), gpus=4)
    assert every.tpot_s == pytest.approx(at(line, Demand.fixed(100, 100, images=4), 5.0).tpot_s)
    assert dealt.tpot_s == pytest.approx(at(line, Demand.fixed(100, 100, images=1), 5.0).tpot_s, rel=1e-6)


def test_times_that_fall_with_the_batch_are_followed() -> None:
    class Odd(Line):
        def seconds(self, decodes: Number = 0.0, *rest: Any, **more: Any) -> np.ndarray:
            found = super().seconds(decodes, *rest, **more)
            return found * np.where((np.asarray(decodes) > 2) & (np.asarray(decodes) < 8), 2.0, 1.0)

    found = at(Odd(step_s=0.01), Demand.fixed(1, 101), np.array([3.0, 12.0]))
    assert found.tpot_s[0] > 1.5 * found.tpot_s[1]
