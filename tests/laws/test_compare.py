"""AICc over the forms: known answers on the published runs, planted laws, and what may not be compared."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import lmfit
import numpy as np
import pandas as pd
import pytest

import fitted_laws
import planner
from planner.base.errors import FitError, InputError
from planner.laws.averaging import averaged
from planner.laws.compare import DISTINGUISHABLE, aicc, compare, evidence, other_forms
from planner.laws.fitted import FittedLaw
from planner.laws.forms import forms_for, get_form, opinion_of
from planner.runs import Runs, read_runs

SIZES = (0.5, 1.8, 4.0, 7.0)
TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
PLANTED = {
    "additive": {"A": 0.3, "alpha": 0.8, "B": 0.2, "beta": 0.7, "D": 0.2},
    "multiplicative": {"A": 0.3, "alpha": 0.7, "beta": 0.3, "D": 0.2},
    "log-linear": {"c0": 0.59, "c1": 0.038, "c2": 0.008},
    "log-power": {"c0": 0.4, "c1": 0.04, "B": 0.2, "beta": 0.6},
    "log-shifted": {"c0": 0.6, "c1": 0.04, "c2": 0.03, "T0": 8.0},
    "interaction": {"c0": 0.59, "c1": 0.03, "c2": 0.012, "c3": 0.004},
    "saturating": {"c0": 0.59, "c1": 0.038, "c2": 0.02, "Tmax": 100.0},
    "additive-d0": {"A": 0.4, "alpha": 0.2, "B": 0.2, "beta": 0.1},
}

TWO_SIZES = {"log-linear", "log-power", "log-shifted", "interaction", "saturating", "additive-d0"}
"""Forms that two LLM sizes suffice for."""


def planted_runs(form: str, noise: float = 0.0, seed: int = 0, sizes: tuple[float, ...] = SIZES) -> Runs:
    """The published design, or one of other sizes, with errors from a known law."""
    grid = [(n, t) for n in sizes for t in TOKENS]
    n, t = np.array(grid).T
    error = get_form(form).value(PLANTED[form], n, t) + noise * np.random.default_rng(seed).standard_normal(len(grid))
    names = [f"M-{size:g}B" for size in n]
    return read_runs(pd.DataFrame({"llm": names, "llm_params": n * 1e9, "visual_tokens": t, "error": error}))


# --- the criterion ----------------------------------------------------------------------------------------------------


def test_aicc_is_the_formula_of_hurvich_and_tsai() -> None:
    """28 runs, 3 parameters and the noise: k = 4."""
    assert aicc(2.805e-4, 28, 3) == pytest.approx(28 * math.log(2.805e-4 / 28) + 8 + 40 / 23, rel=1e-14)


@pytest.mark.parametrize(("runs_count", "finite"), [(3, False), (4, False), (5, False), (6, True)])
def test_aicc_is_infinite_with_too_few_runs(runs_count: int, finite: bool) -> None:
    """The correction divides by runs - k - 1, k = 4."""
    found = aicc(1e-4, runs_count, 3)
    assert math.isfinite(found) if finite else found == math.inf


def test_a_perfect_fit_has_a_finite_aicc() -> None:
    assert math.isfinite(aicc(0.0, 28, 3))
    assert aicc(0.0, 28, 3) < aicc(1e-30, 28, 3)


# --- the published runs -----------------------------------------------------------------------------------------------


def test_reasoning_prefers_the_null_form(reasoning: Runs) -> None:
    rows = compare(reasoning)
    delta = {(row.law.form, row.face): row.delta for row in rows}
    faces = {(form, face) for form in ("additive", "multiplicative") for face in ("", "D = 0")}
    assert set(delta) == {*((form, "") for form in TWO_SIZES - {"additive-d0"}), *faces}
    assert (rows[0].law.form, rows[0].face, rows[0].delta) == ("log-linear", "", 0.0)
    assert delta["additive", "D = 0"] == pytest.approx(6.4, abs=0.05)
    assert delta["multiplicative", "D = 0"] == pytest.approx(8.5, abs=0.05)
    assert delta["multiplicative", ""] - delta["additive", ""] == pytest.approx(1.8, abs=0.05)
    assert all(row.distinguishable for row in rows if row.law.form in ("additive", "multiplicative"))
    assert not rows[0].distinguishable
    assert abs(delta["multiplicative", "D = 0"] - delta["additive", "D = 0"]) < DISTINGUISHABLE


def test_text_reading_prefers_a_shifted_logarithm(ocr: Runs) -> None:
    """AICc behind the best of all forms, of exact optima; a quadratic in the logarithms stands 2.8 behind it."""
    rows = {(row.law.form, row.face): row for row in compare(ocr)}
    best = next(iter(rows.values()))
    assert (best.law.form, best.delta) == ("log-shifted", 0.0)
    assert best.law.params["T0"] == pytest.approx(1.83, abs=0.005)
    behind = {("interaction", ""): 6.4, ("log-linear", ""): 10.7}
    behind |= {("multiplicative", "D = 0"): 20.8, ("additive", "D = 0"): 22.0}
    assert {key: rows[key].delta for key in behind} == pytest.approx(behind, abs=0.05)


def test_rows_are_in_order_and_share_all_of_the_evidence(reasoning: Runs) -> None:
    rows = compare(reasoning)
    assert [row.aicc for row in rows] == sorted(row.aicc for row in rows)
    assert sum(row.weight for row in rows) == pytest.approx(1.0, rel=1e-12)
    by_name = {(row.law.form, row.face): row for row in rows}
    for form in ("additive", "multiplicative"):
        whole, face = by_name[form, ""], by_name[form, "D = 0"]
        assert whole.law is face.law
        assert (whole.parameters_count, whole.weight) == (face.parameters_count + 1, 0.0)
    ratio = by_name["additive", "D = 0"].weight / rows[0].weight
    assert ratio == pytest.approx(math.exp(-by_name["additive", "D = 0"].delta / 2), rel=1e-12)
    for row in rows:
        assert row.law.rss is not None
        assert row.aicc == aicc(row.law.rss, 28, row.parameters_count)  # equal weights


# --- planted laws -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PLANTED)
def test_the_planted_form_is_found(form: str) -> None:
    """Exponents far from zero, so that the forms bend differently; noise half as large as in the data."""
    for seed in range(5):
        rows = compare(planted_runs(form, noise=1.5e-3, seed=seed))
        assert rows[0].law.form == opinion_of(get_form(form)).name, seed


def test_the_true_null_form_is_never_told_from_the_best() -> None:
    """Planted log-linear at the noise of the data, where the forms come close to each other."""
    for seed in range(5):
        rows = compare(planted_runs("log-linear", noise=3e-3, seed=seed))
        own = next(row for row in rows if row.law.form == "log-linear")
        assert not own.distinguishable


def test_an_offset_that_the_runs_show_is_kept() -> None:
    best = compare(planted_runs("additive", noise=1e-4))[0]
    assert (best.law.form, best.face, best.parameters_count) == ("additive", "", 5)
    assert best.law.params["D"] == pytest.approx(0.2, abs=2e-3)


# --- what can be compared ---------------------------------------------------------------------------------------------


def test_forms_that_the_runs_do_not_allow_are_left_out() -> None:
    rows = compare(planted_runs("log-linear", noise=1e-3, sizes=(0.5, 7.0)))
    assert {row.law.form for row in rows} == TWO_SIZES
    assert sum(row.weight for row in rows) == pytest.approx(1.0, rel=1e-12)


def test_runs_that_allow_no_form_are_refused() -> None:
    runs = planted_runs("log-linear", sizes=(7.0,))
    with pytest.raises(FitError, match="too few visual token counts"):
        compare(runs.take(runs.visual_tokens == 16))


def test_laws_of_different_runs_are_refused(reasoning: Runs, ocr: Runs) -> None:
    with pytest.raises(InputError, match="compared on the same runs, weights and loss; these laws differ in them"):
        evidence([planner.fit(reasoning, "additive"), planner.fit(ocr, "multiplicative")])


def test_given_laws_are_refused() -> None:
    with pytest.raises(InputError, match="this law was given, it has none"):
        evidence([FittedLaw.given("log-linear", PLANTED["log-linear"])])


def test_too_few_runs_have_no_evidence_and_no_error() -> None:
    """Five runs for four parameters and a noise: nothing is left for AICc."""
    rows = compare(planted_runs("log-linear", sizes=(0.5, 7.0)).take([0, 1, 7, 8]))
    assert {row.law.form for row in rows} == {"log-linear", "interaction", "additive-d0"}
    for row in rows:
        assert math.isinf(row.aicc)
        assert (row.weight, row.distinguishable) == (0.0, False)


def test_fixed_parameters_are_not_counted(reasoning: Runs) -> None:
    params = lmfit.Parameters()
    params.add("D", value=0.0, vary=False)
    (row,) = evidence([planner.fit(reasoning, "multiplicative", params=params)])
    (_, face) = sorted(evidence([planner.fit(reasoning, "multiplicative")]), key=lambda row: -row.parameters_count)
    assert (row.face, row.parameters_count) == ("", 3)
    assert row.aicc == pytest.approx(face.aicc, abs=1e-6)


# --- the other forms of a law -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weighted(reasoning: Runs) -> Runs:
    return replace(reasoning, error_se=np.random.default_rng(0).uniform(1e-3, 1e-2, 28))


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_other_forms_keep_the_weights(weighted: Runs, form: str) -> None:
    law = planner.fit(weighted, form, name="mine")
    laws = other_forms(law)
    assert laws[0] is law
    alike = {"additive", "additive-d0"} - {form if form.startswith("additive") else "additive"}
    assert {other.form for other in laws} == {one.name for one in forms_for(2)} - alike
    assert law.data is not None
    for other in laws:
        assert other.data is not None
        np.testing.assert_allclose(other.data.weights, law.data.weights, rtol=1e-12)
        assert (other.weighting, other.name, other.runs_sha256) == ("error_se", "mine", law.runs_sha256)
        assert other.params == pytest.approx(planner.fit(weighted, other.form).params, rel=1e-6, abs=1e-12)
    variants = sum(len(get_form(other.form).variants) for other in laws)
    assert len(evidence(laws)) == len(laws) + variants


def test_a_law_under_constraints_or_without_runs_stands_alone(reasoning: Runs) -> None:
    params = lmfit.Parameters()
    params.add("D", value=0.1, vary=False)
    for law in (planner.fit(reasoning, params=params), FittedLaw.given("log-linear", PLANTED["log-linear"])):
        assert other_forms(law) == [law]


def test_other_forms_need_their_levels() -> None:
    law = planner.fit(planted_runs("log-linear", noise=1e-3, sizes=(0.5, 7.0)), "log-linear")
    assert {other.form for other in other_forms(law)} == TWO_SIZES


# --- two levels -------------------------------------------------------------------------------------------------------


def published(tables: tuple[str, str], compressor: str) -> Runs:
    """Mean error over the tasks that every cell of two printed tables has, 7B and 13B."""
    rows = pd.read_csv(Path(str(fitted_laws.__file__)).parent / "evidence" / "rows.csv")
    rows = rows[rows.table.isin(tables) & rows.compressor.isin(["none", compressor])]
    cells = rows.pivot_table(index=["llm", "llm_params", "visual_tokens"], columns="task", values="error")
    return read_runs(cells.dropna(axis=1).mean(axis=1).rename("error").reset_index())


def test_two_sizes_that_fall_like_powers_are_fitted_as_such() -> None:
    """VisionZip on LLaVA-NeXT, 8 cells: the logarithms miss by .0073, two powers by .0008."""
    runs = published(("2412.04467 Table 12", "2412.04467 Table 13"), "visionzip")
    assert (len(runs), len(set(runs.llm_params)), len(set(runs.visual_tokens))) == (8, 2, 4)
    found = {row.law.form: row for row in compare(runs)}
    assert found["log-linear"].law.rmse == pytest.approx(0.0073, abs=5e-5)
    assert found["additive-d0"].law.rmse == pytest.approx(0.0008, abs=5e-5)
    assert found["additive-d0"].weight == pytest.approx(0.5, abs=0.02)  # log-power is as good: two sizes tell no power
    assert found["log-linear"].weight < 0.001
    assert {one.form for one in averaged(planner.fit(runs, "log-linear")).members} >= {"additive-d0", "log-power"}


def test_two_powers_are_the_additive_form_without_d(reasoning: Runs, ocr: Runs) -> None:
    for runs in (reasoning, ocr):
        law, fuller = planner.fit(runs, "additive-d0"), planner.fit(runs, "additive")
        assert {**law.params, "D": 0.0} == pytest.approx(fuller.params, rel=1e-9)  # whose D is 0 as well
        row = next(row for row in compare(runs) if (row.law.form, row.face) == ("additive", "D = 0"))
        assert row.rss == pytest.approx(law.rss, rel=1e-12)
        compared = {row.law.form for row in compare(runs)}
        assert compared == {one.name for one in forms_for(2)} - {"additive-d0"}  # one opinion, once


def test_the_optimum_of_two_powers_at_two_sizes_is_that_of_a_grid() -> None:
    runs = planted_runs("additive-d0", noise=2e-3, sizes=(0.5, 7.0))
    law = planner.fit(runs, "additive-d0")
    n, t, y = runs.llm_params / 1e9, runs.visual_tokens, runs.error
    own = (law.params["alpha"], law.params["beta"])

    def least(alphas: np.ndarray, betas: np.ndarray) -> float:
        found = math.inf
        for alpha, beta in product(alphas, betas):
            columns = np.stack([n**-alpha, t**-beta], axis=1)
            coefficients = np.linalg.lstsq(columns, y)[0]
            if (coefficients >= 0).all():
                found = min(found, float(np.sum((columns @ coefficients - y) ** 2)))
        return found

    assert law.rss == pytest.approx(least(np.array(own[:1]), np.array(own[1:])), rel=1e-9)
    wide = np.geomspace(1e-4, 10.0, 90)
    near = np.geomspace(0.99, 1.01, 21)
    assert law.rss <= min(least(wide, wide), least(own[0] * near, own[1] * near)) * (1 + 1e-9)
