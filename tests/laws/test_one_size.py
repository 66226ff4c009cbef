"""Runs of one language model: forms of the tokens alone, or the effect of N of another law."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import lmfit
import numpy as np
import pytest

import planner
from planner.base.errors import FitError, InputError
from planner.laws.compare import compare
from planner.laws.forms import get_form
from planner.runs import Runs, read_runs

TOKENS = np.array([1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0])
REQUEST = {"query_tokens": 50, "generated_tokens": 32}


@pytest.fixture(scope="module")
def quecc() -> Runs:
    """Four token counts of one 7B model."""
    file = Path(str(resources.files("fitted_laws") / "runs" / "vicuna7b_compressors_table1.csv"))
    return planner.mean_over_tasks(planner.read_runs(file).select(compressor="quecc"))


def test_one_size_alone_is_refused(quecc: Runs) -> None:
    with pytest.raises(FitError, match=r"^too few LLM sizes \(N\): the log-linear form needs 2 levels"):
        planner.fit(quecc, "log-linear")


def test_a_borrowed_slope_is_that_of_the_joint_fit(quecc: Runs) -> None:
    """The lender's runs are far more, yet the joint fit moves c1 by rounding only: one size says nothing of it."""
    lender, joint = planner.load_law("reasoning", "log-linear"), planner.load_law("quecc", "log-linear")
    law = planner.fit(quecc, "log-linear", borrow_n=lender)
    assert law.params == pytest.approx(joint.params, rel=1e-9)
    assert law.params["c1"] == lender.params["c1"]
    assert law.remarks[-1] == "the effect of N (c1) is that of the law reasoning, measured elsewhere"
    held = lmfit.Parameters()
    held.add("c1", value=lender.params["c1"], vary=False)
    assert planner.fit(quecc, "log-linear", params=held).params == law.params
    plan = planner.plan(law, budget="2 TFLOPs", query_tokens=50, generated_tokens=32, llms="qwen1.5")
    assert plan.best.predicted_error == law.predict(plan.best.llm.nominal_params, plan.best.visual_tokens)


def test_what_cannot_be_borrowed_is_refused(quecc: Runs) -> None:
    lender = planner.load_law("reasoning", "log-linear")
    with pytest.raises(InputError, match=r"^borrow_n: expected a law of the additive form, got one of the log-linear"):
        planner.fit(quecc, "additive", borrow_n=lender)
    with pytest.raises(InputError, match=r"^borrow_n: expected a law whose unit of N is 1e"):
        planner.fit(quecc, "log-linear", borrow_n=lender, n_unit_params=1e6)
    held = lmfit.Parameters()
    held.add("c1", value=0.1, vary=False)
    with pytest.raises(InputError, match=r"^borrow_n: c1 is borrowed, and fixed, tied or bounded too"):
        planner.fit(quecc, "log-linear", borrow_n=lender, params=held)


# --- tokens alone -----------------------------------------------------------------------------------------------------


def planted(form: str, noise: float, **params: float) -> Runs:
    t = np.tile(TOKENS, 2)
    error = get_form(form).value(params, np.ones(len(t)), t) + noise * np.random.default_rng(3).standard_normal(len(t))
    return Runs(("Qwen1.5-7B",) * len(t), np.full(len(t), 7e9), t, error)


def test_the_logarithm_is_a_straight_line() -> None:
    runs = planted("tokens-log", 0.003, c0=0.5, c2=0.01)
    slope, height = np.polyfit(np.log(runs.visual_tokens), runs.error, 1)
    law = planner.fit(runs, "tokens-log")
    assert law.params == pytest.approx({"c0": height, "c2": -slope}, rel=1e-9)
    assert compare(runs)[0].law.form == "tokens-log"


def test_the_power_is_the_best_of_all_exponents() -> None:
    runs = planted("tokens-power", 0.002, B=0.2, beta=0.7, D=0.3)
    law = planner.fit(runs, "tokens-power")
    least = np.inf
    for beta in np.linspace(0.3, 1.2, 3001):
        columns = np.stack([runs.visual_tokens**-beta, np.ones(len(runs))], axis=1)
        residual = columns @ np.linalg.lstsq(columns, runs.error)[0] - runs.error
        least = min(least, float(residual @ residual))
    assert law.rss == pytest.approx(least, rel=1e-5)
    assert law.rss <= least * (1 + 1e-12)
    assert law.params == pytest.approx({"B": 0.2, "beta": 0.7, "D": 0.3}, rel=0.05)
    assert compare(runs)[0].law.form == "tokens-power"


def test_a_plan_compares_token_counts_of_that_model_alone() -> None:
    law = planner.fit(planted("tokens-power", 0.0, B=0.2, beta=0.7, D=0.3), "tokens-power", name="mine")
    plan = planner.plan(law, budget="3 TFLOPs", **REQUEST)
    assert {one.llm.name for one in (plan.best, *plan.runners_up)} == {"Qwen1.5-7B"}
    assert plan.best.visual_tokens == max(one.visual_tokens for one in (plan.best, *plan.runners_up))
    assert plan.best.predicted_error == law.predict(7e9, plan.best.visual_tokens)
    sentence = r"^the law mine is of one language model, Qwen1.5-7B of 7B, and says nothing of other sizes, got 0.5B"
    with pytest.raises(InputError, match=sentence):
        planner.plan(law, budget="3 TFLOPs", llms="qwen1.5", **REQUEST)
    with pytest.raises(InputError, match="says nothing of other sizes"):
        planner.optimum(law, budget=1e12, **REQUEST)


def test_runs_of_several_sizes_have_no_law_of_the_tokens_alone() -> None:
    file = str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_ocr.csv")
    with pytest.raises(FitError, match=r"^the tokens-log form is for runs of one language model, the runs have 4"):
        planner.fit(file, "tokens-log")
    with pytest.raises(FitError, match=r"form is for runs of one language model: fit each group alone$"):
        planner.fit_joint(read_runs(file).to_frame(), "tokens-log", by="llm")
