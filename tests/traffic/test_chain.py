"""Level B: known answers, and where it does not answer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from traffic.line import CARD, Line

from planner.base.errors import InputError
from planner.traffic.arrivals import Poisson
from planner.traffic.chain import Chain, chain
from planner.traffic.events import simulate
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.running import Answers, product_form
from planner.traffic.scheduler import Scheduler

WIDE = Scheduler(max_num_seqs=1024, max_num_batched_tokens=8192)


def at(line: Line, requests: Requests, rate: float, scheduler: Scheduler = WIDE, kv: float = math.inf) -> Chain:
    return chain(Replica(line, scheduler, kv), requests, rate)


def waits_less(time: float, load: float) -> float:
    """Of M/D/1 with a service of 1 (Erlang 1909): the chance to wait for no longer."""
    terms = ((load * (k - time)) ** k / math.factorial(k) * math.exp(-load * (k - time)) for k in range(int(time) + 1))
    return (1 - load) * sum(terms)


def test_prompts_of_one_length_queue_as_m_d_1() -> None:
    load, narrow = 0.8, Scheduler(max_num_seqs=64, max_num_batched_tokens=64)
    found = at(Line(prompt_token_s=1 / 640), Requests.fixed(640, 1), load, narrow)
    assert found.tpot_s is None and found.ttft_s is not None
    assert found.ttft_s.mean == pytest.approx(1 + load / (2 * (1 - load)), rel=0.02)
    slowest = found.ttft_s.percentile(95) - 1
    assert waits_less(slowest, load) == pytest.approx(0.95, abs=0.01)


def test_prompts_of_exponential_lengths_queue_as_m_m_1() -> None:
    load, narrow, mean = 0.7, Scheduler(max_num_seqs=16, max_num_batched_tokens=16), 800
    lengths = -mean * np.log1p(-(np.arange(400) + 0.5) / 400)
    requests = Requests.of_rows(np.maximum(np.rint(lengths), 1).astype(int), 1)
    found = at(Line(prompt_token_s=1 / mean), requests, load, narrow)
    assert found.ttft_s is not None
    assert found.ttft_s.mean == pytest.approx(1 / (1 - load), rel=0.05)
    assert found.ttft_s.percentile(95) == pytest.approx(math.log(20) / (1 - load), rel=0.06)


def test_iterations_as_long_as_their_sequences_are_many_share_the_processor() -> None:
    load = 0.8
    found = at(Line(decode_s=1e-3), Requests.fixed(1, 1001), load)
    assert found.latency_s is not None
    assert found.latency_s.mean == pytest.approx(1 / (1 - load), rel=0.02)
    assert found.running == pytest.approx(load / (1 - load), rel=0.02)


def test_iterations_of_one_length_hold_a_poisson_number_of_sequences() -> None:
    found = at(Line(step_s=0.01), Requests.fixed(1, 101), 50.0)
    assert found.running == pytest.approx(50, rel=0.01)
    chance = product_form(50.0, 100.0, np.full(400, 0.01))
    expected = [math.exp(n * math.log(50) - 50 - math.lgamma(n + 1)) for n in range(400)]
    assert chance == pytest.approx(np.array(expected), abs=1e-12)


def test_little_holds_with_prompts_images_and_spread_lengths() -> None:
    line = Line(**{**vars(CARD), "image_s": 0.01})
    for requests in (
        Requests.fixed(900, 200, images=1),
        Requests.spread(900, 200, prompt_cv=0.6, generated_cv=0.0, images=1, cached_tokens=300),
    ):
        found = at(line, requests, 8.0)
        assert found.tpot_s is not None and not found.events_only
        assert found.running == pytest.approx(8.0 * 199 * found.tpot_s.mean, rel=0.01)


def test_a_request_alone_waits_for_nobody() -> None:
    found = at(CARD, Requests.fixed(900, 200), 1e-3)
    alone = float(CARD.seconds(0, 0, 900, 900 * 901 / 2, 1))
    assert found.ttft_s is not None and found.tpot_s is not None
    assert found.ttft_s.mean == pytest.approx(alone, rel=0.01)
    assert found.tpot_s.mean == pytest.approx(float(CARD.seconds(1, 1000, 0, 0, 1)), rel=0.01)


def test_the_time_of_the_host_is_in_the_first_token_and_in_the_latency() -> None:
    requests = Requests.fixed(900, 200)
    plain, hosted = (chain(Replica(CARD, WIDE, math.inf, request_s=one), requests, 5.0) for one in (0.0, 0.2))
    assert plain.ttft_s and hosted.ttft_s and plain.tpot_s and hosted.tpot_s and plain.latency_s and hosted.latency_s
    assert hosted.ttft_s.percentile(95) == pytest.approx(plain.ttft_s.percentile(95) + 0.2)
    assert hosted.latency_s.mean == pytest.approx(plain.latency_s.mean + 0.2)
    assert hosted.tpot_s.mean == plain.tpot_s.mean


def test_an_encoder_apart_is_a_queue_in_front() -> None:
    apart = Scheduler(encoder="apart")
    here = chain(Replica(Line(step_s=1e-4), apart, math.inf, encode_apart_s=0.1), Requests.fixed(1, 2, images=1), 8.0)
    assert here.ttft_s is not None
    assert here.ttft_s.mean == pytest.approx(0.1 + 0.8 * 0.1 / (2 * 0.2), rel=0.03)  # M/D/1


def test_an_overload_says_what_is_stable() -> None:
    found = at(CARD, Requests.fixed(900, 200), 1e3)
    assert not found.stable and found.ttft_s is None and found.tpot_s is None
    assert found.events_only == f"unstable above {found.capacity:.4g} requests/s"


def test_a_rate_far_too_high_is_never_stable() -> None:
    # the sequences of a few are stable at any rate: seats must be reached to tell
    for factor in (1.02, 1.5, 6.0, 100.0):
        for line in (CARD, Line(decode_s=1e-3), Line(step_s=0.01, prompt_token_s=1e-4)):
            capacity = at(line, Requests.fixed(900, 20), 1e-3).capacity
            assert not at(line, Requests.fixed(900, 20), factor * capacity).stable


@pytest.mark.parametrize(
    ("scheduler", "kv", "load", "reason"),
    [
        (Scheduler(max_num_seqs=16), math.inf, 0.8, "all 16 seats"),
        (WIDE, 3e4, 0.8, "the KV cache is full"),
        (WIDE, math.inf, 0.95, "the load is 95% of what is stable, above 90%"),
    ],
)
def test_where_only_events_answer_it_says_why(scheduler: Scheduler, kv: float, load: float, reason: str) -> None:
    requests = Requests.fixed(900, 400)
    capacity = at(CARD, requests, 1e-3, scheduler, kv).capacity
    found = at(CARD, requests, load * capacity, scheduler, kv)
    assert found.stable and found.events_only.startswith(reason)
    assert found.ttft_s is None and found.tpot_s is None and found.latency_s is None


def test_where_prompts_take_most_of_the_time_only_events_answer() -> None:
    requests = Requests.fixed(3000, 4)
    capacity = at(CARD, requests, 1e-3).capacity
    assert at(CARD, requests, 0.2 * capacity).ttft_s is not None
    assert at(CARD, requests, 0.85 * capacity).events_only.startswith("prompts take ")


def test_a_prompt_that_the_engine_refuses_is_an_error() -> None:
    whole = Scheduler(max_num_seqs=64, max_num_batched_tokens=512, chunked_prefill=False)
    with pytest.raises(InputError, match="prompts of 900 tokens: expected at most max_num_batched_tokens, 512"):
        at(CARD, Requests.fixed(900, 200), 1.0, whole)


def test_sequences_beside_one_of_the_same_length_vary_by_two_thirds() -> None:
    assert Answers.of(Requests.fixed(10, 101)).beside() == pytest.approx([2 / 3], rel=1e-3)


@pytest.mark.parametrize(
    ("server", "requests", "rate"),
    [
        (Replica(CARD, WIDE, math.inf), Requests.fixed(900, 100), 12.0),
        (Replica(CARD, WIDE, math.inf), Requests.spread(900, 100, prompt_cv=0.7, generated_cv=0.7), 10.0),
        (Replica(CARD, WIDE, math.inf), Requests.fixed(200, 400, cached_tokens=1500), 12.0),
        (
            Replica(CARD, Scheduler(max_num_batched_tokens=512, max_num_seqs=256), math.inf),
            Requests.fixed(1500, 60),
            8.0,
        ),
        (Replica(replace(CARD, image_s=0.02), WIDE, math.inf), Requests.fixed(700, 60, images=1), 10.0),
        (
            Replica(CARD, replace(WIDE, encoder="apart"), math.inf, encode_apart_s=0.04),
            Requests.fixed(700, 60, images=1),
            10.0,
        ),
    ],
)
@pytest.mark.parametrize(("early", "mean_off"), [(False, 0.05), (True, 0.06)])
def test_it_agrees_with_events(server: Replica, requests: Requests, rate: float, early: bool, mean_off: float) -> None:
    server = replace(server, scheduler=replace(server.scheduler, async_scheduling=early))
    seen = simulate(server, requests, Poisson(rate), count=12000)
    found = chain(server, requests, rate)
    assert found.ttft_s and found.tpot_s and found.latency_s
    assert found.tpot_s.mean == pytest.approx(seen.mean_tpot.value, rel=0.03)
    assert found.ttft_s.mean == pytest.approx(seen.mean_ttft.value, rel=mean_off)
    assert found.ttft_s.percentile(95) == pytest.approx(seen.ttft(95).value, rel=0.1)  # which scatters by 3 %
    assert found.tpot_s.percentile(95) == pytest.approx(seen.tpot(95).value, rel=0.08)
    assert found.latency_s.percentile(95) == pytest.approx(seen.latency(95).value, rel=0.08)


def test_iterations_that_are_filled_early_add_one_to_the_first_token() -> None:
    """Of one length: who comes waits for half of one, for the one that is filled and for its own."""
    line, requests = Line(step_s=0.01), Requests.fixed(1, 101)
    late, early = (at(line, requests, 50.0, replace(WIDE, async_scheduling=one)) for one in (False, True))
    assert late.ttft_s and early.ttft_s and late.tpot_s and early.tpot_s
    assert late.ttft_s.mean == pytest.approx(0.015, rel=0.01)
    assert early.ttft_s.mean == pytest.approx(0.025, rel=0.01)
    assert early.ttft_s.percentile(95) == pytest.approx(0.0295, rel=0.01)
    assert early.tpot_s.mean == pytest.approx(late.tpot_s.mean)


def test_prompts_alone_queue_as_if_iterations_were_not_filled_early() -> None:
    """Nothing runs between the iterations of one prompt each: M/D/1."""
    load, narrow = 0.8, Scheduler(max_num_seqs=64, max_num_batched_tokens=64)
    found = at(Line(prompt_token_s=1 / 640), Requests.fixed(640, 1), load, replace(narrow, async_scheduling=True))
    assert found.ttft_s is not None
    assert found.ttft_s.mean == pytest.approx(1 + load / (2 * (1 - load)), rel=0.02)


@pytest.mark.parametrize("requests", [Requests.fixed(900, 100), Requests.spread(900, 100, prompt_cv=0.7)])
def test_more_load_never_shortens_anything(requests: Requests) -> None:
    found = [at(CARD, requests, rate) for rate in np.geomspace(0.5, 24.0, 12)]
    for name in ("ttft_s", "tpot_s", "latency_s"):
        times = [getattr(one, name) for one in found]
        for shown in ([one.mean for one in times], [one.percentile(95) for one in times]):
            assert np.all(np.diff(shown) > -0.002 * np.array(shown[1:])), name
