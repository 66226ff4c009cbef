"""fit(): the published runs against certified optima, weights, robustness, constraints, statuses."""

from __future__ import annotations

from dataclasses import replace

import lmfit
import numpy as np
import pandas as pd
import pytest

import planner
from planner.base.errors import FitError, RunsError
from planner.laws.fitted import AT_A_BOUND, CONVERGED, NOT_IDENTIFIED
from planner.laws.forms import forms_for, get_form
from planner.runs import Runs

SIZES = (0.5, 1.8, 4.0, 7.0)
TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)

# The optimum of each form on the 28 reasoning runs: digits that any exact solver must reproduce.
CERTIFIED = [
    ("additive", {"alpha": 0.1011, "beta": 0.0501, "A": 0.4013, "B": 0.1885, "D": 0.0}, 3.168e-4),
    ("multiplicative", {"alpha": 0.0709, "beta": 0.0151, "A": 0.5908, "D": 0.0}, 3.794e-4),
    ("log-linear", {"c0": 0.5902, "c1": 0.0384, "c2": 0.00814}, 2.805e-4),
]


def planted_runs(params: dict[str, float], form: str = "additive", noise: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """The published design with errors from a known law."""
    grid = [(n, t) for n in SIZES for t in TOKENS]
    n, t = np.array(grid).T
    error = get_form(form).value(params, n, t) + noise * np.random.default_rng(seed).standard_normal(len(grid))
    names = [f"M-{size:g}B" for size in n]
    return pd.DataFrame({"llm": names, "llm_params": n * 1e9, "visual_tokens": t, "error": error})


@pytest.mark.parametrize(("form", "params", "rss"), CERTIFIED)
def test_the_certified_optima(reasoning: Runs, form: str, params: dict[str, float], rss: float) -> None:
    law = planner.fit(reasoning, form)
    assert law.rss == pytest.approx(rss, abs=5e-8)
    for name, value in params.items():
        assert law.params[name] == pytest.approx(value, abs=5e-5), name
    assert law.rmse == pytest.approx((rss / 28) ** 0.5, rel=1e-3)


def test_text_reading_needs_tokens_more_than_parameters(ocr: Runs) -> None:
    law = planner.fit(ocr, "multiplicative")
    assert law.params["alpha"] == pytest.approx(0.028, abs=2e-3)
    assert law.params["beta"] == pytest.approx(0.039, abs=1e-3)


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_the_order_of_the_rows_changes_not_one_bit(reasoning: Runs, form: str) -> None:
    law = planner.fit(reasoning, form)
    for seed in range(5):
        shuffled = reasoning.take(np.random.default_rng(seed).permutation(28))
        again = planner.fit(shuffled, form)
        assert again.params == law.params
        assert (again.rss, again.runs_sha256) == (law.rss, law.runs_sha256)


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
@pytest.mark.parametrize("unit", [1.0, 1e6, 3.7e9, 1e12])
def test_the_unit_of_n_changes_nothing_but_the_prefactor(reasoning: Runs, form: str, unit: float) -> None:
    law, other = planner.fit(reasoning, form), planner.fit(reasoning, form, n_unit_params=unit)
    assert other.rss == pytest.approx(law.rss, rel=1e-12)
    moved = {"c2": law.params.get("c3", 0.0) * np.log(unit / 1e9)}  # an interaction's slope in ln T at N = the unit
    for name in {"alpha", "beta", "c1", "c2", "c3", "B", "D", "T0", "Tmax"} & set(law.params):
        expected = law.params[name] + moved.get(name, 0.0)
        assert other.params[name] == pytest.approx(expected, rel=1e-8, abs=1e-12), name
    assert other.predict(7e9, 16) == pytest.approx(law.predict(7e9, 16), rel=1e-8)


def test_the_published_grid_never_beats_the_optimum(reasoning: Runs) -> None:
    """All five million candidates of the paper's released search, scored at once from inner products."""
    n, t, y = reasoning.llm_params / 1e9, reasoning.visual_tokens, reasoning.error
    alpha, beta = np.linspace(0.0, 0.2, 100), np.linspace(0.0, 0.05, 100)
    power = n ** -alpha[:, None, None] * t ** -beta[None, :, None]
    s1, s2, sy = power.sum(-1), (power**2).sum(-1), power @ y
    a = np.linspace(0.2, 0.7, 50)[:, None, None, None]
    d = np.linspace(0.0, 0.3, 10)[None, :, None, None]
    rss = a**2 * s2 + len(y) * d**2 + y @ y + 2 * a * d * s1 - 2 * a * sy - 2 * d * y.sum()
    assert rss.size == 5_000_000
    best = np.unravel_index(np.argmin(rss), rss.shape)
    assert rss.min() == pytest.approx(3.963e-4, abs=5e-8)
    assert (alpha[best[2]], beta[best[3]]) == pytest.approx((0.0747, 0.0162), abs=5e-5)
    law = planner.fit(reasoning, "multiplicative")
    assert law.rss is not None
    assert law.rss < rss.min()


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_the_largest_model_is_predicted_from_the_smaller_ones(reasoning: Runs, form: str) -> None:
    """Hold-out: fitted on 0.5, 1.8 and 4B, every 7B run within 1 %."""
    large = reasoning.llm_params == 7e9
    law = planner.fit(reasoning.take(~large), form)
    held_out = reasoning.take(large)
    relative = np.abs(law.predict(7e9, held_out.visual_tokens) / held_out.error - 1)
    assert len(relative) == 7
    assert relative.max() < 0.01
    assert relative.mean() == pytest.approx({"additive": 0.0035, "multiplicative": 0.0045}[form], abs=5e-5)


def test_published_exponents_with_the_rest_solved_again(reasoning: Runs) -> None:
    params = lmfit.Parameters()
    params.add("alpha", value=0.077, vary=False)
    params.add("beta", value=0.015, vary=False)
    law = planner.fit(reasoning, "multiplicative", params=params)
    assert law.params["A"] == pytest.approx(0.553, abs=5e-4)
    assert law.params["D"] == pytest.approx(0.036, abs=5e-4)
    assert law.rss == pytest.approx(4.374e-4, abs=5e-8)
    assert law.constraints == {"alpha": {"value": 0.077}, "beta": {"value": 0.015}}


@pytest.mark.parametrize(("offset", "exponents"), [(0.0, (0.071, 0.0151)), (0.3, (0.159, 0.0336))])
def test_a_fixed_offset_moves_the_exponents_but_not_the_decision(
    reasoning: Runs, offset: float, exponents: tuple[float, float]
) -> None:
    params = lmfit.Parameters()
    params.add("D", value=offset, vary=False)
    law = planner.fit(reasoning, "multiplicative", params=params)
    assert (law.params["alpha"], law.params["beta"]) == pytest.approx(exponents, abs=5e-4)
    best = planner.optimum(law, budget="1 TFLOPs", query_tokens=50, generated_tokens=0)
    assert 13.35 < best.visual_tokens < 13.55


def test_a_tie_is_the_best_of_all_tied_laws(reasoning: Runs) -> None:
    """alpha = beta, against a one-dimensional brute force over the tied exponent."""
    params = lmfit.Parameters()
    params.add("beta", value=0.1)
    params.add("alpha", expr="beta")
    law = planner.fit(reasoning, "additive", params=params)
    assert law.params["alpha"] == law.params["beta"]
    n, t = reasoning.llm_params / 1e9, reasoning.visual_tokens
    brute = min(
        float(np.linalg.lstsq(np.stack([n**-e, t**-e], axis=1), reasoning.error)[1][0])
        for e in np.linspace(0.06, 0.11, 2001)
    )  # without D, which is zero at this optimum
    assert law.params["D"] == 0.0
    assert law.rss is not None
    assert law.rss <= brute
    assert law.rss == pytest.approx(brute, rel=1e-5)  # the brute force steps by 2.5e-5


def test_bounds_are_part_of_the_answer(reasoning: Runs) -> None:
    params = lmfit.Parameters()
    params.add("alpha", value=0.1, min=0.09, max=0.2)
    params.add("D", value=0.05, min=0.02)
    law = planner.fit(reasoning, "multiplicative", params=params)
    assert law.status == AT_A_BOUND
    assert law.at_bound == ("alpha",)
    assert law.params["alpha"] == 0.09
    assert law.params["D"] > 0.02
    assert law.constraints == {"alpha": {"min": 0.09, "max": 0.2}, "D": {"min": 0.02}}


def test_constraints_that_hold_anyway_change_nothing(ocr: Runs) -> None:
    params = lmfit.Parameters()
    params.add("alpha", value=0.5, min=0.0, max=5.0)
    for form in ("additive", "multiplicative"):
        free, bounded = planner.fit(ocr, form), planner.fit(ocr, form, params=params)
        assert bounded.rss == pytest.approx(free.rss, rel=1e-9)
        assert bounded.params == pytest.approx(free.params, rel=1e-4, abs=1e-12)


def test_statuses_and_advice(reasoning: Runs) -> None:
    law = planner.fit(reasoning, "additive")
    assert (law.status, law.at_bound) == (AT_A_BOUND, ("D",))
    assert "do not tell how low the error can get" in law.advice
    assert planner.fit(reasoning, "log-linear").status == CONVERGED
    params = {"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.2}
    inside = planner.fit(planted_runs(params, noise=1e-4))
    assert (inside.status, inside.at_bound) == (CONVERGED, ())


@pytest.mark.parametrize("form", [one.name for one in forms_for(2)])
def test_runs_without_an_effect_are_said_to_have_none(form: str) -> None:
    table = planted_runs({"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.2})
    table["error"] = 0.5 + 0.01 * np.log(table["visual_tokens"])  # rises with tokens, flat in size
    law = planner.fit(table, form)
    assert law.status == NOT_IDENTIFIED
    assert "no fall of the error with T" in law.advice


def test_exact_standard_errors_weight_the_residuals() -> None:
    """Runs with a huge standard error do not move the fit: planted law plus three wild but honest runs."""
    params = {"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.1}
    table = planted_runs(params)
    table["error_se"] = 1e-4
    table.loc[[3, 11, 20], "error"] += 0.05
    table.loc[[3, 11, 20], "error_se"] = 1e3
    law = planner.fit(table)
    assert law.weighting == "error_se"
    assert law.params == pytest.approx(params, rel=1e-6)
    assert planner.fit(table, weights="equal").params["A"] != pytest.approx(params["A"], rel=1e-2)


def test_samples_weight_by_binomial_variance(reasoning: Runs) -> None:
    """Twice the samples everywhere is the same fit; a run with few samples counts less."""
    few = replace(reasoning, samples=np.full(28, 1000.0))
    many = replace(reasoning, samples=np.full(28, 1e9))
    assert planner.fit(few).weighting == "samples"
    assert planner.fit(few).params == pytest.approx(planner.fit(many).params, rel=2e-2, abs=1e-9)
    error = reasoning.error.copy()
    error[0] += 0.2
    samples = np.full(28, 1e6)
    samples[0] = 10.0
    doubted = planner.fit(replace(reasoning, error=error, samples=samples))
    trusted = planner.fit(replace(reasoning, error=error))
    reference = planner.fit(reasoning)
    assert abs(doubted.predict(5e8, 1) - reference.predict(5e8, 1)) < 0.01
    assert abs(trusted.predict(5e8, 1) - reference.predict(5e8, 1)) > 0.01


def test_huber_shrugs_off_outliers_that_move_least_squares() -> None:
    params = {"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.1}
    table = planted_runs(params, noise=1e-3, seed=1)
    clean = planner.fit(table)
    table.loc[[5, 17], "error"] += 0.1
    robust, plain = planner.fit(table, loss="huber"), planner.fit(table)
    at = (np.array([[5e8], [7e9]]), np.array([1.0, 576.0]))
    off = {law.loss: np.abs(law.predict(*at) - clean.predict(*at)).max() for law in (robust, plain)}
    assert off["huber"] < 0.003
    assert off["least-squares"] > 0.01
    assert robust.huber_delta is not None
    assert robust.huber_delta == pytest.approx(1.345 * 1e-3 / 0.45, rel=1.0)  # about 1.3 sigmas of relative noise


@pytest.mark.parametrize(
    ("loss", "ending"),
    [("least-squares", "loss='huber' would shrug it off"), ("huber", "huber already weighs it down")],
)
def test_a_run_far_off_is_named_with_what_helps(loss: str, ending: str) -> None:
    table = planted_runs({"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.1}, noise=1e-3, seed=1)
    table.loc[5, "error"] += 0.1
    (remark,) = planner.fit(table, loss=loss).remarks
    assert remark.startswith("check the run ")
    assert remark.endswith(f" off the law; {ending}")


def test_huber_minimises_its_own_objective(reasoning: Runs) -> None:
    """No step in any direction lowers the Huber sum at the reported turning point."""
    law = planner.fit(reasoning, "multiplicative", loss="huber")
    n, t, y = reasoning.llm_params / 1e9, reasoning.visual_tokens, reasoning.error

    def objective(params: dict[str, float]) -> float:
        r = np.abs(y - get_form("multiplicative").value(params, n, t)) / y
        delta = law.huber_delta
        assert delta is not None
        return float(np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)).sum())

    best = objective(dict(law.params))
    random = np.random.default_rng(0)
    for _ in range(300):
        trial = {name: value * (1 + 1e-3 * random.standard_normal()) for name, value in law.params.items()}
        trial["D"] = abs(1e-3 * random.standard_normal())
        assert objective(trial) >= best * (1 - 1e-9)


def test_pooled_compressors_are_remarked() -> None:
    table = planted_runs({"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.1})
    table["compressor"] = ["quecc", "tokenpacker"] * 14
    assert planner.fit(table).remarks == ("2 compressors fitted as one: quecc, tokenpacker",)


def test_mixed_tasks_are_never_pooled() -> None:
    table = planted_runs({"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.1})
    table["task"] = ["GQA", "POPE"] * 14
    with pytest.raises(RunsError, match=r"^the runs are of 2 tasks \(GQA, POPE\), which are not pooled: "):
        planner.fit(table)


def test_the_law_knows_what_it_was_fitted_to(reasoning: Runs) -> None:
    law = planner.fit(reasoning, name="mine", vision="CLIP-ViT-L/14-336")
    assert law.n_runs == 28
    assert law.llm_params_levels == (5e8, 1.8e9, 4e9, 7e9)
    assert law.visual_tokens_levels == (1, 4, 16, 36, 64, 144, 576)
    assert law.llms == ("Qwen1.5-0.5B", "Qwen1.5-1.8B", "Qwen1.5-4B", "Qwen1.5-7B")
    assert law.compressors == ("tokenpacker", "none")
    assert law.runs_sha256 == reasoning.sha256()


@pytest.mark.parametrize(
    ("sizes", "counts"), [((0.5, 7.0), (1.0, 16.0, 64.0)), ((0.5, 1.8, 7.0), (4.0, 144.0)), ((0.5, 7.0), (4.0, 144.0))]
)
@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_two_levels_are_enough_where_the_offset_is_fixed(
    form: str, sizes: tuple[float, ...], counts: tuple[float, ...]
) -> None:
    """An exponent beside an offset needs three; two by two cells still are as many as the parameters that are left."""
    n, t = (axis.ravel() for axis in np.meshgrid(sizes, counts, indexing="ij"))
    truth = {"A": 0.4, "alpha": 0.2, "B": 0.2, "beta": 0.1, "D": 0.0}
    truth = {name: truth[name] for name in get_form(form).param_names}
    table = Runs(tuple(f"{x:g}" for x in n), n * 1e9, t, get_form(form).value(truth, n, t))
    with pytest.raises(
        FitError, match=r"needs 3 levels to tell an exponent and an offset, the runs have 2; measure more, fix D, or"
    ):
        planner.fit(table, form)
    held = lmfit.Parameters()
    held.add("D", value=0.0, vary=False)
    law = planner.fit(table, form, params=held)
    if len(n) > 4 or form == "multiplicative":
        assert law.params == pytest.approx(truth, rel=1e-5)
    else:
        assert law.status == NOT_IDENTIFIED  # additive, two by two: A and B share what both could explain
        assert "free" in law.advice
    held["D"].set(value=0.0, vary=False)
    with pytest.raises(
        FitError, match="needs 2 levels to tell an exponent, the runs have 1; measure more, or fit a form"
    ):
        planner.fit(table.take(n == 0.5), form, params=held)
