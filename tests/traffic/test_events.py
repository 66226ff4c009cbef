"""Runs of an engine against queues whose answers are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from traffic.planted import Curved, Linear

from planner.base.errors import InputError
from planner.traffic.arrivals import Closed, Log, Poisson
from planner.traffic.estimates import mean, percentile
from planner.traffic.events import simulate
from planner.traffic.levels import CHAIN, STEADY
from planner.traffic.outcome import Outcome
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler

ONE_AT_A_TIME = Scheduler(max_num_seqs=1, max_num_batched_tokens=100_000)
SERVER = Replica(Linear(row_s=1e-3), ONE_AT_A_TIME, math.inf)
"""Computes one prompt of 1000 tokens in a second."""
ENGINE = Replica(
    Curved(step_s=5e-3, row_s=2e-5, context_s=1e-7, pair_s=1e-9, head_s=1e-6, prefill_s=1e-3),
    Scheduler(max_num_seqs=64, max_num_batched_tokens=2048),
    math.inf,
)


def within(found: Outcome, waited: float, wanted: float) -> bool:
    """Whether the mean time in the system agrees, within two of its intervals of 95 %."""
    estimate = mean(found.latency_s)
    return abs(estimate.value - wanted) <= estimate.high - estimate.low + 1e-3 * waited


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_one_server_of_fixed_times(load: float) -> None:
    """M/D/1: mean wait rho s / (2 (1 - rho))."""
    found = simulate(SERVER, Requests.fixed(1000, 1), Poisson(load), count=40_000)
    assert within(found, load, 1 + load / (2 * (1 - load)))
    assert found.utilisation == pytest.approx(load, rel=0.03)  # four standard errors of the arrivals
    assert found.waiting == pytest.approx(found.requests_per_second * (found.latency_s.mean() - 1), rel=0.05)


def test_one_server_of_exponential_times() -> None:
    """M/M/1: mean time s / (1 - rho), and the percentiles of an exponential."""
    lengths = -1000 * np.log1p(-(np.arange(4000) + 0.5) / 4000)
    requests = Requests.of_rows(np.maximum(np.rint(lengths), 1).astype(int), 1)
    found = simulate(SERVER, requests, Poisson(0.7), count=60_000)
    assert within(found, 1.0, 1 / 0.3)
    p95 = percentile(found.latency_s, 95)
    assert p95.low < -math.log(0.05) / 0.3 < p95.high


def test_one_server_of_two_kinds() -> None:
    """M/G/1 (Pollaczek, Khinchine): mean wait rate E[s^2] / (2 (1 - rho))."""
    requests = Requests(*map(np.array, ([200, 3400], [1, 1], [0, 0], [0, 0], [0.75, 0.25])))
    found = simulate(SERVER, requests, Poisson(0.6), count=60_000)
    square = 0.75 * 0.2**2 + 0.25 * 3.4**2
    assert within(found, 1.0, 1.0 + 0.6 * square / (2 * 0.4))


def test_decode_steps_share_the_processor() -> None:
    """M/D/1-PS: with an iteration that takes B times as long for B sequences, mean time s / (1 - rho)."""
    replica = Replica(Linear(row_s=1e-3), Scheduler(max_num_seqs=4096), math.inf)
    found = simulate(replica, Requests.fixed(1, 1000), Poisson(0.8), count=30_000)
    assert within(found, 1.0, 1 / 0.2)


def test_free_seats_are_servers_without_end() -> None:
    """M/D/inf: iterations of fixed length, so that rate x time sequences run (Little) and TPOT is one iteration."""
    replica = Replica(Linear(step_s=1e-3), Scheduler(), math.inf)
    found = simulate(replica, Requests.fixed(1, 501), Poisson(100.0), count=20_000)
    assert found.running == pytest.approx(100 * 0.501, rel=0.03)
    assert found.tpot_s == pytest.approx(np.full(found.tpot_s.size, 1e-3))
    assert found.tokens_per_second == pytest.approx(501 * found.requests_per_second)


def test_closed_loop_of_one_never_waits() -> None:
    found = simulate(ENGINE, Requests.fixed(100, 11), Closed(1), count=100)
    assert found.ttft_s == pytest.approx(np.full(85, found.ttft_s[0]))
    assert found.running == pytest.approx(1.0)
    assert found.waiting == 0
    assert found.utilisation == pytest.approx(1.0)
    assert found.stable


def test_closed_loop_keeps_its_concurrency() -> None:
    found = simulate(ENGINE, Requests.spread(300, 40, generated_cv=0.5), Closed(30), count=4000)
    assert found.running + found.waiting == pytest.approx(30, rel=1e-6)
    # Little: as many on their way as come in the time that one is
    assert found.requests_per_second * found.latency_s.mean() == pytest.approx(30, rel=0.02)


def test_a_log_is_replayed() -> None:
    log = Log(np.array([0.0, 10.0, 20.0]), np.array([1, 0, 1]))
    requests = Requests.of_rows([1000, 3000], 1)
    found = simulate(SERVER, requests, log)
    assert found.latency_s == pytest.approx([3.0, 1.0, 3.0])


def test_the_host_is_in_the_first_token_and_in_no_iteration() -> None:
    plain = simulate(ENGINE, Requests.fixed(300, 20), Poisson(5.0), count=1000)
    slow = simulate(replace(ENGINE, request_s=0.25), Requests.fixed(300, 20), Poisson(5.0), count=1000)
    assert slow.ttft_s == pytest.approx(plain.ttft_s + 0.25)
    assert slow.latency_s == pytest.approx(plain.latency_s + 0.25)
    assert slow.tpot_s == pytest.approx(plain.tpot_s)


def test_scheduling_ahead_is_seen_by_all_levels() -> None:
    late, ahead = (replace(ENGINE, scheduler=replace(ENGINE.scheduler, async_scheduling=one)) for one in (False, True))
    requests = Requests.fixed(300, 20)
    plain, found = (simulate(one, requests, Poisson(15.0), count=2000) for one in (late, ahead))
    step = float(plain.tpot_s.mean())
    assert found.ttft_s.mean() - plain.ttft_s.mean() == pytest.approx(step * plain.utilisation, rel=0.3)
    for level in (STEADY, CHAIN):
        less, more = (level.at(one, requests, 15.0, 95.0).means_s["ttft"] for one in (late, ahead))
        assert more - less == pytest.approx(found.ttft_s.mean() - plain.ttft_s.mean(), rel=0.2)


def test_a_replica_makes_its_tables_once() -> None:
    assert ENGINE.times(400, 0) is ENGINE.times(400, 0)
    assert ENGINE.times(500, 0) is not ENGINE.times(400, 0)


def test_same_seed_same_numbers() -> None:
    one, other, third = (simulate(ENGINE, Requests.fixed(300, 20), Poisson(5.0), count=500, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.ttft_s, other.ttft_s)
    assert not np.array_equal(one.ttft_s, third.ttft_s)


# ---- overload ----------------------------------------------------------------------------------------------------


def test_an_overload_is_called_unstable() -> None:
    found = simulate(SERVER, Requests.fixed(1000, 1), Poisson(1.1), count=4000)
    assert not found.stable
    assert found.notes == ("unstable above 1 requests/s: more come than are answered",)
    assert found.ttft(95).value == found.mean_latency.value == math.inf
    assert found.goodput(ttft_s=10.0).value == 0
    assert found.goodput().value == 1


@pytest.mark.parametrize("load", [0.5, 0.9, 0.96])
def test_a_load_below_one_is_not(load: float) -> None:
    for seed in range(5):
        assert simulate(SERVER, Requests.fixed(1000, 1), Poisson(load), seed=seed, count=8000).stable


def test_full_seats_are_found() -> None:
    """Four seats, 10 steps of 10 ms each: 40 requests per second, whatever comes."""
    replica = Replica(Linear(step_s=0.01), Scheduler(max_num_seqs=4, async_scheduling=False), math.inf)
    found = simulate(replica, Requests.fixed(1, 10), Poisson(60.0), count=4000)
    assert not found.stable
    assert found.requests_per_second == pytest.approx(40, rel=1e-2)


def test_full_seats_that_are_kept_for_an_iteration_more_are_found() -> None:
    """As above, but 11 steps: filled early, an iteration does not know who ended in the one before."""
    replica = Replica(Linear(step_s=0.01), Scheduler(max_num_seqs=4, async_scheduling=True), math.inf)
    found = simulate(replica, Requests.fixed(1, 10), Poisson(60.0), count=4000)
    assert found.requests_per_second == pytest.approx(4 / 0.11, rel=1e-2)


def test_an_encoder_apart_that_is_overloaded_is_found() -> None:
    """It encodes ten images per second, and the engine behind it idles."""
    scheduler = Scheduler(max_num_seqs=64, max_num_batched_tokens=2048, encoder="apart")
    replica = replace(ENGINE, scheduler=scheduler, encode_apart_s=0.1)
    requests = Requests.fixed(100, 5, images=1)
    found = simulate(replica, requests, Poisson(11.0), count=4000)
    assert not found.stable
    assert found.requests_per_second == pytest.approx(10, rel=2e-2)
    assert found.utilisation < 0.6
    assert simulate(replica, requests, Poisson(8.0), count=4000).stable


def test_an_encoder_in_the_process_stalls_what_runs_beside() -> None:
    """The same images take the engine's time: 60 ms of each iteration that begins a prompt."""
    inside = replace(ENGINE, iteration=replace(ENGINE.iteration, image_s=0.06))
    apart = replace(
        ENGINE, scheduler=replace(ENGINE.scheduler, encoder="apart"), encode_apart_s=0.06, iteration=inside.iteration
    )
    shared = replace(inside, scheduler=replace(ENGINE.scheduler, encoder_data_parallel=True), gpus=2)
    requests = Requests.fixed(100, 30, images=2)
    one, other, third = (simulate(replica, requests, Poisson(3.0), count=3000) for replica in (inside, apart, shared))
    assert other.mean_tpot.high < third.mean_tpot.low
    assert third.mean_tpot.high < one.mean_tpot.low


# ---- what is told ------------------------------------------------------------------------------------------------


def test_goodput_is_the_share_within_all_limits() -> None:
    found = simulate(ENGINE, Requests.fixed(300, 20), Poisson(20.0), count=2000)
    limit, tpot = float(np.percentile(found.ttft_s, 80)), float(np.percentile(found.tpot_s, 70))
    wanted = np.mean((found.ttft_s <= limit) & (found.tpot_s <= tpot))
    assert found.goodput(ttft_s=limit, tpot_s=tpot).value == pytest.approx(wanted)
    assert found.goodput(latency_s=1e9).value == 1


def test_requests_of_one_token_have_no_time_per_token() -> None:
    found = simulate(SERVER, Requests.fixed(10, 1), Poisson(0.5), count=300)
    assert np.isnan(found.tpot_s).all()
    assert math.isnan(found.tpot(95).value)
    assert found.goodput(tpot_s=1e-9).value == 1


def test_intervals_cover_what_long_runs_find() -> None:
    requests = Requests.fixed(1000, 1)
    truth = np.percentile(simulate(SERVER, requests, Poisson(0.7), count=100_000, seed=99).ttft_s, 95)
    runs = [simulate(SERVER, requests, Poisson(0.7), seed=seed).ttft(95) for seed in range(10)]
    covered = sum(one.low <= truth <= one.high for one in runs)
    assert covered >= 8  # of 10 intervals of 95 %


def test_a_short_run_has_no_interval() -> None:
    found = simulate(ENGINE, Requests.fixed(300, 20), Poisson(5.0), count=100).ttft(95)
    assert found.value > 0
    assert math.isnan(found.low)


def test_time_line_is_one_of_single_iterations() -> None:
    found = simulate(ENGINE, Requests.fixed(300, 20), Poisson(20.0), count=500, timeline_s=0.5)
    starts = [one.start_s for one in found.steps]
    assert starts[-1] - starts[0] <= 0.5
    assert all(one.iterations == 1 for one in found.steps)
    for one, following in zip(found.steps, found.steps[1:], strict=False):
        assert following.start_s >= one.start_s + one.seconds - 1e-12
    assert simulate(ENGINE, Requests.fixed(300, 20), Poisson(20.0), count=500).steps == ()


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replica", "message"),
    [
        (
            replace(ENGINE, scheduler=Scheduler(max_num_batched_tokens=1024, chunked_prefill=False)),
            "without chunked prefill an iteration takes whole sequences, which a preemption computes again: expected "
            "at most 1024 tokens of prompt and answer (max_num_batched_tokens), got 1100",
        ),
        (
            replace(ENGINE, kv_tokens=1000),
            "kv_tokens: expected room for the longest request, 1100 tokens, got 1000; give it more memory or shorter "
            "requests",
        ),
    ],
)
def test_requests_that_can_never_run(replica: Replica, message: str) -> None:
    with pytest.raises(InputError) as refused:
        simulate(replica, Requests.fixed(1000, 100), Poisson(1.0), count=10)
    assert str(refused.value) == message


@pytest.mark.parametrize("q", [0, 100, True, "95"])
def test_percentiles_lie_between_0_and_100(q: object) -> None:
    found = simulate(ENGINE, Requests.fixed(300, 20), Poisson(5.0), count=20)
    with pytest.raises(InputError, match="percentile: expected a number between 0 and 100"):
        found.ttft(q)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_tokens": -1}, "kv_tokens: expected a number from 0 on, got -1"),
        ({"request_s": math.inf}, "request_s, encode_apart_s: expected seconds that end, got infinity"),
        ({"gpus": 0}, "gpus: expected a whole number of at least 1, got 0"),
    ],
)
def test_what_is_no_replica(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        replace(ENGINE, **change)
    assert str(refused.value) == message
