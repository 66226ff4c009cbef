"""The continuous optimum: known answers, a dense grid over V for random laws, and the corners of each form."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from planner.base.errors import InputError, QuantityError, UnknownNameError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import forms_for
from planner.laws.shipped import load_law
from planner.planning.continuous import ContinuousOptimum
from planner.planning.optimum import optimum
from planner.planning.request import Budget

FloatArray = NDArray[np.float64]


def law_error(law: FittedLaw, n: FloatArray, t: FloatArray) -> FloatArray:
    """The three formulas; n in units of the law."""
    p = law.params
    if law.form == "additive":
        return p["A"] / n ** p["alpha"] + p["B"] / t ** p["beta"] + p["D"]
    if law.form == "multiplicative":
        return p["A"] / (n ** p["alpha"] * t ** p["beta"]) + p["D"]
    return p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(t)


def grid_minimum(law: FittedLaw, flops: float, text_tokens: int, low: float, high: float) -> float:
    """Least error over 20,000 values of V, each with all the parameters that the budget then leaves."""
    v = np.geomspace(low, high, 20_000)
    llm_params = flops / (2 * (text_tokens + v))
    return float(law_error(law, llm_params / law.n_unit_params, v).min())


def best_of(form: str, params: Mapping[str, float], query_tokens: int = 50, budget: float = 1e12) -> ContinuousOptimum:
    return optimum(FittedLaw.given(form, params), budget=budget, query_tokens=query_tokens, generated_tokens=0)


# ---- known answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("query_tokens", "visual_tokens"), [(50, 12.1), (100, 24.2), (200, 48.4)])
def test_published_exponents_grow_the_tokens_with_the_query(query_tokens: int, visual_tokens: float) -> None:
    best = optimum("paper", budget="1 TFLOPs", query_tokens=query_tokens, generated_tokens=0)
    assert best.visual_tokens == pytest.approx(visual_tokens, abs=0.05)
    assert best.visual_tokens == pytest.approx(0.015 * query_tokens / (0.077 - 0.015), rel=1e-12)
    assert (best.closed_form, best.limit) == (True, None)


def test_published_exponents_take_one_token_where_the_text_is_cached() -> None:
    best = optimum("paper", budget="1 TFLOPs", query_tokens=0, generated_tokens=0)
    assert (best.visual_tokens, best.limit) == (1, "min")
    assert best.llm_params == 1e12 / 2


@pytest.mark.parametrize(("budget", "visual_tokens"), [(1e11, 12.5), (5e11, 15.2)])
def test_additive_law_of_reasoning_takes_more_tokens_on_a_larger_budget(budget: float, visual_tokens: float) -> None:
    best = optimum("reasoning", budget=budget, query_tokens=50, generated_tokens=0)
    assert best.visual_tokens == pytest.approx(visual_tokens, abs=0.05)
    assert (best.closed_form, best.limit) == (False, None)


@pytest.mark.parametrize("form", ["multiplicative", "log-linear"])
def test_closed_forms_do_not_depend_on_the_budget(form: str) -> None:
    small, large = (
        optimum("reasoning", form=form, budget=budget, query_tokens=50, generated_tokens=0) for budget in (1e10, 1e14)
    )
    assert small.visual_tokens == large.visual_tokens
    assert large.llm_params == pytest.approx(1e4 * small.llm_params, rel=1e-12)
    assert small.closed_form


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_reading_text_takes_the_most_tokens(form: str) -> None:
    """Of 1,152 counts looked at; the interaction stops at 564: a smaller model gains less from another token."""
    best = optimum("ocr", form=form, budget="1 TFLOPs", query_tokens=50, generated_tokens=0)
    law = load_law("ocr", form)
    tokens = np.arange(1, 1153) / 2
    least = tokens[np.argmin(law.predict(1e12 / (2 * (50 + tokens)), tokens))]
    assert best.visual_tokens == pytest.approx(least, abs=0.5)
    assert (best.visual_tokens > 560, best.limit) == (True, "max" if least == 576 else None)


def test_answer_tokens_count_like_query_tokens() -> None:
    pairs = [(50, 0), (0, 50), (20, 30)]
    found = [optimum(budget="1 TFLOPs", query_tokens=q, generated_tokens=g) for q, g in pairs]
    assert found[0] == found[1] == found[2]


# ---- a dense grid ------------------------------------------------------------------------------------------------

ADDITIVE = {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": 0.05, "D": 0.0}
MULTIPLICATIVE = {"A": 0.6, "alpha": 0.08, "beta": 0.02, "D": 0.0}
LOG_LINEAR = {"c0": 0.6, "c1": 0.04, "c2": 0.01}

factors = st.floats(0.0, 2.0)
exponents = st.floats(0.0, 1.0)
laws = st.one_of(
    st.builds(
        FittedLaw.given,
        st.just("additive"),
        st.fixed_dictionaries(
            {"A": factors, "alpha": exponents, "B": factors, "beta": exponents, "D": st.floats(0.0, 0.5)}
        ),
    ),
    st.builds(
        FittedLaw.given,
        st.just("multiplicative"),
        st.fixed_dictionaries({"A": factors, "alpha": exponents, "beta": exponents, "D": st.floats(0.0, 0.5)}),
    ),
    st.builds(
        FittedLaw.given,
        st.just("log-linear"),
        st.fixed_dictionaries({"c0": factors, "c1": st.floats(0.0, 0.2), "c2": st.floats(0.0, 0.2)}),
    ),
)


@settings(deadline=None, max_examples=400)
@given(
    laws,
    st.floats(11, 15).map(lambda exponent: 10**exponent),
    st.integers(0, 2000),
    st.sampled_from([(1.0, 576.0), (1.0, 36.0), (0.5, 10_000.0), (16.0, 16.0)]),
)
@example(FittedLaw.given("additive", ADDITIVE), 1e12, 50, (1.0, 576.0))
@example(FittedLaw.given("multiplicative", MULTIPLICATIVE), 1e12, 50, (1.0, 576.0))
@example(FittedLaw.given("log-linear", LOG_LINEAR), 1e12, 50, (1.0, 576.0))
def test_no_point_of_a_dense_grid_is_better(
    law: FittedLaw, budget: float, text_tokens: int, limits: tuple[float, float]
) -> None:
    low, high = limits
    best = optimum(
        law,
        budget=budget,
        query_tokens=text_tokens,
        generated_tokens=0,
        visual_tokens_min=low,
        visual_tokens_max=high,
    )
    assert best.predicted_error <= grid_minimum(law, budget, text_tokens, low, high) + 1e-12
    assert low <= best.visual_tokens <= high
    assert 2 * best.llm_params * (text_tokens + best.visual_tokens) == pytest.approx(budget, rel=1e-12)
    own = law_error(law, np.array(best.llm_params / law.n_unit_params), np.array(best.visual_tokens))
    assert best.predicted_error == pytest.approx(float(own), rel=1e-12, abs=1e-15)
    if low < best.visual_tokens < high:
        assert best.limit is None
    else:
        assert best.limit == ("min" if best.visual_tokens == low else "max")
    assert best.closed_form == (law.form != "additive")


def test_unit_of_the_law_does_not_matter() -> None:
    in_billions = FittedLaw.given("additive", ADDITIVE)
    in_millions = FittedLaw.given("additive", {**ADDITIVE, "A": 0.4 * 1000**0.1}, n_unit_params=1e6)
    first, second = (
        optimum(law, budget="1 TFLOPs", query_tokens=50, generated_tokens=0) for law in (in_billions, in_millions)
    )
    assert second.visual_tokens == pytest.approx(first.visual_tokens, rel=1e-9)
    assert second.predicted_error == pytest.approx(first.predicted_error, rel=1e-12)


# ---- corners -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "params", "query_tokens", "limit"),
    [
        ("multiplicative", {**MULTIPLICATIVE, "alpha": 0.02, "beta": 0.08}, 50, "max"),
        ("multiplicative", {**MULTIPLICATIVE, "alpha": 0.05, "beta": 0.05}, 50, "max"),
        ("multiplicative", {**MULTIPLICATIVE, "alpha": 0.02, "beta": 0.08}, 0, "max"),
        ("multiplicative", {**MULTIPLICATIVE, "alpha": 0.0}, 50, "max"),
        ("multiplicative", {**MULTIPLICATIVE, "beta": 0.0}, 50, "min"),
        ("multiplicative", MULTIPLICATIVE, 0, "min"),
        ("multiplicative", {**MULTIPLICATIVE, "A": 0.0}, 50, "min"),
        ("log-linear", {**LOG_LINEAR, "c2": 0.05}, 50, "max"),
        ("log-linear", {**LOG_LINEAR, "c2": 0.04}, 50, "max"),
        ("log-linear", {**LOG_LINEAR, "c1": 0.0}, 50, "max"),
        ("log-linear", {**LOG_LINEAR, "c2": 0.0}, 50, "min"),
        ("log-linear", LOG_LINEAR, 0, "min"),
        ("log-linear", {"c0": 0.6, "c1": 0.0, "c2": 0.0}, 50, "min"),
        ("additive", {**ADDITIVE, "A": 0.0}, 50, "max"),
        ("additive", {**ADDITIVE, "alpha": 0.0}, 50, "max"),
        ("additive", {**ADDITIVE, "B": 0.0}, 50, "min"),
        ("additive", {**ADDITIVE, "beta": 0.0}, 50, "min"),
        ("additive", {**ADDITIVE, "A": 0.0, "B": 0.0}, 50, "min"),
    ],
)
def test_corners(form: str, params: dict[str, float], query_tokens: int, limit: str) -> None:
    best = best_of(form, params, query_tokens)
    assert best.limit == limit
    assert best.visual_tokens == (1 if limit == "min" else 576)


def test_additive_optimum_solves_its_equation() -> None:
    best = best_of("additive", ADDITIVE)
    p, n, v = ADDITIVE, best.llm_params / 1e9, best.visual_tokens
    gain_of_size = p["A"] * p["alpha"] * n ** -p["alpha"] / (50 + v)
    gain_of_token = p["B"] * p["beta"] * v ** -(p["beta"] + 1)
    assert gain_of_size == pytest.approx(gain_of_token, rel=1e-9)


def test_limits_of_the_user_are_kept() -> None:
    law = FittedLaw.given("multiplicative", MULTIPLICATIVE)  # V* = 16.7 at Q = 50
    options = {"budget": 1e12, "query_tokens": 50, "generated_tokens": 0}
    above = optimum(law, **options, visual_tokens_min=20, visual_tokens_max=100)
    below = optimum(law, **options, visual_tokens_max=9)
    assert (above.visual_tokens, above.limit) == (20, "min")
    assert (below.visual_tokens, below.limit) == (9, "max")


# ---- what is refused, what is shown ------------------------------------------------------------------------------


def test_full_convention_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        optimum(budget=1e12, query_tokens=50, generated_tokens=0, convention="full")
    assert str(caught.value) == (
        "the continuous optimum is defined for the paper's count only, got convention 'full': "
        "say 'paper', or use plan, which counts real architectures"
    )


@pytest.mark.parametrize("limits", [(0, 576), (-1, 576), (10, 5), (1, float("inf")), (float("nan"), 576)])
def test_limits_that_are_no_range_are_refused(limits: tuple[float, float]) -> None:
    low, high = limits
    with pytest.raises(InputError, match=r"^expected 0 < visual_tokens_min <= visual_tokens_max, got "):
        optimum(budget=1e12, query_tokens=50, generated_tokens=0, visual_tokens_min=low, visual_tokens_max=high)


def test_bad_quantities_and_names_are_refused() -> None:
    with pytest.raises(QuantityError, match=r"^budget: "):
        optimum(budget="-1 TFLOPs", query_tokens=50, generated_tokens=0)
    with pytest.raises(QuantityError, match=r"^query_tokens: "):
        optimum(budget=1e12, query_tokens=-1, generated_tokens=0)
    with pytest.raises(UnknownNameError, match=r"^no form is called 'cubic'"):
        optimum(form="cubic", budget=1e12, query_tokens=50, generated_tokens=0)


def test_budget_may_be_an_object_and_is_read_in_the_papers_count() -> None:
    plain = optimum(budget="1 TFLOPs", query_tokens=50, generated_tokens=0)
    assert optimum(budget=Budget(1e12, "full"), query_tokens=50, generated_tokens=0) == plain


def test_text_and_dictionary() -> None:
    best = optimum("paper", budget="1 TFLOPs", query_tokens=50, generated_tokens=0)
    assert str(best) == "8.05B parameters with 12.1 visual tokens, predicted error 0.4897, score 51.0 %"
    content = best.to_dict()
    expected = {"llm_params", "visual_tokens", "predicted_error", "closed_form", "limit", "visual_tokens_interval"}
    assert set(content) == expected | {"score"}
    assert content["score"] == 1 - content["predicted_error"]
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert {type(content[key]) for key in ("llm_params", "visual_tokens", "predicted_error")} == {float}


def test_text_of_a_single_token_is_in_the_singular() -> None:
    best = optimum("paper", budget="1 TFLOPs", query_tokens=0, generated_tokens=0)
    assert str(best) == "500B parameters with 1 visual token, predicted error 0.3786, score 62.1 %"
