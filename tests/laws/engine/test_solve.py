"""The exact optimum: certified numbers, planted laws, and no search that beats it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import nnls

from planner.laws.engine.design import Design, make_design
from planner.laws.engine.faces import best_face
from planner.laws.engine.grid import basins
from planner.laws.engine.powers import EXPONENTS
from planner.laws.engine.projection import EXPONENT_MAX
from planner.laws.engine.solve import Optimum, descend, solve
from planner.laws.forms import get_form

SIZES = np.repeat([0.5, 1.8, 4.0, 7.0], 7)
TOKENS = np.tile([1.0, 4, 16, 36, 64, 144, 576], 4)
EQUAL = np.ones(28)
TERMS = {"additive": {"A": 0.4, "B": 0.2}, "multiplicative": {"A": 0.5}}


def solve_form(name: str, design: Design, y: NDArray[np.float64]) -> Optimum:
    form = get_form(name)
    return solve(form.projection, form.value, design, y)


@pytest.mark.parametrize("form", TERMS)
def test_planted_laws_without_noise_are_recovered(form: str) -> None:
    exponents, design = (1e-3, 0.015, 0.1, 1.0, 3.0), make_design(SIZES, TOKENS, EQUAL)
    wrong = []
    for alpha, beta, offset in itertools.product(exponents, exponents, (0.0, 0.05, 0.3)):
        planted = {**TERMS[form], "alpha": alpha, "beta": beta, "D": offset}
        found = solve_form(form, design, get_form(form).value(planted, SIZES, TOKENS))
        if not found.converged or found.params != pytest.approx(planted, rel=1e-6, abs=1e-7):
            wrong.append((planted, found))
    assert wrong == []


@pytest.mark.parametrize("c1", [0.0, 0.04])
@pytest.mark.parametrize("c2", [0.0, 0.008])
def test_planted_log_linear_laws_are_recovered(c1: float, c2: float) -> None:
    planted = {"c0": 0.59, "c1": c1, "c2": c2}
    y = get_form("log-linear").value(planted, SIZES, TOKENS)
    found = solve_form("log-linear", make_design(SIZES, TOKENS, EQUAL), y)
    assert found.params == pytest.approx(planted, abs=1e-13)


@pytest.mark.parametrize("form", TERMS)
def test_an_error_that_rises_with_size_gets_no_exponent(form: str) -> None:
    y = 0.5 + 0.02 * np.log(SIZES) + 0.01 * np.log(TOKENS)
    found = solve_form(form, make_design(SIZES, TOKENS, EQUAL), y)
    assert found.params["alpha"] == 0.0
    assert found.params["beta"] == 0.0
    prediction = get_form(form).value(found.params, SIZES, TOKENS)
    np.testing.assert_allclose(prediction, y.mean(), rtol=1e-12)


def test_a_step_at_the_smallest_size_stops_at_the_largest_exponent() -> None:
    y = np.where(SIZES == 0.5, 0.6, 0.5) + 0.05 / TOKENS**0.1
    found = solve_form("additive", make_design(SIZES, TOKENS, EQUAL), y)
    assert found.params["alpha"] == EXPONENT_MAX


@settings(max_examples=60, deadline=None)
@example(form="additive", alpha=2**-6, beta=2**-6, offset=0.1, noise=1e-4, seed=2**32 - 2)  # creeps where D turns zero
@given(
    form=st.sampled_from(sorted(TERMS)),
    alpha=st.floats(0.01, 1.0),
    beta=st.floats(0.01, 1.0),
    offset=st.sampled_from([0.0, 0.1]),
    noise=st.sampled_from([1e-4, 3e-3, 3e-2]),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_start_of_the_descent_finds_a_better_fit(
    form: str, alpha: float, beta: float, offset: float, noise: float, seed: int
) -> None:
    """The few starts from the basins of the grid do as well as 49 starts from all over."""
    random = np.random.default_rng(seed)
    params = {**TERMS[form], "alpha": alpha, "beta": beta, "D": offset}
    y = get_form(form).value(params, SIZES, TOKENS) + noise * random.standard_normal(28)
    design = make_design(SIZES, TOKENS, EQUAL)
    axis = np.geomspace(1e-3, 5.0, 7)
    starts = np.array(list(itertools.product(axis, axis)))
    _, everywhere, _ = descend(get_form(form).projection, design, y, starts)
    assert solve_form(form, design, y).weighted_rss <= everywhere.rss.min() * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), alpha=st.floats(1e-3, 3.0), beta=st.floats(1e-3, 3.0))
def test_the_best_face_is_the_non_negative_least_squares(seed: int, alpha: float, beta: float) -> None:
    """Against scipy's NNLS, on errors of which many put A, B or D at zero."""
    random = np.random.default_rng(seed)
    slopes = random.normal(0, 0.2) * np.log(SIZES) + random.normal(0, 0.1) * np.log(TOKENS)
    y = np.abs(0.3 + slopes + random.normal(0, 0.1, 28))
    weights = random.uniform(0.5, 2.0, 28)
    design = make_design(SIZES, TOKENS, weights)
    n_power, t_power = np.exp(-alpha * design.x), np.exp(-beta * design.t)
    for form, columns in (("additive", [n_power, t_power, EQUAL]), ("multiplicative", [n_power * t_power, EQUAL])):
        fit = best_face(get_form(form).projection, design, y, np.array([[alpha, beta]]))
        _, residual_norm = nnls(np.stack(columns, axis=1) * design.root_weight[:, None], y * design.root_weight)
        assert fit.rss[0] == pytest.approx(residual_norm**2, rel=1e-9, abs=1e-15)
        assert min(fit.a[0], fit.b[0], fit.d[0]) >= 0


@pytest.mark.parametrize("form", TERMS)
def test_the_grid_is_the_best_face_at_its_nodes(form: str) -> None:
    """The starts of the descent are nodes of the grid, and their basin holds the best node of all."""
    y = get_form(form).value({**TERMS[form], "alpha": 0.3, "beta": 0.1, "D": 0.1}, SIZES, TOKENS)
    design = make_design(SIZES, TOKENS, EQUAL)
    starts = basins(get_form(form).projection, design, y)
    nodes = np.array(list(itertools.product(EXPONENTS, EXPONENTS)))
    everywhere = best_face(get_form(form).projection, design, y, nodes).rss.min()
    assert best_face(get_form(form).projection, design, y, starts).rss.min() == pytest.approx(everywhere, rel=1e-6)
