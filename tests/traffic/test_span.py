"""When the requests of a log came: its dates, its mean rate and that of its busiest time, and what is odd about it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from planner.traffic.span import Span

NOVEMBER = datetime(2026, 11, 30, 8, 0, tzinfo=UTC).timestamp()


def test_a_log_says_from_when_to_when_and_how_much_came() -> None:
    times = NOVEMBER + np.arange(7201) / 2  # an hour of two a second
    found = Span.of(times)
    assert found.notes == (
        "the log has 7201 requests from 2026-11-30 08:00:00 UTC to 2026-11-30 09:00:00 UTC, 60 min: 2 requests/s on "
        "average, 2 in its busiest minute",
    )
    assert Span.of(np.arange(50) / 2).notes == (
        "the log has 50 requests from 0 s to 24.5 s, 24.5 s: 2 requests/s on average",
    )


def test_the_busiest_window_is_the_one_with_most_requests() -> None:
    """Against every window that begins with a request, counted one by one."""
    generator = np.random.default_rng(3)
    times = np.sort(np.concatenate([generator.uniform(0, 3600, 5000), generator.uniform(1500, 1800, 2000)]))
    found = Span.of(times)
    assert found.window == "minute"
    most = max(sum(begin <= other < begin + 60 for other in times[i : i + 1200]) for i, begin in enumerate(times))
    assert found.peak_per_second == most / 60 > 3 * found.requests_per_second


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([3.0, 1.0, 2.0, 4.0], "2 rows come before an earlier one in time: the log was put in order"),
        ([0.0, 1.0, 0.5, 2.0], "1 row comes before an earlier one in time: the log was put in order"),
        (
            [0.0, 1.0, 2.0, 86400.0 * 365],
            "no request comes for 365 days, 100 % of the log's span: if a time stamp is wrong, so is the rate",
        ),
    ],
)
def test_what_is_odd_about_time_stamps_is_said(times: list[float], said: str) -> None:
    assert said in Span.of(np.array(times)).notes
    assert len(Span.of(np.sort(times)[:3]).notes) == 1


def test_one_request_and_all_at_once() -> None:
    assert Span.of(np.array([5.0])).notes == ("the log has 1 request from 5 s to 5 s, 0 s at one time",)
    assert Span.of(np.zeros(4)).gap_s == 0
