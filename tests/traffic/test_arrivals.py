"""Arrivals: rates, common random numbers, logs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from planner.base.errors import InputError
from planner.traffic.arrivals import Closed, Log, Poisson
from planner.traffic.requests import Requests


def test_poisson_has_its_rate_and_exponential_gaps() -> None:
    gaps = np.diff(Poisson(5.0).times_s(np.random.default_rng(0), 40_000))
    assert gaps.mean() == pytest.approx(0.2, rel=0.02)  # four standard errors
    assert gaps.std() == pytest.approx(0.2, rel=0.04)


def test_two_rates_differ_by_a_factor() -> None:
    slow, fast = (Poisson(rate).times_s(np.random.default_rng(3), 50) for rate in (2.0, 8.0))
    assert slow == pytest.approx(4 * fast)


def test_closed_knows_its_first_requests() -> None:
    times = Closed(3).times_s(np.random.default_rng(0), 5)
    assert times.tolist() == [0, 0, 0, np.inf, np.inf]
    assert Closed(3).requests_per_second is None


def test_log_begins_at_nought_and_ends() -> None:
    log = Log(np.array([100.0, 101.0, 104.0]), np.array([2, 0, 1]))
    requests = Requests.of_rows([5, 6, 7], 3)
    assert log.times_s(np.random.default_rng(0), 10).tolist() == [0, 1, 4]
    assert log.rows(np.random.default_rng(0), requests, 2).tolist() == [2, 0]
    assert log.requests_per_second == 0.5


def test_one_of_several_replicas() -> None:
    assert Poisson(6.0).divided(3) == Poisson(2.0)
    assert Closed(7).divided(2) == Closed(4)
    log = Log(np.arange(5.0), np.arange(5)).divided(2)
    assert log.recorded_s.tolist() == log.recorded_rows.tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Poisson(0), "rate: expected a positive number, got 0"),
        (lambda: Closed(0), "concurrency: expected a whole number of at least 1, got 0"),
        (
            lambda: Log(np.array([1.0, 0.5]), np.array([0, 0])),
            "log: expected times in seconds, sorted, got array([1. , 0.5])",
        ),
        (
            lambda: Log(np.array([1.0]), np.array([0, 0])),
            "log: expected a time and a row of each request, got 1 times and 2 rows",
        ),
        (
            lambda: Log(np.array([1.0]), np.array([4])).rows(np.random.default_rng(0), Requests.fixed(1, 1), 1),
            "log: expected rows of the 1 requests, got 4 to 4",
        ),
    ],
)
def test_what_is_no_arrival(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        make()
    assert str(refused.value) == message
