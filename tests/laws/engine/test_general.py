"""The general engine, held against the exact one: the built-in forms without their projection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import planner
from planner.base.errors import FitError, InputError
from planner.laws.bootstrap import bootstrap
from planner.laws.compare import compare
from planner.laws.engine.descent import descend_from_many
from planner.laws.engine.tokens import BudgetLine, by_search
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS, Parameter, Variant, get_form
from planner.laws.intervals import RefitProfiler, profiler
from planner.laws.posterior import posterior
from planner.runs import Runs

FloatArray = NDArray[np.float64]

BUILT_IN = ("additive", "multiplicative", "log-linear")
N = np.repeat([0.5e9, 1.8e9, 7e9, 14e9, 72e9], 6)
T = np.tile([1.0, 4.0, 16.0, 64.0, 144.0, 576.0], 5)


@pytest.fixture(scope="module", autouse=True)
def _general() -> Iterator[None]:
    """Each form as `general-NAME`: without projection, formula for the tokens, gradient and slopes."""
    for name in BUILT_IN:
        bare = {"projection": None, "best_tokens": None, "derivatives": None, "slopes": None}
        FORMS.register(replace(get_form(name), name=f"general-{name}", **bare))  # type: ignore[arg-type]
    yield
    for name in BUILT_IN:
        FORMS.remove(f"general-{name}")


@pytest.fixture(scope="module", params=["reasoning", "ocr"])
def runs(request: pytest.FixtureRequest) -> Runs:
    found: Runs = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def both(runs: Runs) -> Callable[[str], tuple[FittedLaw, FittedLaw]]:
    """The fits of a form, exact and general, each made once."""

    @cache
    def fits(form: str) -> tuple[FittedLaw, FittedLaw]:
        return planner.fit(runs, form), planner.fit(runs, f"general-{form}")

    return fits


Fits = Callable[[str], tuple[FittedLaw, FittedLaw]]


@pytest.mark.parametrize("form", BUILT_IN)
def test_the_optimum_is_the_exact_one(both: Fits, form: str) -> None:
    exact, general = both(form)
    assert general.rss == pytest.approx(exact.rss, rel=1e-10)
    assert general.params == pytest.approx(exact.params, rel=1e-5)
    assert (general.status, general.at_bound, general.advice) == (exact.status, exact.at_bound, exact.advice)


@pytest.mark.parametrize("form", BUILT_IN)
@pytest.mark.parametrize("seed", range(4))
def test_no_planted_optimum_is_missed(form: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    n, t = np.repeat([0.5, 1.8, 4.0, 7.0], 7), np.tile([1.0, 4, 16, 36, 64, 144, 576], 4)
    truth = {"A": 0.4, "B": 0.2, "c0": 0.6, "D": random.choice([0.0, 0.1]), "c1": 0.04, "c2": 0.01}
    truth |= dict(zip(("alpha", "beta"), np.exp(random.uniform(-4, 0, 2)), strict=True))
    shape = get_form(f"general-{form}")
    y = shape.value({name: truth[name] for name in shape.param_names}, n, t) + 3e-3 * random.standard_normal(28)
    table = Runs(llm=tuple(f"{x:g}" for x in n), llm_params=n * 1e9, visual_tokens=t, error=y)
    assert planner.fit(table, shape.name).rss == pytest.approx(planner.fit(table, form).rss, rel=1e-9)


@pytest.mark.parametrize("form", BUILT_IN)
def test_profile_intervals_are_the_exact_ones(both: Fits, form: str) -> None:
    """Of parameters to four digits; the exact engine's many predictions are 1 % narrower at worst than a zoom finds."""
    exact, general = map(profiler, both(form))
    assert isinstance(general, RefitProfiler)
    ends = general.parameters()
    for name, interval in exact.parameters().items():
        expected = (interval.low, interval.high)
        assert (ends[name].low, ends[name].high) == pytest.approx(expected, rel=1e-4, nan_ok=True), name
    for one, other in (
        (exact.predictions(N, T), general.predictions(N, T)),
        (exact.differences(N, T, (7e9, 36.0)), general.differences(N, T, (7e9, 36.0))),
    ):
        width, other_width = one[1] - one[0], other[1] - other[0]
        some = width > 1e-6
        assert other_width[some] / width[some] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("form", BUILT_IN)
@pytest.mark.parametrize("flops", [pytest.param(1e11, marks=pytest.mark.slow), 5e11, 2e12])
def test_the_best_tokens_and_their_interval_are_the_exact_ones(both: Fits, form: str, flops: float) -> None:
    exact, general = (planner.optimum(law, budget=flops, query_tokens=50, generated_tokens=0) for law in both(form))
    assert general.visual_tokens == pytest.approx(exact.visual_tokens, rel=1e-7)
    assert general.limit == exact.limit
    assert general.visual_tokens_interval == pytest.approx(exact.visual_tokens_interval, rel=1e-4)


@pytest.mark.parametrize("form", BUILT_IN)
def test_draws_are_those_of_the_exact_posterior(both: Fits, form: str) -> None:
    """To what 4000 draws tell, and the priors of the coefficients, which are centred in one engine only."""
    exact, general = (posterior(law, 4000).predict(N, T) for law in both(form))
    assert general.std(axis=0) / exact.std(axis=0) == pytest.approx(1.0, abs=0.1)
    assert np.abs(general.mean(axis=0) - exact.mean(axis=0)).max() == pytest.approx(0.0, abs=0.005)
    assert (np.abs(general.mean(axis=0) - exact.mean(axis=0)) / exact.std(axis=0)).max() < 0.15


def test_a_huber_fit_is_the_exact_one(reasoning: Runs) -> None:
    exact, general = (planner.fit(reasoning, name, loss="huber") for name in ("additive", "general-additive"))
    assert general.params == pytest.approx(exact.params, rel=1e-4, abs=1e-6)
    assert general.huber_delta == pytest.approx(exact.huber_delta, rel=1e-6)


def test_tied_parameters_are_tied(reasoning: Runs) -> None:
    import lmfit

    tied = lmfit.Parameters()
    tied.add("beta", value=0.1)
    tied.add("alpha", expr="2 * beta")
    exact, general = (planner.fit(reasoning, name, params=tied) for name in ("additive", "general-additive"))
    assert general.params["alpha"] == pytest.approx(2 * general.params["beta"], rel=1e-12)
    assert general.rss == pytest.approx(exact.rss, rel=1e-9)


def test_a_bootstrap_of_a_general_form_is_that_of_the_exact_engine(reasoning: Runs) -> None:
    exact, general = (
        bootstrap(planner.fit(reasoning, name), 20, seed=3).predict(N, T) for name in ("additive", "general-additive")
    )
    np.testing.assert_allclose(general, exact, rtol=0, atol=1e-5)


def test_held_parameters_are_held() -> None:
    shape = get_form("general-additive")
    n, t = np.repeat([0.5, 1.8, 4.0, 7.0], 7), np.tile([1.0, 4, 16, 36, 64, 144, 576], 4)
    truth = {"A": 0.4, "alpha": 0.2, "B": 0.2, "beta": 0.1, "D": 0.05}
    found = descend_from_many(shape, n, t, shape.value(truth, n, t), np.ones(28), {"D": 0.05, "alpha": 0.2})
    assert found.params == pytest.approx(truth, rel=1e-7)
    assert (found.params["D"], found.params["alpha"]) == (0.05, 0.2)


@pytest.mark.parametrize("form", BUILT_IN)
def test_gradients_and_slopes_by_differences(form: str) -> None:
    exact, general = get_form(form), get_form(f"general-{form}")
    params = {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": 0.05, "D": 0.0, "c0": 0.6, "c1": 0.04, "c2": 0.0}
    params = {name: params[name] for name in exact.param_names}
    n, t = np.array([[0.5], [7.0]]), np.array([1.0, 64.0, 576.0])
    np.testing.assert_allclose(general.gradient(params, n, t), exact.gradient(params, n, t), rtol=1e-7, atol=1e-9)
    for one, other in zip(general.log_slopes(params, n, t), exact.log_slopes(params, n, t), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-11)


def test_the_certified_optimum_of_a_shift_of_the_tokens(ocr: Runs) -> None:
    """The best form of the OCR runs, and how far the others are behind, known from an exhaustive search."""
    shift = Parameter(name="t0", high=60.0, starts=(0.1, 40.0), size=10.0)
    form = replace(
        get_form("general-log-linear"),
        name="shifted line",
        parameters=(*get_form("log-linear").parameters, shift),
        function=lambda p, n, t: p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(t + p["t0"]),
        levels=(2, 3),
    )
    FORMS.register(form)
    try:
        rows = {(row.law.form, row.face): row for row in compare(ocr)}
    finally:
        FORMS.remove(form.name)
    assert rows["shifted line", ""].law.params["t0"] == pytest.approx(1.83, abs=0.005)
    behind = {name: rows[name].delta for name in rows}
    assert behind["log-linear", ""] == pytest.approx(10.7, abs=0.05)
    assert behind["multiplicative", "D = 0"] == pytest.approx(20.8, abs=0.05)
    assert behind["additive", "D = 0"] == pytest.approx(22.0, abs=0.05)


def test_of_two_dips_the_lower_is_found() -> None:
    line = BudgetLine(text_tokens=50.0, flops=1e12, low=1.0, high=576.0)

    def error(n: FloatArray, tokens: FloatArray) -> FloatArray:
        x = np.log(tokens)
        return np.minimum((x - 1.5) ** 2, (x - 5.0) ** 2 - 0.01)

    assert float(by_search(line, error)[0]) == pytest.approx(np.exp(5.0), rel=1e-6)


@pytest.mark.parametrize(("slope", "expected"), [(0.1, 1.0), (-0.1, 576.0), (0.0, 1.0)])
def test_an_error_without_a_dip_is_best_at_a_limit(slope: float, expected: float) -> None:
    line = BudgetLine(text_tokens=50.0, flops=1e12, low=1.0, high=576.0)
    assert by_search(line, lambda n, tokens: slope * np.log(tokens) + 0 * n)[0] == expected


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"of_n": ("alpha",)}, "form 'line': of_n, of_t and variants name its parameters, c0, c1, c2; got 'alpha'"),
        ({"variants": (Variant("D = 0", {"D": 0.0}),)}, "variants name its parameters, c0, c1, c2; got 'D'"),
        ({"of_t": ()}, "form 'line': of_n and of_t need a parameter each"),
        ({"function": lambda p, n, t: math.log(n) * p["c1"]}, "form 'line': its function fails on arrays"),
        ({"function": lambda p, n, t: np.log(n)}, r"errors of shape \(2, 3\); its function gives \(3,\)"),
    ],
)
def test_a_form_that_cannot_work_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        replace(get_form("log-linear"), name="line", projection=None, **changes)


def test_a_form_without_finite_errors_says_so(reasoning: Runs) -> None:
    def nothing(p: Any, n: FloatArray, t: FloatArray) -> FloatArray:
        return np.full(np.broadcast_shapes(np.shape(p["c0"]), n.shape, t.shape), np.nan)

    FORMS.register(replace(get_form("log-linear"), name="broken", projection=None, function=nothing))
    try:
        with pytest.raises(FitError, match="the broken form gives no finite errors at the runs with any of"):
            planner.fit(reasoning, "broken")
    finally:
        FORMS.remove("broken")
