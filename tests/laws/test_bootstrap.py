"""Resampled fits: repeatable, resampled as said, and each the optimum of its own data set."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import lmfit
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.laws import bootstrap as module
from planner.laws.bootstrap import KINDS, Draws, bootstrap, leverages
from planner.laws.engine.design import make_design
from planner.laws.engine.solve import solve, solve_many
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import Form, forms_for, get_form
from planner.runs import Runs, read_runs

FloatArray = NDArray[np.float64]
INSIDE = {
    "additive": {"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.2},
    "multiplicative": {"A": 0.4, "alpha": 0.2, "beta": 0.1, "D": 0.2},
    "log-linear": {"c0": 0.59, "c1": 0.04, "c2": 0.008},
    "log-power": {"c0": 0.4, "c1": 0.04, "B": 0.2, "beta": 0.6},
    "log-shifted": {"c0": 0.6, "c1": 0.04, "c2": 0.03, "T0": 8.0},
    "interaction": {"c0": 0.59, "c1": 0.03, "c2": 0.012, "c3": 0.004},
    "saturating": {"c0": 0.59, "c1": 0.038, "c2": 0.02, "Tmax": 100.0},
    "additive-d0": {"A": 0.4, "alpha": 0.2, "B": 0.2, "beta": 0.1},
}
EXACT = [name for name in [one.name for one in forms_for(2)] if get_form(name).projection is not None]
"""Forms that are fitted again in one batch, so that thousands of draws are cheap."""
OTHERS = [one.name for one in forms_for(2) if one.name not in (*EXACT, "additive-d0")]


@cache
def published() -> Runs:
    return read_runs(Path(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv")))


@cache
def law_of(form: str, planted: bool = False, weighted: bool = False) -> FittedLaw:
    """Fitted to the published runs, or to a planted law with D inside its bounds."""
    runs = published()
    if planted:
        model = get_form(form).value(INSIDE[form], runs.llm_params / 1e9, runs.visual_tokens)
        runs = replace(runs, error=model + 1e-3 * np.random.default_rng(2).standard_normal(28))
    if weighted:
        runs = replace(runs, error_se=np.random.default_rng(3).uniform(1e-3, 4e-3, 28))
    return planner.fit(runs, form)


def data_of(law: FittedLaw) -> FitData:
    assert law.data is not None
    return law.data


def resampled_errors(monkeypatch: pytest.MonkeyPatch, law: FittedLaw, replicates: int, **options: str) -> FloatArray:
    """The data sets (R, n) that a bootstrap fits, without the fits."""
    seen = []

    def spy(form: Form, n: FloatArray, t: FloatArray, y: FloatArray, *others: Any) -> dict[str, FloatArray]:
        seen.append(y)
        return {name: np.full(len(y), value) for name, value in law.params.items()}

    with monkeypatch.context() as patch:
        patch.setattr(module, "best_fits", spy)
        bootstrap(law, replicates, **options)  # type: ignore[arg-type]  # seed is left out
    return seen[0]


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_every_draw(form: str, kind: str) -> None:
    law, count = law_of(form), 50 if form in EXACT else 5  # others are fitted one by one, in a hundred times the time
    one, again, other = (bootstrap(law, count, kind=kind, seed=seed) for seed in (7, 7, 8))
    assert len(one) == count
    assert (one.kind, one.seed) == (kind, 7)
    assert set(one.params) == set(law.params)
    for name in law.params:
        np.testing.assert_array_equal(one.params[name], again.params[name])
    assert any((one.params[name] != other.params[name]).any() for name in law.params)


@pytest.mark.parametrize("form", EXACT)
@pytest.mark.parametrize("planted", [False, True])
def test_every_draw_is_the_optimum_of_its_own_data(monkeypatch: pytest.MonkeyPatch, form: str, planted: bool) -> None:
    """50 resampled data sets in one batch and one by one: the same predictions to 1e-6, inside the data and at 14B."""
    law = law_of(form, planted)
    data = data_of(law)
    design = make_design(data.n, data.t, data.weights)
    errors = resampled_errors(monkeypatch, law, 50)
    together = solve_many(get_form(form).projection, design, errors)
    n, t = np.append(data.n, 14.0), np.append(data.t, 36.0)
    for i, y in enumerate(errors):
        alone = solve(get_form(form).projection, get_form(form).value, design, y).params
        batch = {name: float(values[i]) for name, values in together.items()}
        np.testing.assert_allclose(
            get_form(form).value(batch, n, t), get_form(form).value(alone, n, t), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_leverages_sum_to_the_number_of_free_parameters(form: str) -> None:
    for law in (law_of(form), law_of(form, planted=True), law_of(form, weighted=True)):
        leverage = leverages(law)
        assert leverage.shape == (28,)
        assert ((leverage > 0) & (leverage < 1)).all()
        assert leverage.sum() == pytest.approx(len(law.params) - len(law.at_bound), rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_leverages_are_the_diagonal_of_the_hat_matrix(weighted: bool) -> None:
    law = law_of("log-linear", weighted=weighted)
    data = data_of(law)
    columns = get_form("log-linear").gradient(law.params, data.n, data.t) * np.sqrt(data.weights)[:, None]
    hat = columns @ np.linalg.inv(columns.T @ columns) @ columns.T
    np.testing.assert_allclose(leverages(law), np.diag(hat), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_resampled_errors_are_the_fit_with_residuals_as_said(
    monkeypatch: pytest.MonkeyPatch, form: str, kind: str
) -> None:
    law = law_of(form, weighted=True)
    data = data_of(law)
    model = get_form(form).value(law.params, data.n, data.t)
    root = np.sqrt(data.weights)
    residual = (data.y - model) * root
    corrected = residual if kind == "residual" else residual / np.sqrt(1 - leverages(law))
    noise = (resampled_errors(monkeypatch, law, 20, kind=kind) - model) * root
    assert noise.shape == (20, 28)
    if kind == "wild":
        np.testing.assert_allclose(np.abs(noise), np.broadcast_to(np.abs(corrected), noise.shape), atol=1e-12)
        assert (noise > 0).mean() == pytest.approx(0.5, abs=0.1)
    else:
        pool = corrected - corrected.mean()
        assert np.abs(noise[..., None] - pool).min(axis=-1).max() < 1e-12


def test_a_cluster_gives_all_runs_of_one_language_model_one_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    law = law_of("multiplicative")
    data = data_of(law)
    residual = data.y - get_form("multiplicative").value(law.params, data.n, data.t)
    errors = resampled_errors(monkeypatch, law, 40, kind="wild", cluster="llm")
    signs = np.sign((errors - (data.y - residual)) * residual)
    by_llm = [signs[:, data.n == size] for size in np.unique(data.n)]
    assert len(by_llm) == 4
    for columns in by_llm:
        assert (columns == columns[:, :1]).all()
    patterns = {tuple(columns[i, 0] for columns in by_llm) for i in range(40)}
    assert len(patterns) > 8  # the signs of the four are independent: 16 patterns


@pytest.mark.parametrize("form", EXACT)
def test_plain_residuals_are_too_narrow(form: str) -> None:
    """A fit with p parameters shrinks its residuals by about sqrt(1 - p / n): 6 to 10 % here."""
    law = law_of(form, planted=True)
    spread = {}
    for kind in ("residual", "leverage"):
        predictions = bootstrap(law, 2000, kind=kind).predict(np.array([5e8, 7e9]), np.array([1.0, 576.0]))
        spread[kind] = predictions.std(axis=0)
    parameters = len(law.params)
    expected = np.sqrt(1 - parameters / 28)
    np.testing.assert_allclose(spread["residual"] / spread["leverage"], expected, rtol=0.05)


@pytest.mark.parametrize("kind", ["leverage", "wild"])
def test_log_linear_draws_have_the_standard_errors_of_linear_regression(kind: str) -> None:
    """Within 10 %: 4000 draws have 1 %, the wild bootstrap squares each residual on its own."""
    law = law_of("log-linear", planted=True)
    data = data_of(law)
    columns = get_form("log-linear").gradient(law.params, data.n, data.t)
    residual = data.y - get_form("log-linear").value(law.params, data.n, data.t)
    inverse = np.linalg.inv(columns.T @ columns)
    if kind == "leverage":
        covariance = inverse * float(residual @ residual) / 25
    else:  # the sandwich that the wild bootstrap estimates (HC2)
        covariance = inverse @ (columns.T * (residual**2 / (1 - leverages(law)))) @ columns @ inverse
    draws = bootstrap(law, 4000, kind=kind)
    for i, name in enumerate(("c0", "c1", "c2")):
        assert draws.params[name].std() == pytest.approx(np.sqrt(covariance[i, i]), rel=0.1)
        assert draws.params[name].mean() == pytest.approx(law.params[name], abs=0.1 * np.sqrt(covariance[i, i]))


@settings(max_examples=8, deadline=None)
@given(
    form=st.sampled_from(["additive", "multiplicative"]),
    alpha=st.floats(1e-3, 2.0),
    beta=st.floats(1e-3, 2.0),
    offset=st.sampled_from([0.0, 0.2]),
    noise=st.sampled_from([1e-4, 3e-3, 2e-2]),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_of_random_data_are_solved_as_one_by_one(
    form: str, alpha: float, beta: float, offset: float, noise: float, seed: int
) -> None:
    """No draw of the batch is worse than the fit alone by more than the batch's tolerance of 1e-6 in predictions."""
    runs = published()
    n, t = runs.llm_params / 1e9, runs.visual_tokens
    truth = {"A": 0.3 * 0.5**alpha, "alpha": alpha, "B": 0.2, "beta": beta, "D": offset}
    y = get_form(form).value(truth, n, t) + noise * np.random.default_rng(seed).standard_normal((6, 28))
    design = make_design(n, t, np.ones(28))
    together = solve_many(get_form(form).projection, design, y)
    for i in range(6):
        alone = solve(get_form(form).projection, get_form(form).value, design, y[i])
        batch = {name: float(values[i]) for name, values in together.items()}
        rss = float(np.sum((y[i] - get_form(form).value(batch, n, t)) ** 2))
        assert rss <= alone.weighted_rss * (1 + 1e-6)


@pytest.mark.parametrize(
    "form", [*EXACT, "additive-d0", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_draws_predict_and_give_percentiles(form: str) -> None:
    law, count = law_of(form, planted=True), 300 if form in EXACT else 120
    draws = bootstrap(law, count)
    n, t = np.array([[5e8], [7e9]]), np.array([1.0, 36.0, 576.0])
    predicted = draws.predict(n, t)
    assert predicted.shape == (count, 2, 3)
    one = Draws(law, {name: np.array([value]) for name, value in law.params.items()}, "leverage", 0)
    np.testing.assert_allclose(one.predict(n, t)[0], law.predict(n, t), rtol=1e-12)
    name = next(iter(law.params))
    low, high = draws.interval(name)
    assert np.mean((draws.params[name] >= low) & (draws.params[name] <= high)) == pytest.approx(0.95, abs=0.01)
    inner_low, inner_high = draws.interval(name, 0.5)
    assert low < inner_low < inner_high < high


def test_what_cannot_be_resampled_is_refused() -> None:
    law = law_of("additive")
    given_law = FittedLaw.given("log-linear", INSIDE["log-linear"])
    params = lmfit.Parameters()
    params.add("D", value=0.1, vary=False)
    fixed = planner.fit(published(), params=params)
    with pytest.raises(InputError, match="needs a freely fitted law: this one was given, it has no runs"):
        bootstrap(given_law)
    with pytest.raises(InputError, match="needs a freely fitted law: this one has constraints"):
        bootstrap(fixed)
    with pytest.raises(InputError, match="leverages need a fitted law"):
        leverages(given_law)
    with pytest.raises(InputError, match="cluster: needs kind='wild', got kind='leverage'"):
        bootstrap(law, cluster="llm")
    with pytest.raises(UnknownNameError, match=r"wilder.*wild"):
        bootstrap(law, kind="wilder")
    with pytest.raises(UnknownNameError, match="cluster"):
        bootstrap(law, kind="wild", cluster="size")
    with pytest.raises(InputError, match="replicates"):
        bootstrap(law, 0)
