"""The belief's numbers against the same algebra written out, without a trick."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from planner.base.errors import FitError
from planner.laws.belief import Belief, Points, believe
from planner.laws.belief.belief import Measured
from planner.laws.belief.believe import PRIOR_NOISE, PRIOR_RUNS
from planner.laws.belief.means import means_of
from planner.laws.belief.misfit import covariances, sizes
from planner.laws.forms import FORMS

FloatArray = NDArray[np.float64]

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0), (1.0, 4.0, 16.0, 64.0, 576.0)
FORMS_NAMED = ("additive", "multiplicative", "log-linear")


def forms(*names: str) -> list[object]:
    return [FORMS.get(name) for name in names or FORMS_NAMED]


def planted(noise: float = 0.004, seed: int = 0, weights: FloatArray | None = None) -> Measured:
    random = np.random.default_rng(seed)
    n, t = (np.array(axis) for axis in zip(*product(SIZES, TOKENS), strict=True))
    y = 0.5 - 0.03 * np.log(n) - 0.012 * np.log(t) + noise * random.standard_normal(len(n))
    return Measured(n, t, np.array([f"llm-{size:g}" for size in n]), y, np.ones(len(n)) if weights is None else weights)


ASKED = Points(
    np.array([1.8, 1.8, 14.0, 14.0, 72.0]),
    np.array([16.0, 9.0, 16.0, 1.0, 144.0]),
    np.array(["llm-1.8", "llm-1.8", "llm-14", "llm-14", "other"]),
)


def written_out(measured: Measured, asked: Points) -> tuple[FloatArray, FloatArray]:
    """Expected errors (Q,) and their covariance (Q, Q): every combination a multivariate t with a vague offset."""
    means = means_of(forms(), measured.n, measured.t)
    table, log_odds = sizes()
    y = measured.y - measured.y.mean()
    tau = believe(measured, forms()).tau
    weights, centres, covs = [], [], []
    both = Points(np.r_[measured.n, asked.n], np.r_[measured.t, asked.t], np.concatenate([measured.llm, asked.llm]))
    columns, runs, vague = np.vstack([means.columns, means.at(asked.n, asked.t)]), len(y), 1e3
    blocks = covariances(*both.where, both.where)
    for (which, share), (row, odds) in product(
        zip(means.members, means.prior_shares(), strict=True), zip(table, log_odds, strict=True)
    ):
        f = columns[:, which]
        k = np.tensordot(row**2, blocks, 1) + tau**2 * f @ f.T + vague**2
        k[:runs, :runs] += np.diag(1 / measured.weights)
        kxx, kqx = k[:runs, :runs], k[runs:, :runs]
        total = PRIOR_RUNS * PRIOR_NOISE**2 + y @ np.linalg.solve(kxx, y)
        degrees = PRIOR_RUNS + runs - 1  # one of them is the vague offset's
        weights.append(-0.5 * (np.linalg.slogdet(kxx)[1] + degrees * math.log(total)) + odds + math.log(share))
        centres.append(measured.y.mean() + kqx @ np.linalg.solve(kxx, y))
        covs.append(total / (degrees - 2) * (k[runs:, runs:] - kqx @ np.linalg.solve(kxx, kqx.T)))
    w = np.exp(np.array(weights) - max(weights))
    w /= w.sum()
    expected = w @ np.array(centres)
    apart = np.array(centres) - expected
    return expected, np.tensordot(w, np.array(covs), 1) + (w[:, None] * apart).T @ apart


@pytest.mark.parametrize("seed", [0, 1])
def test_expected_errors_and_draws_are_those_of_the_whole_algebra(seed: int) -> None:
    weights = np.random.default_rng(5).uniform(0.5, 1.5, len(planted().y)) if seed else None
    measured = planted(seed=seed, weights=weights)
    expected, covariance = written_out(measured, ASKED)
    belief = believe(measured, forms())
    assert belief.expected(ASKED) == pytest.approx(expected, abs=1e-6)
    draws = belief.draws(ASKED, 40_000, seed=3)
    sd = np.sqrt(np.diag(covariance))
    assert draws.mean(axis=0) == pytest.approx(expected, abs=0.03 * float(sd.max()))
    assert draws.std(axis=0) == pytest.approx(sd, rel=0.06)
    assert np.corrcoef(draws.T) == pytest.approx(covariance / np.outer(sd, sd), abs=0.05)


def test_expected_errors_are_the_mean_of_the_draws() -> None:
    belief = believe(planted(), forms())
    draws = belief.draws(ASKED, 20_000)
    assert belief.expected(ASKED) == pytest.approx(draws.mean(axis=0), abs=5 * float(draws.std()) / math.sqrt(20_000))


def test_a_shift_of_all_errors_shifts_the_belief() -> None:
    measured = planted()
    shifted = Measured(measured.n, measured.t, measured.llm, measured.y + 0.2, measured.weights)
    one, other = believe(measured, forms()), believe(shifted, forms())
    assert other.expected(ASKED) == pytest.approx(one.expected(ASKED) + 0.2, abs=1e-9)
    assert other.draws(ASKED, 50) == pytest.approx(one.draws(ASKED, 50) + 0.2, abs=1e-9)


def test_a_measured_llm_is_surer_than_another_of_its_size() -> None:
    random = np.random.default_rng(1)
    measured = planted()
    offset = dict(zip(SIZES, random.normal(0, 0.02, len(SIZES)), strict=True))
    y = measured.y + np.array([offset[size] for size in measured.n])
    belief = believe(Measured(measured.n, measured.t, measured.llm, y, measured.weights), forms())
    twins = Points(np.array([1.8, 1.8]), np.array([16.0, 16.0]), np.array(["llm-1.8", "another"]))
    own, other = belief.draws(twins, 4000).std(axis=0)
    assert own < 0.5 * other
    assert belief.expected(twins)[0] - belief.expected(twins)[1] == pytest.approx(offset[1.8], abs=0.012)


def test_runs_without_noise_leave_their_law_alone() -> None:
    measured = planted(noise=0.0)
    belief = believe(measured, forms())
    truth = 0.5 - 0.03 * np.log(ASKED.n) - 0.012 * np.log(ASKED.t)
    assert belief.expected(ASKED) == pytest.approx(truth, abs=2e-3)
    assert next(iter(belief.shares())) == "log-linear"


def first(count: int) -> Measured:
    measured = planted()
    order = np.argsort(measured.t, kind="stable")[:count]  # all sizes at the fewest tokens first
    return Measured(*(getattr(measured, name)[order] for name in ("n", "t", "llm", "y", "weights")))


def test_few_runs_are_believed_little() -> None:
    sd = [believe(first(count), forms()).draws(ASKED, 4000).std(axis=0)[-1] for count in (5, 8, 20)]
    assert np.isfinite(sd).all()
    assert sd[0] > sd[1] > sd[2]


@pytest.mark.parametrize(("count", "what"), [(4, "visual token counts"), (1, "LLM sizes")])
def test_one_level_says_nothing_of_others(count: int, what: str) -> None:
    with pytest.raises(FitError, match=what):
        believe(first(count), forms())


def test_equal_errors_everywhere() -> None:
    measured = planted()
    flat = Measured(measured.n, measured.t, measured.llm, np.full(len(measured), 0.4), measured.weights)
    assert believe(flat, forms()).expected(ASKED) == pytest.approx(0.4, abs=1e-6)


def test_the_shares_find_the_planted_form() -> None:
    n, t = (np.array(axis) for axis in zip(*product((0.5, 1.8, 4, 7, 14, 32), TOKENS), strict=True))
    y = 0.2 / n**0.9 + 0.3 / t**0.8 + 0.1 + 0.001 * np.random.default_rng(0).standard_normal(len(n))
    belief = believe(Measured(n, t, n.astype(str), y, np.ones(len(n))), forms())
    assert isinstance(belief, Belief)
    assert belief.shares()["additive"] > 0.95
    assert belief.noise_sd() == pytest.approx(0.001, rel=0.8)
