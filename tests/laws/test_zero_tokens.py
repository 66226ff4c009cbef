"""Runs without visual tokens, T = 0: which forms use them, and that no result leaves them out in silence."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

import planner
from planner.laws.averaging import averaged, fit_average
from planner.laws.combined import CombinedLaw
from planner.laws.compare import compare, evidence, other_forms
from planner.laws.fit import fit
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS
from planner.laws.holdout import hold_out
from planner.laws.lack_of_fit import lack_of_fit
from planner.laws.runs_belief import belief_of
from planner.runs import read_runs
from planner.tell.law import law_story
from planner.tell.render import as_text

SIZES, TOKENS = (0.5, 2.0, 7.0), (4, 16, 64, 256)
TRUTH = {"c0": 0.75, "c1": 0.03, "c2": 0.04, "T0": 6.0}
LEFT_OUT = "3 runs without visual tokens (T = 0) left out, where the {} form is infinite; log-shifted can use them"


def table(noise: float = 0.0, zeros: bool = True, text_only: float | None = None) -> pd.DataFrame:
    """Errors of ln(T + T0), at T = 0 too; `text_only` puts the errors there elsewhere."""
    random = np.random.default_rng(1)
    form = FORMS.find("log-shifted")
    rows = []
    for size, tokens in product(SIZES, ((0, *TOKENS) if zeros else TOKENS)):
        error = float(form.value(TRUTH, size, tokens)) + noise * random.standard_normal()
        if not tokens and text_only is not None:
            error = text_only
        rows.append({"llm": f"m-{size}B", "llm_params": size * 1e9, "visual_tokens": tokens, "error": error})
    return pd.DataFrame(rows)


def test_the_forms_that_are_finite_without_tokens() -> None:
    assert [form.name for form in FORMS if form.finite_without_tokens] == ["log-shifted"]


def test_a_shifted_logarithm_uses_them_and_finds_the_truth() -> None:
    law = fit(table(), "log-shifted")
    assert law.params == pytest.approx(TRUTH, rel=1e-6)
    assert law.n_runs == 15 and not any("without visual tokens" in one for one in law.remarks)
    assert law.visual_tokens_levels == TOKENS
    bent = fit(table(text_only=0.9), "log-shifted")
    assert bent.params["T0"] < TRUTH["T0"] / 3  # a higher error without an image is a smaller shift
    without = fit(table(zeros=False), "log-shifted")
    assert without.params == pytest.approx(TRUTH, rel=1e-6)


@pytest.mark.parametrize("form", ["additive", "log-linear", "saturating", "interaction", "log-power"])
def test_other_forms_leave_them_out_and_say_so(form: str) -> None:
    law, without = fit(table(0.002), form), fit(table(0.002).query("visual_tokens > 0"), form)
    assert law.remarks[0] == LEFT_OUT.format(form)
    assert law.params == without.params and law.n_runs == 12
    assert without.remarks == law.remarks[1:]


def test_one_run_is_said_as_one() -> None:
    one = pd.concat([table(zeros=False), table().iloc[:1]])
    assert fit(one, "additive").remarks[0].startswith("1 run without visual tokens (T = 0) left out")
    assert fit(one, "additive").remarks[0].endswith("log-shifted can use it")


def test_runs_without_an_image_alone_are_no_law() -> None:
    with pytest.raises(planner.FitError, match=r"all 3 runs are without visual tokens \(T = 0\), where the log-linear"):
        fit(table().query("visual_tokens == 0"), "log-linear")


def test_forms_are_compared_on_the_runs_that_all_can_take() -> None:
    own, common = compare(read_runs(table(0.002))), compare(read_runs(table(0.002).query("visual_tokens > 0")))
    assert {(row.law.form, row.face): row.weight for row in own} == pytest.approx(
        {(row.law.form, row.face): row.weight for row in common}, abs=1e-9
    )
    assert next(row.law for row in own if row.law.form == "log-shifted").n_runs == 15
    law = fit(table(0.002), "log-shifted")
    assert {row.law.form: row.aicc for row in evidence(other_forms(law)) if not row.face} == pytest.approx(
        {row.law.form: row.aicc for row in common if not row.face}, abs=1e-6
    )


def test_the_average_uses_them_where_a_form_can() -> None:
    runs = table(0.001, text_only=0.9)
    found, without = fit_average(runs), fit_average(runs.query("visual_tokens > 0"))
    assert found.runs_of.form == "log-shifted" and found.runs_of.n_runs == 15
    assert dict(zip([one.form for one in found.members], found.weights, strict=True)) == pytest.approx(
        dict(zip([one.form for one in without.members], without.weights, strict=True)), abs=1e-6
    )  # how likely a form is rests on the runs that all can take
    at_one = float(found.predict(2e9, 1)), float(without.predict(2e9, 1))
    assert at_one[0] > at_one[1] + 0.003  # the errors without an image are high: with one token they are higher too
    assert float(found.predict(2e9, 64)) == pytest.approx(float(without.predict(2e9, 64)), abs=0.003)


def test_an_average_of_a_law_with_them_is_that_of_its_runs() -> None:
    runs = table(0.002)
    own = averaged(fit(runs, "log-shifted"))
    assert float(own.predict(2e9, 10)) == pytest.approx(float(fit_average(runs).predict(2e9, 10)), rel=1e-9)
    again = CombinedLaw.from_dict(own.to_dict())
    assert float(again.predict(2e9, 10)) == float(own.predict(2e9, 10))


def test_the_misfit_at_no_tokens_says_nothing_of_few() -> None:
    """Errors without an image far off the law: its own offset takes them, beside all measured counts the rest stays."""
    law = fit(table(0.001, text_only=0.5), "log-shifted")
    belief = belief_of(law)
    expected = belief.expected(belief.measured)
    assert np.isfinite(expected).all()
    zero = belief.measured.t == 0
    assert np.abs(expected[~zero] - belief.measured.y[~zero]).max() < 0.02
    assert all(np.isfinite(test.statistic) for one in lack_of_fit(averaged(law)) for test in one.tests)


def test_a_hold_out_and_a_joint_fit_say_that_they_leave_them_out() -> None:
    found = hold_out(table(0.002), "log-shifted")
    said = "3 runs without visual tokens (T = 0) left out: baselines and distances are in ln T"
    assert said in found.law.remarks
    assert min(fold.visual_tokens.min() for fold in found.leave_one_t) == 4
    joint = planner.fit_joint(table(0.002).assign(task="a"), "log-linear", by="task")
    assert LEFT_OUT.format("log-linear") in joint.remarks


def test_a_picture_and_the_verdict_do_without_them() -> None:
    law = fit(table(0.002), "log-shifted")
    assert planner.plot_law(law, bands=False).axes
    again = FittedLaw.from_dict(law.to_dict())
    assert again.data is not None and again.data.t.min() == 0


def test_the_story_of_an_average_says_which_form_uses_them() -> None:
    text = as_text(law_story(fit_average(table(0.002))), ".md")
    assert "3 runs without visual tokens (T = 0): log-shifted uses them, the other forms are infinite there" in text
