"""A law form in one file outside the package, through the whole chain; the built-in ones under other names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extensions import shifted_form
from numpy.typing import NDArray
from support import Run

import planner
from planner.base.errors import FitError, LawFileError, UnknownNameError
from planner.base.registry import register
from planner.laws.compare import compare
from planner.laws.design import next_runs
from planner.laws.engine.descent import descend_from_many, descend_from_one
from planner.laws.fit import fit_beside
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS, Form
from planner.laws.holdout import coverage, hold_out, score
from planner.laws.intervals import profiler
from planner.laws.posterior import posterior
from planner.runs import Runs

FloatArray = NDArray[np.float64]

LINES_MAX = 60
TRUTH = {"A": 0.30, "a": 0.35, "B": 0.5, "c": 6.0, "b": 0.4, "D": 0.10}
NOISE = 5e-4
SIZES = (0.5, 1.8, 4.0, 7.0, 14.0)
TOKENS = (1.0, 4.0, 9.0, 16.0, 36.0, 64.0, 144.0, 256.0, 576.0)
REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}


@pytest.fixture(autouse=True)
def _shifted() -> Iterator[None]:
    register(shifted_form.SHIFTED)
    yield
    FORMS.remove("shifted")


def planted(noise: float, truth: dict[str, float] = TRUTH, seed: int = 0) -> Runs:
    n, t = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij"))
    error = shifted_form.shifted(truth, n, t) + noise * np.random.default_rng(seed).standard_normal(len(n))
    return Runs(llm=tuple(f"Qwen1.5-{x:g}B" for x in n), llm_params=n * 1e9, visual_tokens=t, error=error)


@pytest.fixture(scope="module")
def law() -> FittedLaw:
    register(shifted_form.SHIFTED)
    found = planner.fit(planted(NOISE), "shifted", name="mine")
    FORMS.remove("shifted")
    return found


def test_it_is_one_short_file() -> None:
    assert len(Path(shifted_form.__file__).read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize(
    "truth",
    [
        TRUTH,
        {"A": 0.4, "a": 0.1, "B": 0.3, "c": 1.83, "b": 0.15, "D": 0.0},
        {"A": 0.1, "a": 1.5, "B": 2.0, "c": 30.0, "b": 0.8, "D": 0.2},
    ],
)
def test_fit_recovers_a_planted_law(truth: dict[str, float]) -> None:
    found = planner.fit(planted(0.0, truth), "shifted")
    assert found.params == pytest.approx(truth, rel=1e-6, abs=1e-9)
    assert found.form == "shifted"


@pytest.mark.parametrize("seed", range(6))
def test_no_start_finds_a_better_fit(seed: int) -> None:
    """28 runs leave ridges on which B and b grow together without end; the truth and nine other starts do no better."""
    random = np.random.default_rng(seed)
    truth = {"A": random.uniform(0.1, 0.5), "a": np.exp(random.uniform(-3, 0)), "B": random.uniform(0.05, 0.6)}
    truth |= {"c": np.exp(random.uniform(-1, 3.5)), "b": np.exp(random.uniform(-3, 0)), "D": random.choice([0.0, 0.1])}
    n, t = (axis.ravel() for axis in np.meshgrid(SIZES[:4], (1.0, 4, 16, 36, 64, 144, 576), indexing="ij"))
    y = shifted_form.shifted(truth, n, t) + random.choice([1e-4, 1e-3, 5e-3]) * random.standard_normal(28)
    found = descend_from_many(shifted_form.SHIFTED, n, t, y, np.ones(28))
    starts = [truth, *({**truth, "c": c, "b": b} for c in (0.2, 5.0, 30.0) for b in (0.05, 0.3, 1.0))]
    others = [descend_from_one(shifted_form.SHIFTED, n, t, y, np.ones(28), start).weighted_rss for start in starts]
    assert found.weighted_rss <= min(others) * (1 + 1e-8)


def test_noise_leaves_the_truth_in_the_intervals(law: FittedLaw) -> None:
    assert law.status == "converged"
    intervals = profiler(law, 0.95).parameters()
    for name, interval in intervals.items():
        assert interval.low < law.params[name] < interval.high
    for name, interval in profiler(law, 0.999).parameters().items():
        assert interval.low <= TRUTH[name] <= interval.high, name
    intervals = profiler(law, 0.95).parameters()
    draws = posterior(law, 2000).params
    for name, interval in intervals.items():  # so narrow that posterior and profile are one Gaussian
        low, high = np.quantile(draws[name], [0.025, 0.975])
        assert high - low == pytest.approx(interval.high - interval.low, rel=0.12), name


def test_an_end_of_an_interval_is_where_the_fit_with_it_held_is_barely_acceptable(law: FittedLaw) -> None:
    import lmfit

    region = profiler(law)
    interval = region.parameters()["c"]
    for end in (interval.low, interval.high):
        held = lmfit.Parameters()
        held.add("c", value=end, vary=False)
        assert planner.fit(planted(NOISE), "shifted", params=held).rss == pytest.approx(region.rss_level, rel=1e-5)


def test_compare_finds_it_and_its_variants() -> None:
    rows = compare(planted(NOISE))
    assert (rows[0].law.form, rows[0].face) == ("shifted", "")
    assert rows[0].weight > 0.999
    by_name = {(row.law.form, row.face): row for row in rows}
    # without the shift it is the additive form
    assert by_name["shifted", "c = 0"].rss == pytest.approx(by_name["additive", ""].rss, rel=1e-9)
    assert by_name["shifted", "D = 0"].rss > rows[0].rss


def test_an_average_of_forms_has_it() -> None:
    assert planner.fit_average(planted(NOISE)).advice == "weighted mean of shifted 100 %"


def test_too_few_levels_are_said_before_fitting() -> None:
    table = planted(NOISE)
    three = table.take(np.isin(table.visual_tokens, TOKENS[:3]))
    with pytest.raises(FitError, match="shifted form needs 4 levels to tell a shift, an exponent and an offset, the"):
        planner.fit(three, "shifted")


def test_a_fold_is_the_fit_of_its_runs() -> None:
    """A hold-out starts each fold from the fit of all runs; the fold ends where its own many starts would."""
    table = planted(5e-3)
    law = planner.fit(table, "shifted")
    for kept in (table.llm_params < 5e9, table.llm_params != 5e8, table.visual_tokens != 1, table.visual_tokens != 576):
        part = table.take(kept)
        assert fit_beside(law, part, "auto").rss == pytest.approx(planner.fit(part, "shifted").rss, rel=1e-10)


@pytest.mark.slow
def test_holdout_predicts_what_it_has_not_seen() -> None:
    found = hold_out(planted(NOISE), "shifted")
    assert score(found.leave_one_n).mean_relative_error < 0.005
    inside = coverage(found.leave_one_n)
    assert inside.runs_count == 45
    assert inside.inside_count >= 38


@pytest.mark.parametrize("flops", [2e11, 1e12, 5e12])
@pytest.mark.parametrize("truth", [TRUTH, {"A": 0.3, "a": 0.2, "B": 0.3, "c": 15.0, "b": 0.5, "D": 0.05}])
def test_the_optimum_equals_brute_force(flops: float, truth: dict[str, float]) -> None:
    law = FittedLaw.given("shifted", truth)
    found = planner.optimum(law, budget=flops, query_tokens=50, generated_tokens=32)
    tokens = np.exp(np.linspace(0.0, np.log(576.0), 400_001))
    errors = np.asarray(law.predict(flops / (2 * (82 + tokens)), tokens))
    best = tokens[errors.argmin()]
    assert 10 < best < 500
    assert found.visual_tokens == pytest.approx(best, rel=1e-4)
    assert found.predicted_error <= errors.min()
    assert not found.closed_form


def test_the_interval_of_the_optimum_holds_the_truth(law: FittedLaw) -> None:
    found = planner.optimum(law, budget=1e12, query_tokens=50, generated_tokens=32)
    truth = planner.optimum(FittedLaw.given("shifted", TRUTH), budget=1e12, query_tokens=50, generated_tokens=32)
    assert found.visual_tokens_interval is not None
    low, high = found.visual_tokens_interval
    assert low < truth.visual_tokens < high
    assert high - low < 2


def test_plan_says_how_sure_it_is(law: FittedLaw, tmp_path: Path) -> None:
    plan = planner.plan(law, budget="2 TFLOPs", **REQUEST)
    best = plan.best
    assert best.interval is not None and best.interval[0] < best.predicted_error < best.interval[1]
    truth = shifted_form.shifted(TRUTH, best.llm.nominal_params / 1e9, best.visual_tokens)
    assert best.interval[0] <= truth <= best.interval[1]
    assert best.probability_best is not None and best.probability_best > 0.9
    assert best.expected_regret is not None and best.expected_regret < 1e-4
    for suffix in (".html", ".md", ".json"):
        planner.write_report(plan, tmp_path / f"page{suffix}")
    assert "Y = A/N^a + B/(T + c)^b + D" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))


def test_next_runs_gain_where_little_is_known() -> None:
    found = planner.fit(planted(0.02), "shifted")
    candidates = (np.array([4e9, 7e9, 14e9]), np.array([144.0, 64.0, 16.0]))
    cells = (np.repeat([7e9, 14e9], 3), np.tile([16.0, 64.0, 144.0], 2))
    runs = next_runs(found, candidates, cells)
    assert runs.expected_regret_now > 0
    assert runs.runs[0].expected_gain > 0


def test_the_command_line_takes_it(run: Run, tmp_path: Path) -> None:
    table, path = tmp_path / "runs.csv", tmp_path / "law.json"
    planner.write_runs(planted(NOISE), table)
    shown = run("fit", table, "--form", "shifted", "--intervals", "--json", "-o", path)
    content = json.loads(shown.out)
    assert content["form"] == "shifted"
    assert all(content["identifiable"].values())
    assert "Y = A/N^a + B/(T + c)^b + D" in run("show", path).words
    assert run("fit", table, "--form", "shiftd").complaint == "no form is called 'shiftd'; did you mean 'shifted'?"


def test_a_saved_law_loads_while_its_form_is_there(law: FittedLaw, tmp_path: Path) -> None:
    path = law.save(tmp_path / "law.json")
    again = planner.load_law(path)
    assert isinstance(again, FittedLaw)
    assert again.params == law.params
    FORMS.remove("shifted")
    said = (
        "law.json: no form is called 'shifted': register it first (planner.register) or install the package that "
        "brings it"
    )
    with pytest.raises(LawFileError, match=f"^{re.escape(said)}$"):
        planner.load_law(path)
    register(shifted_form.SHIFTED)


def test_to_lmfit_knows_it(law: FittedLaw) -> None:
    result = law.to_lmfit()
    assert {name: float(value) for name, value in result.best_values.items()} == pytest.approx(law.params, rel=1e-4)


# ---- the built-in forms under other names ------------------------------------------------------------------------

RENAMED = {
    "additive": "Two powers",
    "multiplicative": "One power",
    "log-linear": "Line",
    "log-power": "Line and power",
    "log-shifted": "Line with a shift",
    "interaction": "Saddle",
    "saturating": "Broken line",
    "additive-d0": "Two powers alone",
    "tokens-power": "Power of the tokens",
    "tokens-log": "Line of the tokens",
}


def renamed(form: Form) -> Form:
    """It, and the fuller form that it simplifies, under other names."""
    fuller = form.simplifies
    return replace(form, name=RENAMED[form.name], simplifies=None if fuller is None else renamed(fuller))


def numbers(table: Runs, form: str) -> dict[str, Any]:
    """What a form says of runs: fit, intervals, comparison, plan, next run; of all sizes optimum and joint fit too."""
    law = planner.fit(table, form)
    region = profiler(law)
    low, high = region.predictions(7e9, np.array([1.0, 64.0, 576.0]))
    of_all_sizes = bool(FORMS.find(form).of_n)
    best = planner.plan(law, budget="2 TFLOPs" if of_all_sizes else "8 TFLOPs", **REQUEST).best
    points = (np.repeat([7e9, 14e9] if of_all_sizes else [7e9], 2), np.tile([16.0, 144.0], 2 if of_all_sizes else 1))
    rows = compare(table)
    found = {
        "params": law.params,
        "status": (law.status, law.advice, law.at_bound, law.rss),
        "intervals": {name: interval.to_list() for name, interval in region.parameters().items()},
        "predictions": (low.tolist(), high.tolist()),
        "compare": sorted((row.face, row.rss, row.aicc, row.weight) for row in rows),
        "draws": posterior(law, 50).predict(7e9, 64.0).tolist(),
        "plan": (best.llm.name, best.visual_tokens, best.predicted_error, best.interval, best.probability_best),
        "next": [(run.llm_params, run.visual_tokens, run.expected_gain) for run in next_runs(law, points, points).runs],
    }
    return found | (across_sizes(table, law) if of_all_sizes else {})


def across_sizes(table: Runs, law: FittedLaw) -> dict[str, Any]:
    """Optimum and joint fit, of which a law of the tokens alone knows none."""
    optimum = planner.optimum(law, budget=1e12, **REQUEST)
    by = table.visual_tokens > 20
    joint = planner.fit_joint(
        replace(table, compressor=tuple("many" if one else "few" for one in by)), law.form, by="compressor",
        shared=[name for name in law.params if name not in ("B", "beta", "c2")],
    )  # fmt: skip
    return {
        "optimum": (optimum.visual_tokens, optimum.visual_tokens_interval, optimum.closed_form),
        "joint": {group: (one.params, one.advice, one.remarks) for group, one in joint.laws.items()},
    }


@pytest.mark.slow
@pytest.mark.parametrize("form", RENAMED)
def test_a_built_in_form_under_another_name_gives_equal_numbers(form: str) -> None:
    FORMS.remove("shifted")
    table = planted(0.004)
    if not FORMS.find(form).of_n:
        table = table.take(table.llm_params == 7e9)  # of the tokens alone, for runs of one size
    before = numbers(table, form)
    built_in = tuple(FORMS)
    for one in built_in:
        FORMS.remove(one.name)
    try:
        for one in built_in:
            register(renamed(one))
        assert numbers(table, RENAMED[form]) == before
        with pytest.raises(UnknownNameError):
            planner.fit(table, form)
    finally:
        for name in RENAMED.values():
            FORMS.remove(name)
        for one in (*built_in, shifted_form.SHIFTED):
            register(one)
