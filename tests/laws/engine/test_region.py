"""The likelihood region: its extremes against exact convex optimisation and points drawn from it; its cloud."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import nnls

from planner.laws.engine.cloud import LOG_HIGHEST, LOG_LOWEST, Problem, log_range, make_cloud, zoom
from planner.laws.engine.design import Design, make_design
from planner.laws.engine.region import Products, extremes, products, projected_rss, ratio_extremes
from planner.laws.engine.solve import solve
from planner.laws.forms import get_form
from planner.laws.intervals import profiler

FloatArray = NDArray[np.float64]

SIZES = np.repeat([0.5, 1.8, 4.0, 7.0], 7)
TOKENS = np.tile([1.0, 4, 16, 36, 64, 144, 576], 4)
EQUAL = np.ones(28)
ADDITIVE = get_form("additive").projection
POWER_FORMS = ("additive", "multiplicative")
EXPONENT = st.floats(math.log(0.02), math.log(2.0)).map(math.exp)


def columns_at(form: str, design: Design, alpha: float, beta: float) -> FloatArray:
    """Weighted columns (n, k) of the free coefficients: A, B (not in the multiplicative form), D."""
    n_power, t_power = np.exp(-alpha * design.x), np.exp(-beta * design.t)
    powers = [n_power, t_power] if form == "additive" else [n_power * t_power]
    return np.stack([*powers, np.ones(len(design.x))], axis=1) * design.root_weight[:, None]


def largest(columns: FloatArray, target: FloatArray, direction: FloatArray, level: float) -> float:
    """max direction . c over c >= 0 with |target - columns c|^2 <= level, by Lagrange's dual.

    For a multiplier m the best c solves NNLS with the target moved to target + m columns (columns' columns)^-1
    direction / 2; its RSS grows with m, so bisection on m finds where the level is used up.
    """
    shift = columns @ np.linalg.solve(columns.T @ columns, direction) / 2

    def best(multiplier: float) -> tuple[float, float]:
        coefficients, _ = nnls(columns, target + multiplier * shift)
        rss = float(np.sum((target - columns @ coefficients) ** 2))
        return rss, float(direction @ coefficients)

    low, high = 0.0, 1e-6
    while best(high)[0] <= level:
        low, high = high, high * 4
        if high > 1e12:  # no bound but the signs stops it
            return best(low)[1]
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if best(middle)[0] <= level else (low, middle)
    return best(low)[1]


def noisy_problem(form: str, seed: int) -> tuple[Design, FloatArray, FloatArray, FloatArray]:
    """(design with unlike weights, errors, columns, weighted errors) at random exponents; often with a sign at zero."""
    random = np.random.default_rng(seed)
    alpha, beta = np.exp(random.uniform(math.log(0.05), math.log(1.5), 2))
    design = make_design(SIZES, TOKENS, random.uniform(0.5, 2.0, 28))
    y = 0.2 * SIZES**-alpha + random.choice([0.0, 0.2]) * TOKENS**-beta + random.choice([0.0, 0.1])
    y = y + random.choice([0.003, 0.03]) * random.standard_normal(28)
    used = np.exp(np.log([alpha, beta]) + 0.1 * random.standard_normal(2))
    return design, y, used, columns_at(form, design, *used)


def level_above(rss: float, random: np.random.Generator) -> float:
    return rss * (1 + random.uniform(0.05, 1.0))


def weights_of(form: str, direction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(g_A, g_B, g_D) of the centred problem for a direction over the free coefficients."""
    g_b = direction[1] if form == "additive" else 0.0
    return np.array([direction[0]]), np.array([g_b]), np.array([direction[-1]])


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(POWER_FORMS), st.integers(0, 2**32 - 1))
def test_extremes_are_those_of_convex_optimisation(form: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    design, y, exponents, columns = noisy_problem(form, seed)
    target = y * design.root_weight
    level = level_above(nnls(columns, target)[1] ** 2, random)
    assume(float(target @ target) > level)  # else an error of zero everywhere is acceptable
    inner = products(get_form(form).projection, design, y, exponents[None])
    unit = np.eye(columns.shape[1])[random.integers(columns.shape[1])]
    for direction in (random.standard_normal(columns.shape[1]), unit):
        low, high = extremes(inner, level, weights_of(form, direction))
        width = float(high[0] - low[0])
        assert high[0] == pytest.approx(largest(columns, target, direction, level), abs=1e-6 * width + 1e-12)
        assert low[0] == pytest.approx(-largest(columns, target, -direction, level), abs=1e-6 * width + 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(POWER_FORMS), st.integers(0, 2**32 - 1))
def test_no_point_of_the_region_lies_beyond_the_extremes(form: str, seed: int) -> None:
    """Points on the ellipsoids of all faces, and inside them, kept where every sign is right."""
    random = np.random.default_rng(seed)
    design, y, exponents, columns = noisy_problem(form, seed)
    target = y * design.root_weight
    level = level_above(nnls(columns, target)[1] ** 2, random)
    assume(float(target @ target) > level)
    inner = products(get_form(form).projection, design, y, exponents[None])
    k = columns.shape[1]
    points = []
    for used in itertools.chain.from_iterable(itertools.combinations(range(k), size) for size in range(1, k + 1)):
        face = columns[:, list(used)]
        best = np.linalg.lstsq(face, target)[0]
        slack = level - float(np.sum((target - face @ best) ** 2))
        if slack < 0:
            continue
        sphere = random.standard_normal((2000, len(used)))
        sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
        sphere *= random.choice([1.0, 0.9, 0.5], size=(2000, 1))
        points.append(np.zeros((2000, k)))
        points[-1][:, list(used)] = best + math.sqrt(slack) * np.linalg.solve(np.linalg.qr(face)[1], sphere.T).T
    drawn = np.concatenate(points)
    drawn = drawn[(drawn >= 0).all(axis=1)]
    assume(len(drawn) > 0)
    for direction in random.standard_normal((5, k)):
        low, high = extremes(inner, level, weights_of(form, direction))
        value = drawn @ direction
        slack = 1e-9 * np.abs(value).max()
        assert value.min() >= low[0] - slack
        assert value.max() <= high[0] + slack


@pytest.mark.parametrize("form", POWER_FORMS)
def test_a_node_outside_the_region_has_no_extremes(form: str) -> None:
    design, y, exponents, columns = noisy_problem(form, 3)
    rss = nnls(columns, y * design.root_weight)[1] ** 2
    inner = products(get_form(form).projection, design, y, exponents[None])
    low, high = extremes(inner, 0.99 * rss, weights_of(form, np.ones(columns.shape[1])))
    assert (low[0], high[0]) == (math.inf, -math.inf)
    low, high = ratio_extremes(inner, 0.99 * rss)
    assert low[0] > high[0]


def test_many_quantities_at_many_nodes_are_each_alone() -> None:
    design, y, _, _ = noisy_problem("additive", 5)
    nodes = np.exp(np.random.default_rng(0).uniform(-3, 0, (6, 2)))
    g_a, g_b, g_d = np.random.default_rng(1).standard_normal((3, 4, 6))
    level = 3 * float(projected_rss(products(ADDITIVE, design, y, nodes)).min())
    low, high = extremes(products(ADDITIVE, design, y, nodes), level, (g_a, g_b, g_d))
    assert low.shape == high.shape == (4, 6)
    for q, k in np.ndindex(4, 6):
        alone = tuple(g[q : q + 1, k] for g in (g_a, g_b, g_d))
        one_low, one_high = extremes(products(ADDITIVE, design, y, nodes[k : k + 1]), level, alone)
        np.testing.assert_allclose((one_low[0], one_high[0]), (low[q, k], high[q, k]), rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(POWER_FORMS), st.integers(0, 2**32 - 1))
def test_the_projected_residual_is_the_non_negative_least_squares(form: str, seed: int) -> None:
    design, y, exponents, columns = noisy_problem(form, seed)
    rss = projected_rss(products(get_form(form).projection, design, y, exponents[None]))
    assert rss[0] == pytest.approx(nnls(columns, y * design.root_weight)[1] ** 2, rel=1e-8)


def least_rss_at_ratio(columns: FloatArray, target: FloatArray, ratio: float) -> float:
    """Over A, D >= 0 with B = ratio A."""
    joined = columns[:, 0] + ratio * columns[:, 1] if math.isfinite(ratio) else columns[:, 1]
    return float(nnls(np.stack([joined, columns[:, 2]], axis=1), target)[1] ** 2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_extremes_of_the_ratio_are_where_fits_stop_being_acceptable(seed: int) -> None:
    random = np.random.default_rng(seed)
    design, y, exponents, columns = noisy_problem("additive", seed)
    target = y * design.root_weight
    level = level_above(nnls(columns, target)[1] ** 2, random)
    alone = nnls(columns[:, 2:], target)[1] ** 2
    assume(alone > level)  # else neither term is needed, and their ratio means nothing
    (low,), (high,) = ratio_extremes(products(ADDITIVE, design, y, exponents[None]), level)
    assert low <= high
    acceptable = level * (1 + 1e-8)
    for end in (low, high):
        assert least_rss_at_ratio(columns, target, end) <= acceptable
    for ratio in (low + share * (min(high, 1e3) - low) for share in (0.1, 0.5, 0.9)):
        assert least_rss_at_ratio(columns, target, ratio) <= acceptable
    if low > 0:
        assert least_rss_at_ratio(columns, target, low * (1 - 1e-4)) > level
    if math.isfinite(high):
        assert least_rss_at_ratio(columns, target, high * (1 + 1e-4)) > level


def test_the_log_linear_region_has_a_free_offset() -> None:
    """c0 < 0 is allowed: the extremes are those of the whole ellipsoid as long as both slopes are positive."""
    y = -0.05 - 0.04 * np.log(SIZES) - 0.008 * np.log(TOKENS) + 0.002 * np.random.default_rng(0).standard_normal(28)
    design = make_design(SIZES, TOKENS, EQUAL)
    inner: Products = products(get_form("log-linear").projection, design, y, np.zeros((1, 2)))
    columns = np.stack([-design.x, -design.t, np.ones(28)], axis=1)
    inverse = np.linalg.inv(columns.T @ columns)
    best = inverse @ columns.T @ y
    rss = float(np.sum((y - columns @ best) ** 2))
    assert best[2] < 0
    for direction in np.eye(3):
        low, high = extremes(inner, 1.2 * rss, tuple(np.array([g]) for g in direction))
        half = math.sqrt(0.2 * rss * direction @ inverse @ direction)
        assert (low[0], high[0]) == pytest.approx((direction @ best - half, direction @ best + half), rel=1e-9)


def problem_of(form: str, params: dict[str, float], noise: float, seed: int) -> tuple[Problem, FloatArray]:
    """(the region at about the 95 % level with 23 degrees of freedom, the best exponents) of a planted law."""
    y = get_form(form).value(params, SIZES, TOKENS) + noise * np.random.default_rng(seed).standard_normal(28)
    design = make_design(SIZES, TOKENS, EQUAL)
    projection = get_form(form).projection
    found = solve(projection, get_form(form).value, design, y)
    return Problem(projection, design, y, found.weighted_rss * 1.18), np.array(
        [found.params["alpha"], found.params["beta"]]
    )


def points_inside(problem: Problem, best: FloatArray) -> FloatArray:
    """Logarithms of exponents (K, 2) in the region: of ever finer grids around what was found so far."""
    low, high = np.log(best) - 3, np.log(best) + 3
    for _ in range(4):
        low, high = np.maximum(low, LOG_LOWEST), np.minimum(high, LOG_HIGHEST)
        axes = [np.linspace(low[k], high[k], 51) for k in (0, 1)]
        grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
        inside = np.vstack([grid[problem.rss(grid) <= problem.level], np.log(best)])
        margin = (high - low) / 25
        low, high = inside.min(axis=0) - margin, inside.max(axis=0) + margin
    return inside


@settings(max_examples=15, deadline=None)
@given(
    form=st.sampled_from(POWER_FORMS),
    alpha=EXPONENT,
    beta=EXPONENT,
    offset=st.sampled_from([0.0, 0.1]),
    noise=st.sampled_from([1e-4, 1e-3, 5e-3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_cloud_fills_the_region(
    form: str, alpha: float, beta: float, offset: float, noise: float, seed: int
) -> None:
    """No point of a dense grid that lies in the region is beyond the range of an exponent, or far from the cloud."""
    params = {"A": 0.3 * 0.5**alpha, "alpha": alpha, "B": 0.2, "beta": beta, "D": offset}
    problem, best = problem_of(form, params, noise, seed)
    assume((best > 1e-3).all())
    inside = points_inside(problem, best)
    for direction in ((1.0, 0.0), (0.0, 1.0)):
        low, high = log_range(problem, best, direction)
        values = inside @ np.array(direction)
        slack = 0.01 * (high - low)
        assert low - slack <= values.min() <= values.max() <= high + slack, direction
    cloud = make_cloud(problem, best, 32)
    nodes = np.log(cloud.exponents)
    assert problem.rss(nodes).max() <= problem.level * (1 + 1e-9)
    assert np.abs(nodes - np.log(best)).max(axis=1).min() < 1e-9
    apart = np.abs(inside[:, None] - nodes[None]).max(axis=2).min(axis=1)
    assert apart.max() <= 0.15 * np.ptp(inside, axis=0).max()


@pytest.mark.parametrize("form", POWER_FORMS)
def test_the_zoom_finds_a_smooth_maximum_inside_the_region(form: str) -> None:
    """A paraboloid over the logarithms of the exponents, with its top inside, between the nodes."""
    params = {"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.1}
    problem, best = problem_of(form, params, 3e-3, 1)
    cloud = make_cloud(problem, best, 20)
    top = np.log(best) + 0.3 * cloud.steps[-1].sum(axis=0)
    assert problem.rss(top) < problem.level
    height = zoom(problem, cloud, lambda _, exponents: -np.sum((np.log(exponents) - top) ** 2, axis=1))
    assert height == pytest.approx(0.0, abs=1e-7)
    assert height <= 0


def test_the_level_of_a_profiler_is_the_f_quantile() -> None:
    from importlib import resources
    from pathlib import Path

    from scipy.stats import f

    import planner

    table = Path(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv"))
    for form, dof in (("additive", 23), ("multiplicative", 24), ("log-linear", 25)):
        law = planner.fit(table, form)
        assert law.rss is not None
        for level in (0.5, 0.95, 0.999):
            expected = law.rss * (1 + f.ppf(level, 1, dof) / dof)
            assert profiler(law, level).rss_level == pytest.approx(expected, rel=1e-9)
