"""Runs of one language model with the effect of N of another law."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import lmfit
import pytest

import planner
from planner.base.errors import FitError, InputError
from planner.runs import Runs


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
    with pytest.raises(InputError, match="^borrow_n: expected a law of the additive form, got one of the log-linear"):
        planner.fit(quecc, "additive", borrow_n=lender)
    with pytest.raises(InputError, match="^borrow_n: expected a law whose unit of N is 1e"):
        planner.fit(quecc, "log-linear", borrow_n=lender, n_unit_params=1e6)
    held = lmfit.Parameters()
    held.add("c1", value=0.1, vary=False)
    with pytest.raises(InputError, match="^borrow_n: c1 is borrowed, and params= says it too"):
        planner.fit(quecc, "log-linear", borrow_n=lender, params=held)
