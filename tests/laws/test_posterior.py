"""The posterior's exact draws, against t distributions and against a plain Markov chain on the same density."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import planner
from planner.base.errors import InputError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import profiler
from planner.laws.posterior import posterior
from planner.runs import Runs

PROBABILITIES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def chain(law: FittedLaw, seed: int = 0) -> dict[str, np.ndarray]:
    """Random-walk Metropolis on the stated density, 600 walkers at once, in (ln alpha, ln beta, a, b, d) centred."""
    assert law.data is not None
    region = profiler(law)
    x, t, y = region.design.x, region.design.t, law.data.y
    two = law.form == "additive"

    def log_density(theta: np.ndarray) -> np.ndarray:
        alpha, beta = np.exp(theta[:, :1]), np.exp(theta[:, 1:2])
        a, b, d = theta[:, 2:3], theta[:, 3:4], theta[:, 4:5]
        model = a * np.exp(-alpha * x) + b * np.exp(-beta * t) if two else a * np.exp(-alpha * x - beta * t)
        rss = ((y - model - d) ** 2).sum(axis=1)
        positive = (a[:, 0] > 0) & (d[:, 0] > 0) & ((b[:, 0] > 0) | (not two))
        inside = (np.abs(theta[:, 0]) < 12) & (np.abs(theta[:, 1]) < 12)
        return np.where(positive & inside, -0.5 * len(y) * np.log(rss), -np.inf)

    random = np.random.default_rng(seed)
    start = posterior(law, 600, seed=seed + 1).params  # only where the walkers begin
    n_scale = np.exp(-start["alpha"] * region.design.x_mean)
    t_scale = np.exp(-start["beta"] * region.design.t_mean)
    a = start["A"] * (n_scale if two else n_scale * t_scale)
    b = start["B"] * t_scale if two else np.zeros(600)
    theta = np.stack([np.log(start["alpha"]), np.log(start["beta"]), a, b, start["D"]], axis=1)
    spread = np.cov(theta.T) + 1e-18 * np.eye(5)
    root = np.linalg.cholesky(spread) * (2.38 / np.sqrt(5)) * 0.7
    density = log_density(theta)
    kept = []
    for step in range(3000):
        trial = theta + random.standard_normal(theta.shape) @ root.T
        trial_density = log_density(trial)
        accept = np.log(random.uniform(size=600)) < trial_density - density
        theta, density = np.where(accept[:, None], trial, theta), np.where(accept, trial_density, density)
        if step >= 1000 and step % 50 == 0:
            kept.append(theta.copy())
    rows = np.concatenate(kept)
    return {"alpha": np.exp(rows[:, 0]), "beta": np.exp(rows[:, 1]), "D": rows[:, 4]}


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_draws_have_the_quantiles_of_a_markov_chain(reasoning: Runs, form: str) -> None:
    law = planner.fit(reasoning, form)
    exact, walked = posterior(law, 20000).params, chain(law)
    for name, values in walked.items():
        spread = np.subtract(*np.quantile(values, [0.95, 0.05]))
        difference = np.quantile(exact[name], PROBABILITIES) - np.quantile(values, PROBABILITIES)
        assert np.abs(difference / spread).max() < 0.05, name  # the chain's own error is about 0.02 of the spread


def test_the_log_linear_posterior_is_a_t_distribution(reasoning: Runs) -> None:
    law = planner.fit(reasoning, "log-linear")
    draws = posterior(law, 40000)
    design = np.stack([np.ones(28), -np.log(reasoning.llm_params / 1e9), -np.log(reasoning.visual_tokens)], axis=1)
    assert law.rss is not None
    scale = np.sqrt(law.rss / 25 * np.diag(np.linalg.inv(design.T @ design)))
    for name, se in zip(("c0", "c1", "c2"), scale, strict=True):
        assert stats.kstest((draws.params[name] - law.params[name]) / se, stats.t(25).cdf).statistic < 0.01


def test_draws_respect_the_bounds_and_the_seed(ocr: Runs) -> None:
    law = planner.fit(ocr, "additive")
    draws = posterior(law, 500, seed=3)
    assert len(draws) == 500
    assert all((values >= 0).all() for values in draws.params.values())
    assert all((posterior(law, 500, seed=3).params[name] == values).all() for name, values in draws.params.items())
    assert (posterior(law, 500, seed=4).params["D"] != draws.params["D"]).any()


@pytest.mark.parametrize("form", ["additive", "multiplicative", "log-linear"])
def test_predictions_agree_with_the_profile_interval(reasoning: Runs, form: str) -> None:
    """Not the same statement, but on 28 runs the two must tell the same story inside the data."""
    law = planner.fit(reasoning, form)
    low, high = profiler(law).predictions(4e9, 36)
    draws = posterior(law, 5000).predict(np.array(4e9), np.array(36.0))
    ends = np.quantile(draws, [0.025, 0.975])
    assert ends == pytest.approx([float(low), float(high)], abs=0.35 * float(high - low))


def test_fixed_exponents_stay_fixed() -> None:
    law = planner.load_law("paper")
    assert isinstance(law, FittedLaw)
    draws = posterior(law, 300)
    assert (draws.params["alpha"] == 0.077).all()
    assert draws.params["D"].std() > 0
    assert get_form(law.form).value(law.params, 7.0, 16.0) == pytest.approx(
        float(draws.predict(np.array(7e9), np.array(16.0)).mean()), abs=2e-3
    )


def test_a_given_law_has_no_posterior() -> None:
    with pytest.raises(InputError, match="it has no runs"):
        posterior(FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}))
