"""The load curve against both levels, and the timeline against the work that it must hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from traffic.planted import Linear

from planner.traffic.arrivals import Closed, Log, Poisson
from planner.traffic.chain import MOST_UTILISED, chain
from planner.traffic.curve import BEYOND, SHARES, load_curve
from planner.traffic.events import simulate
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler
from planner.traffic.timeline import timeline

ENGINE = Replica(
    Linear(step_s=4e-3, row_s=2e-5, context_s=1e-8, image_s=1e-3),
    Scheduler(max_num_seqs=64, max_num_batched_tokens=2048, encoder="in-process"),
    math.inf,
)
REQUESTS = Requests.fixed(100, 20)


def test_each_point_is_of_the_level_that_it_names() -> None:
    curve = load_curve(ENGINE, REQUESTS)
    most = curve.unstable_above
    assert [point.requests_per_second for point in curve.points] == pytest.approx(np.array([*SHARES, BEYOND]) * most)
    solved = [point for point in curve.points if point.level == "chain"]
    assert solved and all(point.requests_per_second <= MOST_UTILISED * most for point in solved)
    for point in solved[:2]:
        found = chain(ENGINE, REQUESTS, point.requests_per_second)
        assert found.ttft_s is not None and found.tpot_s is not None
        assert point.ttft_s == {f"p{q}": found.ttft_s.percentile(q) for q in (50, 95, 99)}
        assert point.tpot_s["p95"] == found.tpot_s.percentile(95)
        assert point.tokens_per_second == pytest.approx(20 * point.requests_per_second)
    nearest = curve.stable[-1]
    assert nearest.level == "events"
    drawn = simulate(ENGINE, REQUESTS, Poisson(nearest.requests_per_second), count=6_000)
    assert nearest.ttft_s["p95"] == drawn.ttft(95).value


def test_waits_grow_and_throughput_saturates() -> None:
    curve = load_curve(ENGINE, REQUESTS, (90.0,))
    assert np.all(np.diff([point.ttft_s["p90"] for point in curve.stable]) > 0)
    *_, last, beyond = curve.points
    assert not beyond.stable and beyond.tpot_s == {}
    assert last.tokens_per_second < beyond.tokens_per_second < 1.03 * 20 * curve.unstable_above


def test_a_log_is_simulated_at_every_rate() -> None:
    times = np.arange(300.0)
    rows = np.zeros(300, int)
    curve = load_curve(ENGINE, REQUESTS, arrivals=lambda rate: Log(times / rate, rows))
    assert {point.level for point in curve.points} == {"events"}


@pytest.mark.parametrize("arrivals", [Poisson(20.0), Closed(5)], ids=str)
def test_a_timeline_is_one_iteration_after_the_other(arrivals: Poisson | Closed) -> None:
    found = timeline(ENGINE, Requests.fixed(300, 20, images=1), arrivals, 20.0, 0.2, seconds=2.0)
    starts = np.array([step.start_s for step in found.steps])
    ends = starts + [step.seconds for step in found.steps]
    assert np.all(starts[1:] >= ends[:-1] - 1e-9)
    assert found.start_s <= starts[0] and starts[-1] < found.start_s + 2.0
    assert {step.iterations for step in found.steps} == {1}
    for step in found.steps:  # the planted time of an iteration, without the context
        planted = 4e-3 + 2e-5 * (step.decodes + step.prefill_tokens) + 1e-3 * step.images
        assert planted - 1e-12 <= step.seconds <= planted + 1e-8 * 320 * 64 + 1e-12
    prompts = sum(step.prefill_tokens for step in found.steps) / 300
    assert prompts == pytest.approx(40, rel=0.5) if isinstance(arrivals, Poisson) else prompts > 0
