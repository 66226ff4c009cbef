"""Statistics of raw samples by hand, and what disturbs them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from planner.base.codec import decode, encode
from planner.base.errors import InputError
from planner.bench.samples import Samples, advice_for, median_interval
from planner.bench.sensors import Disturbance


def test_statistics_by_hand() -> None:
    one = Samples((1.0, 2.0, 3.0, 4.0, 5.0))
    assert one.median_s == 3.0
    assert one.quartiles_s == (2.0, 4.0)
    assert one.spread == pytest.approx(2 / 3)


def test_drift_compares_the_halves() -> None:
    assert Samples((1.0, 1.0, 1.0, 1.2, 1.2, 1.2)).drift == pytest.approx(0.2)
    assert Samples((1.0, 2.0)).drift == 0.0  # too few to tell


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (Samples((1.0,) * 8), []),
        (Samples((1.0, 1.5) * 4), ["spreads over"]),
        (Samples((1.0,) * 5 + (1.13,) * 5), ["second half"]),
        (Samples(tuple(1 + 0.01 * turn for turn in range(12))), ["second half is 6 % slower"]),
        (Samples((1.0, 1.1) * 2 + (1.1, 1.0) * 2), []),
        (Samples((1.0, 0.9, 1.13, 1.0, 1.0, 1.1, 0.88)), ["7 samples give the median within 13 % only"]),
        (Samples((1.0,) * 8, host=Disturbance(stolen=0.2)), ["the hypervisor took 20 %"]),
        (Samples((1.0,) * 8, hit=(0, 4)), []),
        (Samples((1.0,) * 8, hit=(0, 4, 5)), ["3 of 8 samples were disturbed"]),
        (Samples((1.0,) * 8, waited=0.5), ["waited for a core 50 %"]),
        (Samples((1.0,) * 8, waited=0.01), []),
        (Samples((1.0,) * 8, throttled=("heat",)), ["clocks were lowered: heat"]),
    ],
    ids=[
        "quiet",
        "noisy",
        "drifting",
        "creeping",
        "even",
        "few",
        "stolen",
        "hit twice",
        "hit",
        "waiting",
        "waiting a little",
        "throttled",
    ],
)
def test_complaints(samples: Samples, words: list[str]) -> None:
    found = samples.complaints()
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


def test_waiting_explains_what_follows_from_it() -> None:
    assert len(Samples((1.0, 9.0, 1.0, 9.0, 1.0, 9.0), waited=0.4).complaints()) == 1


def test_the_interval_of_a_median_by_hand() -> None:
    """Coverage 1 - 2 P(Bin(n, 1/2) < k): 98.4 % between the ends of seven, 96.1 % inside of them of nine."""
    assert Samples((3.0, 1.0, 2.0, 5.0, 4.0)).interval_s is None, "two ends of five cover 93.75 %"
    assert Samples((3.0, 1.0, 2.0, 5.0, 4.0, 7.0, 6.0)).interval_s == (1.0, 7.0)
    nine = Samples((9.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 2.0))
    assert nine.interval_s == (2.0, 8.0) and nine.uncertainty == pytest.approx(0.6)


@given(st.integers(6, 40), st.integers(0, 2**31))
def test_the_interval_covers_the_median(count: int, seed: int) -> None:
    """Against scipy's binomial: the largest k whose two tails together are within 5 %."""
    values = np.random.default_rng(seed).permutation(count).astype(float)
    interval = median_interval(tuple(values))
    assert interval is not None
    k = int(interval[0]) + 1
    assert 2 * stats.binom.cdf(k - 1, count, 0.5) <= 0.05 < 2 * stats.binom.cdf(k, count, 0.5)
    assert interval[1] == count - k


def test_a_trend_is_that_of_kendall() -> None:
    """Against scipy's tau-b, whose p-value for ties is the normal one."""
    values = (1.0, 1.2, 1.1, 1.1, 1.3, 1.25, 1.4, 1.4, 1.5, 1.2)
    known = stats.kendalltau(range(len(values)), values, method="asymptotic").pvalue
    assert 2 * stats.norm.sf(abs(Samples(values).trend)) == pytest.approx(known, rel=1e-9)
    assert Samples((1.0, 1.0, 1.0)).trend == 0.0


def test_what_disturbed_either_of_two() -> None:
    one = Samples((1.0,) * 7, waited=0.1, hit=(0, 6), host=Disturbance(stolen=0.1))
    both = one.beside(Samples((2.0,) * 5, waited=0.2, throttled=("heat",), hit=(1,)), (3.0,) * 5)
    assert both == Samples((3.0,) * 5, 1, 0.2, ("heat",), Disturbance(stolen=0.1), (0, 1))


def test_each_complaint_has_its_advice() -> None:
    bad = {
        "encoder": Samples((1.0,) * 8, waited=0.5).complaints(),
        "prefill": Samples((1.0, 1.5) * 4).complaints(),
        "decode_step": Samples((1.0,) * 5 + (1.13,) * 5).complaints(),
        "ttft": Samples((1.0,) * 8, waited=0.2, throttled=("heat",)).complaints(),
        "tpot": Samples((1.0,) * 8, throttled=("heat",)).complaints(),
    }
    advice = advice_for(bad)
    assert len(advice) == 4
    assert "end them" in advice[0] and "encoder: waited for a core 50 % of the time and 1 more" in advice[0]
    assert "measure longer" in advice[1] and "warm up" in advice[2] and "cooling" in advice[3]
    assert advice_for({}) == ()


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    st.integers(1, 100),
    st.none() | st.floats(0, 1),
    st.lists(st.sampled_from(["heat", "its power limit"]), max_size=2, unique=True),
)
def test_round_trip(seconds: list[float], calls: int, waited: float | None, throttled: list[str]) -> None:
    one = Samples(tuple(seconds), calls, waited, tuple(throttled))
    assert decode(Samples, encode(one)) == one


@pytest.mark.parametrize("seconds", [(), (-1.0,), (float("nan"),), (float("inf"),)])
def test_what_is_no_time(seconds: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="expected seconds from 0 on"):
        Samples(seconds)


@pytest.mark.parametrize("content", [{}, {"seconds": "soon"}, {"seconds": [1], "calls_per_sample": "x"}])
def test_damaged_samples(content: dict[str, object]) -> None:
    with pytest.raises(InputError):
        decode(Samples, content)


def test_percentiles_by_hand_and_none_of_too_few() -> None:
    hundred = Samples(tuple(float(i) for i in range(1, 101)))
    assert hundred.percentiles_s == {"p50": 50.5, "p90": pytest.approx(90.1), "p99": pytest.approx(99.01)}
    assert Samples((1.0,) * 99).percentile_s(0.99) is None
    assert Samples((1.0,) * 9).percentiles_s == {"p50": 1.0, "p90": None, "p99": None}
    assert Samples((1.0,) * 10).percentile_s(0.9) == 1.0
    with pytest.raises(InputError, match="percentile: expected a share between 0 and 1, got 99"):
        hundred.percentile_s(99)
