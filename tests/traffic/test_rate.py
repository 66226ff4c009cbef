"""The largest rate within limits, at three levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from traffic.line import CARD, Line

from planner.base.errors import InputError, UnknownNameError
from planner.traffic.chain import chain
from planner.traffic.limits import Limits
from planner.traffic.rate import largest_rate
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler

SERVER = Replica(CARD, Scheduler(max_num_seqs=1024, max_num_batched_tokens=8192), math.inf)
REQUESTS = Requests.fixed(900, 100)


def test_a_shared_processor_keeps_a_mean_up_to_a_load_that_is_known() -> None:
    # latency 1 / (1 - load) of a service of 1 s: 4 s at a load of 3/4
    server = Replica(Line(decode_s=1e-3), Scheduler(), math.inf)
    found = largest_rate(server, Requests.fixed(1, 1001), Limits(latency_s=4.0), "mean")
    assert found.requests_per_second == pytest.approx(0.75, rel=0.02)
    assert found.bound == "latency" and found.unstable_above == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("limits", [Limits(ttft_s=0.08), Limits(tpot_s=0.018), Limits(latency_s=1.6)])
def test_the_limit_that_ends_it_is_just_met(limits: Limits) -> None:
    found = largest_rate(SERVER, REQUESTS, limits)
    (name,) = limits.given
    assert found.bound == name and found.at is not None and found.requests_per_second is not None
    assert found.at.times_s[name] == pytest.approx(limits.given[name], rel=0.02)
    again = chain(SERVER, REQUESTS, found.requests_per_second)
    assert again.ttft_s is not None
    assert found.at.times_s["ttft"] == again.ttft_s.percentile(95)
    above = chain(SERVER, REQUESTS, 1.02 * found.requests_per_second)
    assert above.ttft_s and above.tpot_s and above.latency_s
    times = {"ttft": above.ttft_s, "tpot": above.tpot_s, "latency": above.latency_s}
    assert times[name].percentile(95) > limits.given[name]


def test_a_higher_percentile_and_a_tighter_limit_lower_it() -> None:
    rates = [
        largest_rate(SERVER, REQUESTS, Limits(ttft_s=limit), percentile).requests_per_second
        for limit, percentile in ((0.08, "mean"), (0.08, 95), (0.08, 99), (0.07, 99))
    ]
    assert all(rate is not None for rate in rates)
    assert np.all(np.diff(np.array(rates, float)) < 0)


def test_levels_agree() -> None:
    rates = [
        largest_rate(SERVER, REQUESTS, Limits(tpot_s=0.018), level=level).requests_per_second or 0.0
        for level in ("steady", "chain", "events")
    ]
    assert rates[1] == pytest.approx(rates[2], rel=0.05)
    assert rates[0] == pytest.approx(rates[2], rel=0.15)


@pytest.mark.parametrize("level", ["steady", "chain", "events"])
def test_answers_of_one_token_have_no_time_per_token(level: str) -> None:
    found = largest_rate(SERVER, Requests.fixed(900, 1), Limits(ttft_s=0.1, tpot_s=1e-6), level=level)
    assert found.at is not None and found.at.times_s.keys() == {"ttft", "latency"}
    assert found.bound == "ttft" and found.requests_per_second


def test_what_one_request_alone_breaks_is_carried_at_no_rate() -> None:
    found = largest_rate(SERVER, REQUESTS, Limits(ttft_s=1e-3))
    assert found.requests_per_second == 0.0 and found.bound == "ttft" and found.at is None


def test_without_limits_it_is_what_is_stable() -> None:
    found = largest_rate(SERVER, REQUESTS, Limits(), level="steady")
    assert found.requests_per_second == pytest.approx(found.unstable_above, rel=0.02)
    assert found.bound == "compute"


def test_where_the_chain_does_not_answer_it_names_the_reason_and_no_rate() -> None:
    narrow = Replica(CARD, Scheduler(max_num_seqs=16), math.inf)
    found = largest_rate(narrow, REQUESTS, Limits(ttft_s=5.0))
    assert found.requests_per_second is None and found.at is None
    assert found.events_only.startswith("all 16 seats") and found.at_least > 0
    far = largest_rate(SERVER, REQUESTS, Limits(ttft_s=50.0))
    assert far.requests_per_second is None and far.at_least == pytest.approx(0.9 * far.unstable_above)


def test_names_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="no level of traffic is called 'chains'; did you mean 'chain'"):
        largest_rate(SERVER, REQUESTS, Limits(ttft_s=0.1), level="chains")
    with pytest.raises(InputError, match='percentile: expected a number between 0 and 100 or "mean", got 100'):
        largest_rate(SERVER, REQUESTS, Limits(ttft_s=0.1), 100)
    with pytest.raises(InputError, match="ttft_s: expected seconds above 0, got 0"):
        Limits(ttft_s=0)
