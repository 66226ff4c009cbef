"""Tails by known answers, and what a shipped posterior knows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from planner.laws.hierarchy.calibration import MARGIN, TOP, Differences, differences, tail_of
from planner.laws.hierarchy.cells import Cells
from planner.laws.hierarchy.conditioning import Gaussian
from planner.laws.hierarchy.rows import shipped_rows
from planner.laws.hierarchy.shipped import posterior_of, shipped_posterior
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.hierarchy.variances import shipped_variances


@pytest.mark.parametrize("tail", [Tail(3, 0.7), Tail(5, 1.1)])
def test_the_tail_that_was_planted_is_found(tail: Tail) -> None:
    random = np.random.default_rng(1)
    sd = random.uniform(0.01, 0.1, size=60_000)
    predicted = random.normal(scale=0.1, size=len(sd))
    measured = predicted + sd * tail.scale * random.standard_t(tail.dof, size=len(sd))
    found = tail_of(Differences(predicted, measured, sd, np.zeros(len(sd))))
    assert found.dof == tail.dof
    assert found.scale == pytest.approx(MARGIN * tail.scale, abs=0.06)


def test_the_scale_widens_until_the_top_is_right() -> None:
    random = np.random.default_rng(2)
    sd = np.full(20_000, 0.02)
    predicted = random.normal(scale=0.1, size=len(sd))
    measured = predicted + sd * random.standard_normal(len(sd))
    measured[::20] *= -1  # what no scale of the misses shows: one in twenty is the other way round
    found = Differences(predicted, measured, sd, np.zeros(len(sd)))
    tail = tail_of(found)
    top = abs(predicted) / sd >= tail.quantile(TOP)
    assert not top.any() or found.right[top].mean() >= TOP


def test_quantiles_and_shares_are_student_s() -> None:
    tail = Tail(4, 0.9)
    assert tail.quantile(0.98) == pytest.approx(0.9 * t.ppf(0.98, 4))
    assert tail.below(1.3) == pytest.approx(t.cdf(1.3 / 0.9, 4))
    assert tail.below(-1.3) == pytest.approx(t.cdf(-1.3 / 0.9, 4))


def test_pairs_are_of_one_study_and_task() -> None:
    rows = shipped_rows()
    held = np.flatnonzero((rows.study == "PaliGemma 2") & np.isin(rows.task, ("AI2D", "GQA")))
    n = len(held)
    errors = Gaussian(np.linspace(0.2, 0.3, n), np.diag(np.linspace(1e-4, 2e-4, n)))
    found = differences(rows, held, errors, np.full(n, 1e-5))
    pairs = [
        (i, j)
        for i in range(n)
        for j in range(i + 1, n)
        if rows.task[held[i]] == rows.task[held[j]] and rows.error[held[i]] != rows.error[held[j]]
    ]
    assert len(found.predicted) == len(pairs) > 20
    for k, (i, j) in enumerate(pairs):
        assert found.measured[k] == rows.error[held[j]] - rows.error[held[i]]
        assert found.total_sd[k] ** 2 == pytest.approx(errors.covariance[i, i] + errors.covariance[j, j])
        assert found.noise_sd[k] ** 2 == pytest.approx(2e-5)


def test_what_was_measured_is_known_and_a_new_task_is_not() -> None:
    rows = shipped_rows()
    at = np.flatnonzero((rows.study == "PaliGemma 2") & (rows.task == "DocVQA"))
    cells = Cells.of(rows.where(at))
    known = shipped_posterior().predict(cells)
    assert abs(known.mean - rows.error[at]).max() < 0.03
    new = Cells(**{**vars(cells), "task": np.full(len(at), "a task of mine")})
    unknown = shipped_posterior().predict(new)
    assert unknown.sd.min() > 0.1 > 0.05 > known.sd.max()
    tokens = cells.visual_tokens
    gain = unknown.mean[tokens == 256].mean() - unknown.mean[tokens == 1024].mean()
    assert 0.01 < gain < 0.12  # published tasks of reading gain about .03 per doubling


def test_rows_can_be_left_out_of_a_posterior() -> None:
    rows = shipped_rows()
    kept = rows.where(rows.study != "PaliGemma 2")
    some = Cells.of(rows.where(rows.study == "PaliGemma 2")).where(np.arange(5))
    without = posterior_of(kept, shipped_variances()).predict(some)
    assert (without.sd > 2 * shipped_posterior().predict(some).sd).all()
