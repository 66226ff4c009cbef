"""How sure a comparison is: all forms by one belief, one form by its region, mixes by their tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import planner
from planner.laws.averaging import fit_average, mix
from planner.laws.combined import Law
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import profiler
from planner.laws.posterior import posterior
from planner.laws.runs_belief import belief_of, points_of
from planner.laws.shipped import load_law, load_mix
from planner.laws.uncertainty import DRAWS, Answer, Asked, uncertainty
from planner.runs import Runs

N = np.array([0.5e9, 4e9, 7e9, 14e9, 72e9])
T = np.array([16.0, 64.0, 16.0, 16.0, 16.0])
LLM = np.array([f"Qwen1.5-{size:g}B" for size in N / 1e9])


def ask(law: Law, reference: int = 4) -> Answer:
    known = uncertainty(law)
    assert known is not None
    return known.ask(Asked(N, T, LLM, reference))


def test_a_given_law_claims_no_certainty() -> None:
    assert uncertainty(FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01})) is None


def test_one_form_is_its_likelihood_region_and_posterior(reasoning: Runs) -> None:
    law = planner.fit(reasoning, "additive")
    answer, region = ask(law), profiler(law)
    low, high = region.predictions(N, T)
    np.testing.assert_allclose((answer.low, answer.high), (low, high), rtol=1e-12)
    assert answer.draws is not None
    np.testing.assert_array_equal(answer.draws, posterior(law, DRAWS).predict(N, T))


def test_all_forms_are_the_belief_of_the_runs(reasoning: Runs) -> None:
    law = fit_average(reasoning)
    answer = ask(law)
    draws = belief_of(law.runs_of).draws(points_of(law.runs_of, N, T, LLM), DRAWS)
    assert answer.draws is not None
    np.testing.assert_array_equal(answer.draws, draws)
    np.testing.assert_allclose(answer.low, np.quantile(draws, 0.025, axis=0), rtol=1e-12)


@pytest.mark.parametrize("form", ["auto", "additive", "log-linear"])
def test_extrapolation_widens_the_interval(reasoning: Runs, form: str) -> None:
    answer = ask(fit_average(reasoning) if form == "auto" else planner.fit(reasoning, form))
    width = answer.high - answer.low
    assert width[4] > width[3] > width[2]
    assert width[4] > 2.5 * width[1]


def test_all_forms_are_less_sure_than_the_likeliest_alone(reasoning: Runs) -> None:
    law = fit_average(reasoning)
    alone, together = ask(planner.fit(reasoning, "log-linear")), ask(law)
    assert (together.high - together.low > alone.high - alone.low)[3:].all()


@pytest.mark.parametrize("form", ["auto", "additive"])
def test_a_point_ties_with_itself_and_not_with_a_clearly_better_one(reasoning: Runs, form: str) -> None:
    answer = ask(fit_average(reasoning) if form == "auto" else planner.fit(reasoning, form))
    assert answer.not_worse.tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("form", ["auto", "additive"])
def test_the_tasks_of_a_mix_add_in_squares(form: str) -> None:
    weights = (0.6, 0.4)
    mixed = ask(load_mix("reasoning=0.6,ocr=0.4", form))
    tasks = [ask(load_law(name, form)) for name in ("reasoning", "ocr")]
    assert mixed.draws is not None
    variances, centres = [], []
    for task in tasks:
        assert task.draws is not None
        variances.append(task.draws.var(axis=0))
        centres.append(task.draws.mean(axis=0))
    expected = sum(weight**2 * variance for weight, variance in zip(weights, variances, strict=True))
    np.testing.assert_allclose(mixed.draws.var(axis=0), expected, rtol=0.15)
    np.testing.assert_allclose(
        mixed.draws.mean(axis=0), sum(w * c for w, c in zip(weights, centres, strict=True)), rtol=1e-9
    )
    tail = np.quantile(mixed.draws, [0.025, 0.975], axis=0)
    np.testing.assert_allclose((mixed.low, mixed.high), tail, rtol=1e-12)


def test_a_law_of_a_joint_fit_has_an_interval_and_no_draws_and_so_has_a_mix_with_it() -> None:
    joint = load_law("quecc", "log-linear")
    assert isinstance(joint, FittedLaw)
    assert joint.joint
    alone, mixed = ask(joint), ask(mix({"a": (joint, 0.5), "b": (load_law("reasoning", "additive"), 0.5)}))
    for answer in (alone, mixed):
        assert answer.draws is None
        assert (answer.low < answer.high).all()
        assert answer.not_worse[4]
        assert (answer.gap_low <= answer.gap_high).all()
    other = ask(load_law("reasoning", "additive"))
    centre = (alone.gap_low + alone.gap_high + other.gap_low + other.gap_high) / 4
    half = np.hypot(alone.gap_high - alone.gap_low, other.gap_high - other.gap_low) / 4
    np.testing.assert_allclose((mixed.gap_low, mixed.gap_high), (centre - half, centre + half), atol=1e-12)


def test_what_is_known_of_runs_is_worked_out_once() -> None:
    law = load_law("reasoning", "auto")
    one = belief_of(law.runs_of)  # type: ignore[union-attr]  # an average
    assert belief_of(load_law("reasoning", "auto").runs_of) is one  # type: ignore[union-attr]
    assert belief_of(replace(law.runs_of)) is not one  # type: ignore[union-attr]
