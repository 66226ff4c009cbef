"""Profile intervals: known answers, every end found again by fits with that value imposed, invariances, errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

import lmfit
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import least_squares

import planner
from planner.base.errors import FitError, InputError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import forms_for, get_form
from planner.laws.intervals import Interval, Profiler, identifiable, profiler
from planner.runs import Runs, read_runs

POWER_FORMS = ("additive", "multiplicative")
ADDITIVE = {"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.2}
MULTIPLICATIVE = {"A": 0.4, "alpha": 0.2, "beta": 0.1, "D": 0.2}
LOGS = {"c0": 0.59, "c1": 0.04, "c2": 0.008, "c3": 0.004, "T0": 8.0, "Tmax": 100.0, "B": 0.2, "beta": 0.6}


@cache
def published(name: str = "reasoning") -> Runs:
    return read_runs(Path(str(resources.files("fitted_laws") / "runs" / f"qwen1.5_tokenpacker_{name}.csv")))


def planted(params: Mapping[str, float], form: str, noise: float, seed: int, weighted: bool = False) -> Runs:
    """The published design with errors from a known law; weighted runs have noise of unlike size, and say so."""
    runs, random = published(), np.random.default_rng(seed)
    spread = np.geomspace(0.4, 2.5, len(runs))[random.permutation(len(runs))] if weighted else np.ones(len(runs))
    model = get_form(form).value(params, runs.llm_params / 1e9, runs.visual_tokens)
    error = model + noise * spread * random.standard_normal(len(runs))
    return replace(runs, error=error, error_se=noise * spread if weighted else None)


@dataclass(frozen=True)
class Case:
    """Runs, their fit and its intervals."""

    runs: Runs
    law: FittedLaw
    region: Profiler
    intervals: dict[str, Interval]


def make_case(runs: Runs, form: str, level: float = 0.95) -> Case:
    law = planner.fit(runs, form)
    region = profiler(law, level)
    return Case(runs, law, region, region.parameters())


CASES = {  # D is at its bound in the first two and the last
    "additive, reasoning": lambda: make_case(published(), "additive"),
    "multiplicative, reasoning": lambda: make_case(published(), "multiplicative"),
    "additive, D inside": lambda: make_case(planted(ADDITIVE, "additive", 1e-3, 0), "additive"),
    "multiplicative, D inside": lambda: make_case(planted(MULTIPLICATIVE, "multiplicative", 2e-3, 1), "multiplicative"),
    "additive, weighted": lambda: make_case(planted(ADDITIVE, "additive", 1e-3, 4, weighted=True), "additive"),
    "multiplicative, misfit": lambda: make_case(planted(ADDITIVE, "additive", 1e-3, 0), "multiplicative"),
}
TIGHT = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13, "max_nfev": 300}
PARAMETERS = [(name, parameter) for name in CASES for parameter in get_form(name.split(",")[0]).param_names]


@cache
def case(name: str) -> Case:
    return CASES[name]()


def weighted_rss(law: FittedLaw) -> float:
    data = law.data
    assert data is not None
    return float(np.sum(data.weights * (data.y - get_form(law.form).value(law.params, data.n, data.t)) ** 2))


def ends_of(interval: Interval) -> list[tuple[float, float]]:
    """(end, sign of the way out) of every closed end."""
    return [(end, sign) for end, sign in ((interval.low, -1.0), (interval.high, 1.0)) if not math.isnan(end)]


def refit(found: Case, **imposed: float | str) -> FittedLaw:
    """The fit with parameters fixed (a number) or tied (an expression)."""
    params = lmfit.Parameters()
    for name, value in found.law.params.items():
        params.add(name, value=value, min=0.0)
    for name, imposed_value in imposed.items():
        if isinstance(imposed_value, str):
            params[name].expr = imposed_value
        else:
            params[name].set(value=imposed_value, vary=False)
    return planner.fit(found.runs, found.law.form, params=params)


def least_rss(
    law: FittedLaw, fixed: tuple[str, float] | None = None, prediction: tuple[float, float, float] | None = None
) -> float:
    """The least weighted RSS with one parameter fixed, or the error at (N, T) imposed by eliminating A.

    By scipy from several starts, on the parameters as they stand: nothing is shared with the planner but the formula.
    """
    form, data = get_form(law.form), law.data
    assert data is not None
    left_out = fixed[0] if fixed else "A"
    names = [name for name in form.param_names if name != left_out]
    root, size = np.sqrt(data.weights), math.sqrt(weighted_rss(law) / len(data.y))

    def complete(values: NDArray[np.float64]) -> dict[str, float]:
        params = dict(zip(names, values, strict=True))
        if fixed:
            return params | {fixed[0]: fixed[1]}
        assert prediction is not None
        n, t, error = prediction
        if law.form == "additive":
            return params | {"A": (error - params["D"] - params["B"] * t ** -params["beta"]) * n ** params["alpha"]}
        return params | {"A": (error - params["D"]) * n ** params["alpha"] * t ** params["beta"]}

    def residual(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (form.value(complete(values), data.n, data.t) - data.y) * root / size

    best = math.inf
    for offset in (law.params["D"], 0.01, 0.2):
        start = np.array([{**law.params, "D": offset}[name] for name in names])
        with np.errstate(over="ignore"):  # the first steps may be wild
            found = least_squares(residual, np.maximum(start, 1e-6), bounds=(0, np.inf), x_scale="jac", **TIGHT)
        best = min(best, 2 * float(found.cost) * size**2)
    return best


def test_known_ends_on_the_reasoning_runs() -> None:
    multiplicative = case("multiplicative, reasoning").intervals
    assert (multiplicative["alpha"].low, multiplicative["alpha"].high) == pytest.approx((0.068, 0.096), abs=5e-4)
    assert math.isnan(multiplicative["D"].low)
    assert multiplicative["D"].high == pytest.approx(0.141, abs=5e-4)
    additive = case("additive, reasoning").intervals
    assert math.isnan(additive["D"].low)
    assert additive["D"].high == pytest.approx(0.158, abs=5e-4)
    for intervals in (additive, multiplicative):
        assert identifiable(intervals) == {name: name != "D" for name in intervals}


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("weighted", [False, True])
def test_log_linear_intervals_are_those_of_linear_regression(level: float, weighted: bool) -> None:
    """t intervals of parameters, mean and new run; Fieller's interval of the ratio of slopes."""
    runs = planted({"c0": 0.59, "c1": 0.04, "c2": 0.008}, "log-linear", 3e-3, 5, weighted)
    found = make_case(runs, "log-linear", level)
    weights = np.ones(28) if runs.error_se is None else runs.error_se**-2 / np.mean(runs.error_se**-2)
    columns = np.stack([np.ones(28), -np.log(runs.llm_params / 1e9), -np.log(runs.visual_tokens)], axis=1)
    covariance = np.linalg.inv(columns.T * weights @ columns)
    best = covariance @ columns.T @ (weights * runs.error)
    variance = float(weights @ (runs.error - columns @ best) ** 2) / 25
    quantile = stats.t.ppf((1 + level) / 2, 25)
    for i, name in enumerate(("c0", "c1", "c2")):
        half = quantile * math.sqrt(variance * covariance[i, i])
        interval = found.intervals[name]
        assert (interval.low, interval.high) == pytest.approx((best[i] - half, best[i] + half), rel=1e-9), name

    n, t = np.array([0.5, 1.8, 14.0]), np.array([1.0, 36.0, 576.0])
    rows = np.stack([np.ones(3), -np.log(n), -np.log(t)], axis=1)
    spread = np.einsum("qi,ij,qj->q", rows, covariance, rows)
    for kind, extra in (("mean", 0.0), ("new-run", 1.0)):
        low, high = found.region.predictions(n * 1e9, t, kind)
        half_widths = quantile * np.sqrt(variance * (spread + extra))
        np.testing.assert_allclose(low, rows @ best - half_widths, rtol=1e-9)
        np.testing.assert_allclose(high, rows @ best + half_widths, rtol=1e-9)

    threshold = quantile**2 * variance
    fieller = np.roots(  # (c1 - r c2)^2 <= t^2 var(c1 - r c2)
        [
            best[2] ** 2 - threshold * covariance[2, 2],
            -2 * (best[1] * best[2] - threshold * covariance[1, 2]),
            best[1] ** 2 - threshold * covariance[1, 1],
        ]
    )
    ratio = found.region.exponent_ratio()
    assert [ratio.low, ratio.high] == pytest.approx(sorted(fieller), rel=1e-6)


def test_with_both_exponents_fixed_the_interval_of_d_is_that_of_linear_regression() -> None:
    """At the published exponents: A and D by regression on one column; D's lower end is cut off by zero."""
    runs = published()
    fixed = lmfit.Parameters()
    fixed.add("alpha", value=0.077, vary=False)
    fixed.add("beta", value=0.015, vary=False)
    law = planner.fit(runs, "multiplicative", params=fixed)
    intervals = profiler(law).parameters()
    line = stats.linregress((runs.llm_params / 1e9) ** -0.077 * runs.visual_tokens**-0.015, runs.error)
    half = stats.t.ppf(0.975, 26) * line.intercept_stderr
    assert law.params["D"] == pytest.approx(line.intercept, rel=1e-5)
    assert intervals["D"].high == pytest.approx(line.intercept + half, rel=1e-6)
    assert intervals["D"].low == pytest.approx(line.intercept - half, rel=1e-6)
    assert intervals["A"].low == pytest.approx(line.slope - stats.t.ppf(0.975, 26) * line.stderr, rel=1e-6)
    assert (intervals["alpha"], intervals["beta"]) == (Interval(0.077, 0.077), Interval(0.015, 0.015))


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_fit_with_the_parameter_at_its_end_is_just_acceptable(name: str, parameter: str) -> None:
    found = case(name)
    for end, _ in ends_of(found.intervals[parameter]):
        assert weighted_rss(refit(found, **{parameter: end})) == pytest.approx(found.region.rss_level, rel=1e-4)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_inside_an_end_fits_are_acceptable_and_outside_they_are_not(name: str, parameter: str) -> None:
    """By scipy alone, 1 % of the way from the estimate to the end on either side of it."""
    found = case(name)
    for end, _ in ends_of(found.intervals[parameter]):
        step = 0.01 * (end - found.law.params[parameter])
        assert least_rss(found.law, (parameter, end - step)) < found.region.rss_level
        assert least_rss(found.law, (parameter, end + step)) > found.region.rss_level


@pytest.mark.parametrize("name", CASES)
def test_an_open_end_is_one_that_zero_cuts_off(name: str) -> None:
    found = case(name)
    for parameter, interval in found.intervals.items():
        if math.isnan(interval.low):
            assert weighted_rss(refit(found, **{parameter: 0.0})) <= found.region.rss_level
        assert not math.isnan(interval.high)


@pytest.mark.parametrize("name", CASES)
def test_the_ends_of_the_ratio_of_exponents_are_just_acceptable(name: str) -> None:
    found = case(name)
    interval = found.region.exponent_ratio()
    assert interval.contains(found.law.params["alpha"] / found.law.params["beta"])
    for end, _ in ends_of(interval):
        assert weighted_rss(refit(found, alpha=f"{end!r} * beta")) == pytest.approx(found.region.rss_level, rel=1e-4)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("n", "t"), [(0.5, 1.0), (1.8, 16.0), (7.0, 576.0), (14.0, 144.0)])
def test_the_ends_of_a_prediction_are_where_fits_stop_being_acceptable(name: str, n: float, t: float) -> None:
    """To 1.5 % of the width, since a cloud's nodes lie apart: outside no fit is acceptable, inside one is."""
    found = case(name)
    low, high = (float(end) for end in found.region.predictions(n * 1e9, t))
    step = 0.015 * (high - low)
    for end, outward in ((low, -step), (high, step)):
        assert least_rss(found.law, prediction=(n, t, end - outward)) < found.region.rss_level
        assert least_rss(found.law, prediction=(n, t, end + outward)) > found.region.rss_level


def test_predictions_broadcast_and_agree_with_one_by_one() -> None:
    region = case("additive, reasoning").region
    n, t = np.array([[5e8], [7e9]]), np.array([1.0, 16.0, 576.0])
    low, high = region.predictions(n, t)
    assert low.shape == high.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        one = region.predictions(n[i, 0], t[j])
        assert (float(one[0]), float(one[1])) == pytest.approx((low[i, j], high[i, j]), rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_new_run_adds_its_own_noise(name: str) -> None:
    found = case(name)
    n, t = np.array([5e8, 4e9, 14e9]), np.array([1.0, 36.0, 576.0])
    center = found.law.predict(n, t)
    low, high = found.region.predictions(n, t)
    new_low, new_high = found.region.predictions(n, t, "new-run")
    noise = found.region.t_squared * found.region.noise_variance
    np.testing.assert_allclose((new_high - center) ** 2, (high - center) ** 2 + noise, rtol=1e-9)
    np.testing.assert_allclose((center - new_low) ** 2, (center - low) ** 2 + noise, rtol=1e-9)


@pytest.mark.parametrize("name", [*CASES, "log-linear"])
def test_differences_are_zero_at_the_reference_and_change_sign_with_it(name: str) -> None:
    found = make_case(published(), "log-linear") if name == "log-linear" else case(name)
    points = [(5e8, 1.0), (1.8e9, 36.0), (7e9, 576.0), (14e9, 16.0)]
    n, t = np.array(points).T
    for i, reference in enumerate(points):
        low, high = found.region.differences(n, t, reference)
        np.testing.assert_allclose((low[i], high[i]), 0.0, atol=1e-12)
        estimate = found.law.predict(n, t) - found.law.predict(*reference)
        assert (low <= estimate + 1e-9).all()
        assert (estimate <= high + 1e-9).all()
        for j, other in enumerate(points):
            back_low, back_high = found.region.differences(n[i : i + 1], t[i : i + 1], other)
            assert (low[j], high[j]) == pytest.approx((-back_high[0], -back_low[0]), abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_difference_is_surer_than_its_two_errors_are_apart(name: str) -> None:
    """Both errors come from one law: the interval of their difference lies within the difference of intervals."""
    region = case(name).region
    low, high = region.predictions(np.array([4e9, 7e9]), np.array([36.0, 16.0]))
    apart_low, apart_high = region.differences(np.array([4e9]), np.array([36.0]), (7e9, 16.0))
    assert low[0] - high[1] - 1e-12 <= apart_low[0] <= apart_high[0] <= high[0] - low[1] + 1e-12


@pytest.mark.parametrize("name", ["additive, reasoning", "additive, D inside"])
def test_the_ratio_of_gains_is_that_of_parameters_under_which_fits_are_acceptable(name: str) -> None:
    """B / A of the centred problem, against fits with B tied to A and the exponents; V* hangs on it."""
    found = case(name)
    data = found.law.data
    assert data is not None
    interval = found.region.ratio_of_gains(lambda ratio, _: ratio)
    n_mean, t_mean = (float(stats.gmean(column)) for column in (data.n, data.t))
    for end, _ in ends_of(interval):
        tied = refit(found, B=f"{end!r} * A * {t_mean!r}**beta / {n_mean!r}**alpha")
        assert weighted_rss(tied) == pytest.approx(found.region.rss_level, rel=1e-3)


@dataclass(frozen=True)
class Planted:
    """A power law of any steepness with runs of any noise; its terms are 0.3 and 0.2 at (0.5B, 1)."""

    form: str
    alpha: float
    beta: float
    offset: float
    noise: float
    weighted: bool
    seed: int

    def runs(self) -> Runs:
        params = {"A": 0.3 * 0.5**self.alpha, "alpha": self.alpha, "B": 0.2, "beta": self.beta, "D": self.offset}
        return planted(params, self.form, self.noise, self.seed, self.weighted)

    def case(self, level: float = 0.95) -> Case:
        return make_case(self.runs(), self.form, level)


LAWS = st.builds(
    Planted,
    form=st.sampled_from(POWER_FORMS),
    alpha=st.floats(math.log(1e-3), math.log(3.0)).map(math.exp),
    beta=st.floats(math.log(1e-3), math.log(3.0)).map(math.exp),
    offset=st.sampled_from([0.0, 0.05, 0.3]),
    noise=st.sampled_from([1e-5, 1e-4, 1e-3, 5e-3, 2e-2]),
    weighted=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
POINTS = np.array([[5e8], [4e9], [14e9]]), np.array([1.0, 36.0, 576.0])


@settings(max_examples=25, deadline=None)
@given(LAWS)
def test_intervals_hold_the_estimate(truth: Planted) -> None:
    found = truth.case()
    for name, interval in found.intervals.items():
        value = found.law.params[name]
        assert any(interval.contains(value * factor) for factor in (1 - 1e-9, 1.0, 1 + 1e-9)), name  # or by rounding
    center = found.law.predict(*POINTS)
    low, high = found.region.predictions(*POINTS)
    new_low, new_high = found.region.predictions(*POINTS, "new-run")
    assert (new_low < low).all()
    assert (low <= center).all()
    assert (center <= high).all()
    assert (high < new_high).all()


@settings(max_examples=10, deadline=None)
@given(LAWS)
def test_a_wider_level_holds_the_narrower_one(truth: Planted) -> None:
    """To 1 % of a width, within which ends are found."""
    narrow, wide = truth.case(0.8), truth.case(0.99)
    for name, inner in narrow.intervals.items():
        slack = 0.01 * (inner.high - inner.low)
        for end in (inner.low + slack, inner.high - slack):
            assert wide.intervals[name].contains(end), name  # comparisons with NaN, an open end, are false
        assert not math.isnan(inner.low) or math.isnan(wide.intervals[name].low), name
        assert not math.isnan(inner.high) or math.isnan(wide.intervals[name].high), name
    low, high = narrow.region.predictions(*POINTS)
    wide_low, wide_high = wide.region.predictions(*POINTS)
    assert (wide_low <= low + 0.01 * (high - low)).all()
    assert (wide_high >= high - 0.01 * (high - low)).all()


# Flat laws with little noise: the region is a long and thin tail towards D = 0, and easily cut short.
TAIL = Planted("additive", 0.001877, 0.1859, 0.05, 1e-4, True, 1508933831)
KEEL = Planted("additive", 0.164, 0.00867, 0.0, 1e-5, False, 35492827)
# The fit has A = 0, and the ends of beta are where A is not: at exponents of N far from where the search starts.
NO_SIZE = Planted("additive", 0.0015034391929775724, 1.0, 0.0, 0.005, True, 407000)


@settings(max_examples=12, deadline=None)
@example(TAIL, "A")
@example(TAIL, "D")
@example(KEEL, "B")
@example(Planted("additive", 1.0, 0.0067, 0.0, 1e-5, False, 0), "beta")
@example(NO_SIZE, "beta")
@given(LAWS, st.sampled_from(["A", "alpha", "B", "beta", "D"]))
def test_past_the_ends_of_random_laws_no_fit_is_acceptable(truth: Planted, name: str) -> None:
    """2 % of the interval's width past the end. That an end itself is acceptable is so by construction."""
    found = truth.case()
    if name not in found.intervals:
        return
    interval = found.intervals[name]
    width = (found.law.params[name] if math.isnan(interval.high) else interval.high) - np.nan_to_num(interval.low)
    for end, sign in ends_of(interval):
        outside = end + sign * 0.02 * width
        if outside > 0:
            assert least_rss(found.law, (name, outside)) >= found.region.rss_level * (1 - 1e-9)


@settings(max_examples=8, deadline=None)
@given(LAWS, st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_changes_nothing(truth: Planted, seed: int) -> None:
    runs = truth.runs()
    one, other = (make_case(r, truth.form) for r in (runs, runs.take(np.random.default_rng(seed).permutation(28))))
    assert {name: repr(ends) for name, ends in one.intervals.items()} == {
        name: repr(ends) for name, ends in other.intervals.items()
    }
    np.testing.assert_array_equal(one.region.predictions(*POINTS), other.region.predictions(*POINTS))


@pytest.mark.parametrize("unit", [1.0, 1e6, 3.7e9])
@pytest.mark.parametrize("name", ["additive, reasoning", "multiplicative, D inside"])
def test_the_unit_of_n_moves_only_the_prefactor(name: str, unit: float) -> None:
    found = case(name)
    law = planner.fit(found.runs, found.law.form, n_unit_params=unit)
    region = profiler(law)
    for parameter, interval in region.parameters().items():
        if parameter != "A":  # the error at another size: its interval is another quantity's
            other = found.intervals[parameter]
            expected = pytest.approx((other.low, other.high), rel=1e-5, nan_ok=True)
            assert (interval.low, interval.high) == expected, parameter
    for kind in ("mean", "new-run"):
        np.testing.assert_allclose(region.predictions(14e9, 36, kind), found.region.predictions(14e9, 36, kind), 1e-6)


@pytest.mark.parametrize("unit", [1e6, 1e12])
def test_with_fixed_exponents_the_unit_of_n_scales_the_prefactor(unit: float) -> None:
    intervals = {}
    for n_unit_params in (1e9, unit):
        fixed = lmfit.Parameters()
        fixed.add("alpha", value=0.3, vary=False)
        fixed.add("beta", value=0.2, vary=False)
        runs = planted(ADDITIVE, "additive", 1e-3, 0)
        law = planner.fit(runs, params=fixed, n_unit_params=n_unit_params)
        intervals[n_unit_params] = profiler(law).parameters()
    for end in ("low", "high"):
        one, other = (getattr(intervals[key]["A"], end) for key in (1e9, unit))
        assert other == pytest.approx(one * (1e9 / unit) ** 0.3, rel=1e-6)
        for parameter in ("B", "D"):
            one, other = (getattr(intervals[key][parameter], end) for key in (1e9, unit))
            assert other == pytest.approx(one, rel=1e-6)


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_runs_without_noise_leave_no_doubt(form: str) -> None:
    """To 1e-3: sums of squares are told from zero to some 1e-13, and D hangs on small differences of the errors."""
    params = {**ADDITIVE, **MULTIPLICATIVE} | ({} if form in POWER_FORMS else LOGS)
    truth = {name: params[name] for name in get_form(form).param_names}
    found = make_case(planted(truth, form, 0.0, 0), form)
    for name, interval in found.intervals.items():
        assert interval.low == pytest.approx(truth[name], rel=1e-3), name
        assert interval.high == pytest.approx(truth[name], rel=1e-3), name


@pytest.mark.parametrize("form", POWER_FORMS)
@pytest.mark.parametrize("seed", [3, 4, 6])
def test_an_effect_lost_in_noise_leaves_its_exponent_open(form: str, seed: int) -> None:
    """No effect of T: beta may be 0, alpha / beta anything from there; in the additive form B = 0 lets beta be all."""
    flat = {"A": 0.3, "alpha": 0.3, "B": 0.0, "beta": 0.0, "D": 0.2}
    runs = planted({name: flat[name] for name in get_form(form).param_names}, form, 5e-3, seed)
    found = make_case(runs, form)
    assert least_rss(found.law, ("beta", 0.0)) < found.region.rss_level
    assert math.isnan(found.intervals["beta"].low)
    assert identifiable(found.intervals)["beta"] is False
    assert math.isnan(found.region.exponent_ratio().high)
    if form == "additive":
        assert least_rss(found.law, ("B", 0.0)) < found.region.rss_level
        assert math.isnan(found.intervals["B"].low)
        assert math.isnan(found.intervals["beta"].high)
    low, high = found.region.predictions(4e9, 36)
    assert high - low < 0.02  # what is predicted inside the data is known all the same


def test_a_huber_fit_has_intervals_at_its_last_weights() -> None:
    law = planner.fit(published(), "multiplicative", loss="huber")
    region = profiler(law)
    assert region.noise_variance * region.dof == pytest.approx(weighted_rss(law), rel=1e-9)
    intervals = region.parameters()
    for name in ("A", "alpha", "beta"):
        assert intervals[name].contains(law.params[name])


def test_an_open_end_is_none_in_a_list_and_holds_everything() -> None:
    interval = Interval(math.nan, 0.14)
    assert interval.to_list() == [None, 0.14]
    assert interval.contains(-1e9)
    assert not interval.contains(0.15)
    assert Interval(0.1, math.nan).contains(1e9)
    assert identifiable({"D": interval, "alpha": Interval(0.1, 0.2)}) == {"D": False, "alpha": True}


def test_a_given_law_has_no_intervals() -> None:
    law = FittedLaw.given("multiplicative", {"A": 0.5, "alpha": 0.1, "beta": 0.02, "D": 0.0})
    with pytest.raises(InputError, match="was given, it has no runs"):
        profiler(law)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, math.nan])
def test_a_level_lies_between_zero_and_one(level: float) -> None:
    with pytest.raises(InputError, match="level: expected a number between 0 and 1"):
        profiler(case("additive, reasoning").law, level)


def test_an_unknown_kind_of_interval_is_named() -> None:
    with pytest.raises(InputError, match="kind: expected mean or new-run, got 'median'"):
        case("additive, reasoning").region.predictions(7e9, 16, kind="median")


def test_too_few_runs_are_counted() -> None:
    runs = published()
    corners = [i for i in range(28) if (runs.llm_params[i], runs.visual_tokens[i]) in {(5e8, 1), (7e9, 576), (4e9, 1)}]
    law = planner.fit(runs.take(corners), "log-linear") if len(corners) == 3 else None
    assert law is not None
    with pytest.raises(FitError, match="more runs than parameters: 3 runs, 3 parameters"):
        profiler(law)


@pytest.mark.parametrize(
    "constraint", [{"expr": "beta"}, {"value": 0.1, "min": 0.05, "max": 0.5}, {"value": 0.1, "vary": False}]
)
def test_tied_and_bounded_parameters_are_refused(constraint: dict[str, float | str | bool]) -> None:
    params = lmfit.Parameters()
    params.add("beta", value=0.1)
    params.add("alpha", **constraint)
    law = planner.fit(published(), params=params)
    with pytest.raises(FitError, match="for free fits and for both exponents fixed; this law has other constraints"):
        profiler(law)


def test_what_the_refusal_advises_works() -> None:
    """lmfit's interval of an exponent where no bound is active is ours, to the tolerance of its search."""
    found = case("multiplicative, D inside")
    result = found.law.to_lmfit()
    ends = result.conf_interval(p_names=["alpha"], sigmas=[0.95])["alpha"]
    expected = found.intervals["alpha"]
    assert (ends[0][1], ends[-1][1]) == pytest.approx((expected.low, expected.high), rel=1e-3)
