"""What to measure next: the knowledge gradient against simulation, information against the determinant."""

from __future__ import annotations

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.laws.design import next_batch, next_runs
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.gain import knowledge_gradient
from planner.runs import Runs

CANDIDATES = (np.array([7e9, 14e9, 14e9, 32e9]), np.array([576.0, 16.0, 36.0, 1.0]))
CELLS = (np.array([0.5e9, 7e9, 14e9, 14e9]), np.array([1.0, 144.0, 16.0, 1.0]))


def test_the_knowledge_gradient_is_the_simulated_gain() -> None:
    random = np.random.default_rng(0)
    z = random.standard_normal(400_000)
    for _ in range(5):
        errors, steps = 0.5 + 0.01 * random.standard_normal(5), 0.01 * random.standard_normal((3, 5))
        gain, changes = knowledge_gradient(errors, steps)
        for c in range(3):
            after = errors + np.outer(z, steps[c])
            simulated = errors.min() - after.min(axis=1)
            assert gain[c] == pytest.approx(simulated.mean(), abs=5 * simulated.std() / np.sqrt(len(z)))
            moved = (after.argmin(axis=1) != errors.argmin()).mean()
            assert changes[c] == pytest.approx(moved, abs=0.005)


def test_a_run_that_moves_all_candidates_alike_gains_nothing() -> None:
    gain, changes = knowledge_gradient(np.array([0.5, 0.51, 0.52]), np.full((1, 3), 0.1))
    assert gain[0] == pytest.approx(0.0, abs=1e-15)
    assert changes[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("form", ["additive", "multiplicative", "log-linear"])
def test_gains_are_never_negative_and_ranked(reasoning: Runs, form: str) -> None:
    law = planner.fit(reasoning, form)
    found = next_runs(law, CANDIDATES, CELLS)
    gains = [run.expected_gain for run in found.runs]
    assert gains == sorted(gains, reverse=True)
    assert min(gains) >= 0
    assert gains[0] <= found.expected_regret_now * 1.05 + 1e-12  # no run can gain more; the regret is sampled
    assert next_runs(law, CANDIDATES, CELLS) == found
    assert [run.measured for run in sorted(found.runs, key=lambda run: run.llm_params)][:2] == [True, True]


def test_where_no_run_gains_the_most_informative_comes_first(reasoning: Runs) -> None:
    found = next_runs(planner.fit(reasoning, "additive"), (14e9, 36.0), CELLS)  # one candidate: nothing to choose
    assert {run.expected_gain for run in found.runs} == {0.0}
    information = [run.log_det_gain for run in found.runs]
    assert information == sorted(information, reverse=True)


def test_information_is_the_rise_of_the_log_determinant(reasoning: Runs) -> None:
    law = planner.fit(reasoning, "log-linear")
    assert law.data is not None
    form = get_form("log-linear")
    known = form.gradient(law.params, law.data.n, law.data.t)
    for run in next_runs(law, CANDIDATES, CELLS, criterion="d-optimal").runs:
        row = form.gradient(law.params, run.llm_params / 1e9, run.visual_tokens)
        before = np.linalg.slogdet(known.T @ known)[1]
        after = np.linalg.slogdet(known.T @ known + np.outer(row, row))[1]
        assert run.log_det_gain == pytest.approx(after - before, rel=1e-3)


def test_a_batch_gains_more_with_every_run(reasoning: Runs) -> None:
    batch = next_batch(planner.fit(reasoning, "additive"), CANDIDATES, CELLS, 3)
    assert len(batch.runs) == 3
    assert list(batch.expected_gains) == sorted(batch.expected_gains)


def test_bad_arguments_are_named(reasoning: Runs) -> None:
    law = planner.fit(reasoning, "log-linear")
    with pytest.raises(UnknownNameError, match="no criterion is called 'regrets'; did you mean 'regret'"):
        next_runs(law, CANDIDATES, CELLS, criterion="regrets")
    with pytest.raises(InputError, match=r"has no runs|was given"):
        next_runs(FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}), CANDIDATES, CELLS)
