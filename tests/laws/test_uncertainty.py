"""How sure a comparison is: the envelope over forms, draws in proportion, ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import planner
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import profiler
from planner.laws.memo import KEPT
from planner.laws.shipped import load_law, load_mix
from planner.laws.uncertainty import uncertainty
from planner.runs import Runs

N = np.array([0.5e9, 4e9, 7e9, 14e9, 72e9])
T = np.array([16.0, 64.0, 16.0, 16.0, 16.0])


def test_a_given_law_claims_no_certainty() -> None:
    assert uncertainty(FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01})) is None


def test_intervals_are_the_envelope_of_the_forms_that_the_runs_allow(reasoning: Runs) -> None:
    """Log-linear has 95 % of the evidence, additive is asked for, multiplicative is ruled out."""
    known = uncertainty(planner.fit(reasoning, "additive"))
    assert known is not None
    assert {region.law.form for region in known.beliefs[0].regions} == {"additive", "log-linear"}
    low, high = known.intervals(N, T)
    ends = [profiler(planner.fit(reasoning, form)).predictions(N, T) for form in ("additive", "log-linear")]
    np.testing.assert_allclose(low, np.minimum(ends[0][0], ends[1][0]), rtol=1e-9)
    np.testing.assert_allclose(high, np.maximum(ends[0][1], ends[1][1]), rtol=1e-9)


def test_extrapolation_widens_the_interval(reasoning: Runs) -> None:
    known = uncertainty(planner.fit(reasoning, "additive"))
    assert known is not None
    low, high = known.intervals(N, T)
    width = high - low
    assert width[4] > width[3] > width[2]
    assert width[4] > 5 * width[1]


def test_draws_come_from_each_form_by_its_share(reasoning: Runs) -> None:
    known = uncertainty(planner.fit(reasoning, "additive"))
    assert known is not None
    draws = known.draws(N, T, 2000)
    assert draws.shape == (2000, 5)
    assert (known.draws(N, T, 2000) == draws).all()
    additive = float(planner.fit(reasoning, "additive").predict(N[4], T[4]))
    log_linear = float(planner.fit(reasoning, "log-linear").predict(N[4], T[4]))
    nearer_additive = np.abs(draws[:, 4] - additive) < np.abs(draws[:, 4] - log_linear)
    assert nearer_additive.mean() == pytest.approx(0.039 / (0.039 + 0.947), abs=0.02)


def test_a_point_ties_with_itself_and_not_with_a_clearly_better_one(reasoning: Runs) -> None:
    known = uncertainty(planner.fit(reasoning, "additive"))
    assert known is not None
    tied = known.not_worse(N, T, (N[4], T[4]))
    assert tied.tolist() == [False, False, False, False, True]


def test_the_tasks_of_a_mix_add_in_squares() -> None:
    law, weights = load_mix("reasoning=0.6,ocr=0.4"), (0.6, 0.4)
    known = uncertainty(law)
    assert known is not None
    low, high = known.intervals(N, T)
    halves = []
    for name in ("reasoning", "ocr"):
        one = uncertainty(load_law(name))
        assert one is not None
        ends = one.intervals(N, T)
        halves.append((ends[1] - ends[0]) / 2)
    expected = np.sqrt(sum((weight * half) ** 2 for weight, half in zip(weights, halves, strict=True)))
    np.testing.assert_allclose((high - low) / 2, expected, rtol=1e-9)
    spread = known.draws(N, T, 4000).std(axis=0)
    assert (spread < 1.2 * expected).all()


def test_mixes_of_the_same_tasks_share_what_is_known_of_each() -> None:
    """Only the weights differ: the forms, their profiles and draws are worked out once a task."""
    one, other = uncertainty(load_mix("reasoning=0.6,ocr=0.4")), uncertainty(load_mix("reasoning=0.5,ocr=0.5"))
    alone = uncertainty(load_law("reasoning"))
    assert one is not None
    assert other is not None
    assert alone is not None
    assert one is not other
    assert all(mine is theirs for mine, theirs in zip(one.beliefs, other.beliefs, strict=True))
    assert one.beliefs[0] is alone.beliefs[0]
    assert one.beliefs[0] is not one.beliefs[1]
    assert (one.weights, other.weights) == ((0.6, 0.4), (0.5, 0.5))


def test_mixes_share_what_is_known_after_many_other_laws_too() -> None:
    """Asked of the single task again and again meanwhile: what is dropped for one is dropped for both."""
    alone, other = load_law("reasoning", "log-linear"), load_law("ocr", "log-linear")
    for _ in range(KEPT + 1):
        uncertainty(replace(other))
        uncertainty(alone)
    mixed, single = uncertainty(load_mix("reasoning=0.6,ocr=0.4", "log-linear")), uncertainty(alone)
    assert mixed is not None
    assert single is not None
    assert mixed.beliefs[0] is single.beliefs[0]
