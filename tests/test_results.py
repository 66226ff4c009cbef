"""What results show of themselves: a line, a story in a notebook, rows, a picture, a formula."""

from __future__ import annotations

import html
import io
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError
from planner.base.result import Result
from planner.bench.grid_verdict import GridVerdict, Order
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS, Form, Parameter, forms_for
from planner.laws.forms.latex import latex_of
from planner.laws.holdout import SPLITS, score
from planner.tell.document import Chart, values_of
from planner.tell.plan import plan_story
from planner.tell.stories import story_of

RUNS = str(Path(__file__).parents[1] / "fitted_laws" / "runs" / "qwen1.5_tokenpacker_reasoning.csv")
FILES = Path(__file__).parent / "files_0_1"
REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}

SHOWN = {
    "law": "FittedLaw('reasoning', additive, 28 runs, at a bound: D)",
    "given law": "FittedLaw(log-linear, given)",
    "average": (
        "CombinedLaw('reasoning', average of log-linear 79 %, log-power 8 %, interaction 8 %, log-shifted 3 %, "
        "additive 2 %, saturating 1 %)"
    ),
    "mix": "CombinedLaw(mix of reasoning 70 %, ocr 30 %)",
    "plan": "Plan(Qwen1.5-4B with 64 visual tokens, error 0.5028, 1.66 TFLOPs (full count); 21 of 56 fit)",
    "cost": "RequestCost(Qwen2.5-7B with 16 visual tokens, bf16 on l4, batch 1: 2.35 TFLOPs, TTFT 133 ms)",
    "cost without times": "RequestCost(Qwen2.5-7B with 16 visual tokens, bf16, batch 1: 2.35 TFLOPs)",
    "hardware": "Hardware('l4', 'NVIDIA L4 24 GB')",
    "measurement": (
        "Measurement('Qwen2.5-0.5B' with 36 visual tokens, bf16, batch 1, eager: TTFT 5.06 ms, TPOT 1.14 ms)"
    ),
    "verdict": (
        "Verdict(passed, 'Qwen2.5-0.5B with 36 visual tokens on NVIDIA H100 80GB HBM3: 1 check, all passed; the time "
        "furthest off: TTFT x 1.20 slower, at most x 1.50')"
    ),
    "grid": "GridVerdict(passed, 2 cells, 0 failed, 0 pairs in the wrong order)",
    "calibration": "Calibration('l4', 'NVIDIA L4 24 GB', 1 shapes)",
    "joint": "JointFit(log-linear, 4 groups by llm share c0, c1; 28 runs, converged)",
    "holdout": "HoldOut(log-linear, 28 runs, 14 folds, 0 skipped)",
    "next run": "NextMeasurement(14B with 4 visual tokens, expected gain 0.000738)",
    "next evaluations": ("NextEvaluations(Qwen3-VL-2B-Instruct with 768 visual tokens, expected gain 0.000299)"),
    "optimum": "ContinuousOptimum(8.05B parameters with 12.1 visual tokens, predicted error 0.4897, score 51.0 %)",
}


@cache
def result(name: str) -> Any:
    made = {
        "law": lambda: planner.load_law("reasoning"),
        "given law": lambda: planner.FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.02, "c2": 0.01}),
        "average": lambda: planner.load_law("reasoning", "auto"),
        "mix": lambda: planner.load_mix("reasoning=0.7,ocr=0.3"),
        "plan": lambda: planner.plan(budget="2 TFLOPs", **REQUEST),
        "cost": lambda: planner.cost("Qwen2.5-7B", 16, hardware="l4", **REQUEST),
        "cost without times": lambda: planner.cost("Qwen2.5-7B", 16, **REQUEST),
        "hardware": lambda: planner.find_hardware("l4"),
        "measurement": lambda: planner.load_measurement(FILES / "measurement.json"),
        "verdict": lambda: planner.load_verdict(FILES / "verdict.json"),
        "grid": lambda: GridVerdict((result("verdict"),) * 2, (Order("ttft_s", 0, 0, ()),)),
        "calibration": lambda: planner.Calibration.load(FILES / "calibration.json"),
        "joint": lambda: planner.fit_joint(RUNS, "log-linear", by="llm", shared=["c0", "c1"]),
        "holdout": lambda: planner.holdout(RUNS, "log-linear"),
        "next run": lambda: planner.next_run("reasoning", budget="4 TFLOPs", query_tokens=50, generated_tokens=32),
        "next evaluations": lambda: planner.next_run(
            budget=planner.Budget(ttft="40 ms"), models="qwen3-vl", image="1024x768", hardware="h100-sxm", **REQUEST
        ),
        "optimum": lambda: planner.optimum("paper", budget="1 TFLOPs", query_tokens=50, generated_tokens=0),
    }
    return made[name]()


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_one_line(name: str) -> None:
    assert repr(result(name)) == SHOWN[name]


# ---- in a notebook ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_shows_the_whole_story(name: str) -> None:
    """Every number of the story is in the frame, and the frame leaves the notebook alone."""
    shown = result(name)._repr_html_()
    assert re.fullmatch(r'<iframe title="[^"<>]*" style="[^"<>]*" onload="[^"<>]*" srcdoc="[^"]*"></iframe>', shown)
    page = html.unescape(re.findall(r'srcdoc="([^"]*)"', shown)[0])
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    words = html.unescape(page)
    story = plan_story(result(name)) if name == "plan" else story_of(result(name))
    values = list(values_of(story))
    assert len(values) > (2 if name == "optimum" else 5)
    charts = [block for section in story.sections for block in section.blocks if isinstance(block, Chart)]
    ticks = {tick.value for chart in charts for axis in (chart.x, chart.y) for tick in axis.ticks}  # not all have room
    assert [value.text for value in values if value not in ticks and value.text not in words] == []


def test_what_has_no_story_is_its_line_of_text() -> None:
    class Untold(Result):
        pass

    assert Untold()._repr_html_() is None


def test_markup_in_a_name_stays_text() -> None:
    law = planner.FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.02, "c2": 0.01}, name='"><script>alert(1)</script>')
    shown = law._repr_html_()
    page = html.unescape(re.findall(r'srcdoc="([^"]*)"', shown)[0])
    assert "alert(1)" in page
    assert "<script" not in page


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_rows_of_a_law_are_its_runs() -> None:
    law, frame = result("law"), result("law").to_frame()
    assert len(frame) == law.n_runs == 28
    np.testing.assert_allclose(
        frame["predicted_error"], law.predict(frame["llm_params"], frame["visual_tokens"]), rtol=1e-15
    )
    assert float((frame["residual"] ** 2).sum()) == pytest.approx(law.rss, rel=1e-12)
    np.testing.assert_array_equal(frame["residual"], frame["error"] - frame["predicted_error"])
    with pytest.raises(InputError, match=r"^to_frame needs a fitted law: this one was given, it has no runs$"):
        result("given law").to_frame()


def test_rows_of_a_combined_law_are_its_members() -> None:
    frame = result("mix").to_frame()
    assert list(frame["law"]) == ["reasoning", "ocr"]
    assert tuple(frame["weight"]) == result("mix").weights
    assert list(frame["runs"]) == [28, 27]


def test_rows_of_a_cost_are_its_stages() -> None:
    cost, frame = result("cost"), result("cost").to_frame()
    assert list(frame["stage"]) == ["encoder", "compressor", "query_pass", "prefill", "decode"]
    assert float(frame["flops"].sum()) == float(cost.flops.total)
    assert float(frame["seconds"].sum()) == pytest.approx(float(cost.latency.request_s), rel=1e-12)
    assert result("cost without times").to_frame()["seconds"].isna().all()


def test_rows_of_what_was_measured() -> None:
    measurement, frame = result("measurement"), result("measurement").to_frame()
    assert dict(zip(frame["stage"], frame["median_s"], strict=True)) == {
        name: one.median_s for name, one in measurement.samples.items()
    }
    checks = result("verdict").to_frame()
    assert list(checks["name"]) == list(result("verdict").names)
    assert checks["error"][0] == result("verdict").checks[0].error
    grid = result("grid").to_frame()
    assert len(grid) == 2 * len(checks)
    assert set(grid["llm"]) == {"Qwen2.5-0.5B"}
    calibration = result("calibration")
    rows = calibration.to_frame()
    assert len(rows) == sum(len(shape.measured_s) for shape in calibration.shapes)
    assert rows["measured_s"][0] == next(iter(calibration.shapes[0].measured_s.values()))


def test_rows_of_a_joint_fit_are_its_groups() -> None:
    joint, frame = result("joint"), result("joint").to_frame()
    assert list(frame["group"]) == list(joint.laws)
    assert int(frame["runs"].sum()) == sum(law.n_runs for law in joint.laws.values())
    assert frame["c2"].tolist() == [law.params["c2"] for law in joint.laws.values()]
    assert set(frame["c0"]) == {joint["Qwen1.5-4B"].params["c0"]}


def test_rows_of_a_holdout_are_the_runs_that_were_held_out() -> None:
    found, frame = result("holdout"), result("holdout").to_frame()
    assert len(frame) == sum(len(fold.measured) for split in SPLITS for fold in found.folds(split))
    of_n = frame[frame["split"] == "leave_one_n"]
    assert len(of_n) == found.law.n_runs  # each run is held out once
    off = (of_n["law"] - of_n["measured"]).abs() / of_n["measured"]
    assert float(off.mean()) == pytest.approx(score(found.leave_one_n).mean_relative_error, rel=1e-12)


# ---- pictures and intervals ------------------------------------------------------------------------------------------


def test_a_picture_is_the_public_one() -> None:
    def drawn(figure: Any) -> bytes:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None})
        return stream.getvalue()

    law = result("law")
    assert drawn(law.plot(query_tokens=5, bands=False)) == drawn(planner.plot_law(law, 5, bands=False))
    assert drawn(result("plan").plot()) == drawn(planner.plot_frontier(result("plan")))
    with pytest.raises(InputError, match=r"^this picture is of one form of one law, got form 'auto'; name a form$"):
        result("average").plot()
    with pytest.raises(InputError, match=r"^this calibration predicts nothing that was measured: there is nothing to "):
        result("calibration").plot()


def test_intervals_are_the_public_ones() -> None:
    law = result("law")
    assert str(law.intervals()) == str(planner.intervals(law))
    assert str(law.intervals(0.5)) == str(planner.intervals(law, 0.5))
    average = result("average")
    found = average.intervals()
    additive = next(one for one in average.members if one.form == "additive")
    assert str(found["additive.alpha"]) == str(planner.intervals(additive)["alpha"])
    assert list(found)[:3] == ["log-linear.c0", "log-linear.c1", "log-linear.c2"]
    with pytest.raises(InputError, match="this one was given, it has no runs"):
        result("given law").intervals()


# ---- LaTeX -----------------------------------------------------------------------------------------------------------


def evaluated(text: str, n: float, t: float) -> float:
    """What a formula of the forms is worth, by the rules of its few LaTeX commands."""
    group = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
    python = (
        text.partition("=")[2]
        .partition(r", \quad")[0]
        .replace(r"\left", "")
        .replace(r"\right", "")
        .replace(r"\times", "*")
    )
    python = re.sub(rf"\\frac{group}{group}", r"((\1)/(\2))", python)
    python = re.sub(r"\^\{([^{}]*)\}", r"**(\1)", python)
    python = re.sub(r"\\ln \\min\(([^)]*)\)", r"*log(min(\1))", python)
    python = re.sub(r"\\ln\(([^)]*)\)", r"*log(\1)", python)
    python = re.sub(r"\\ln ([NT])", r"*log(\1)", python)
    python = re.sub(r"([\d)]) ([(NT])", r"\1*\2", python)
    return float(eval(python, {"N": n, "T": t, "log": math.log, "min": min}))  # our own text


@pytest.mark.parametrize("form", [*[one.name for one in forms_for(2)], "auto"])
def test_the_formula_predicts_what_the_law_does(form: str) -> None:
    law = planner.load_law("ocr", form)
    for size, tokens in ((0.5e9, 1.0), (7e9, 64.0), (72e9, 576.0)):
        value = evaluated(law.to_latex(digits=15), size / 1e9, tokens)
        if isinstance(law, planner.CombinedLaw):  # its formula is the mean of the forms, without what they leave out
            forms = zip(law.weights, law.members, strict=True)
            assert value == pytest.approx(sum(w * one.predict(size, tokens) for w, one in forms), rel=1e-12)
        else:
            assert value == pytest.approx(law.predict(size, tokens), rel=1e-12)


def test_a_mix_is_a_sum_of_formulas() -> None:
    mix = result("mix")
    assert evaluated(mix.to_latex(15), 4.0, 36.0) == pytest.approx(mix.predict(4e9, 36.0), rel=1e-12)


@pytest.mark.parametrize(
    ("form", "params", "text"),
    [
        (
            "additive",
            {"A": 0.29127, "alpha": 0.22641, "B": 3.1678e-4, "beta": 1.0, "D": -0.05},
            r"Y = \frac{0.2913}{N^{0.2264}} + \frac{3.168 \times 10^{-4}}{T^{1}} + \left(-0.05\right)",
        ),
        ("multiplicative", {"A": 1234567.0, "alpha": 0.1, "beta": 2e-7, "D": -0.0},
         r"Y = \frac{1.235 \times 10^{6}}{N^{0.1} T^{2.000 \times 10^{-7}}}"),
        ("log-linear", {"c0": 123456.0, "c1": 0.5, "c2": 0.25}, r"Y = 123456 - 0.5 \ln N - 0.25 \ln T"),
    ],
)  # fmt: skip
def test_numbers_stand_where_symbols_stood(form: str, params: dict[str, float], text: str) -> None:
    assert latex_of(FORMS.find(form), params) == text


def test_the_unit_of_n_is_said_and_a_floor_of_zero_is_not() -> None:
    law = planner.load_law("reasoning")
    assert law.params["D"] == 0
    assert law.to_latex() == (
        r"Y = \frac{0.4013}{N^{0.1011}} + \frac{0.1885}{T^{0.05007}}, \quad N \text{ in billions of parameters}"
    )
    given = {"c0": 0.6, "c1": 0.04, "c2": 0.01}
    for unit, said in (
        (1.0, r"N \text{ in parameters}"),
        (1e6, r"N \text{ in millions of parameters}"),
        (5e8, r"N \text{ in units of 500000000 parameters}"),
    ):
        one = replace(FittedLaw.given("log-linear", given), n_unit_params=unit)
        assert one.to_latex() == rf"Y = 0.6 - 0.04 \ln N - 0.01 \ln T, \quad {said}"
    other = replace(law, n_unit_params=1e6)
    with pytest.raises(InputError, match=r"^to_latex: N has one unit in a formula"):
        replace(result("mix"), members=(law, other)).to_latex()
    assert result("mix").to_latex(2).endswith(r"\right), \quad N \text{ in billions of parameters}")


def linear(latex: str) -> Form:
    return Form(
        name="linear",
        formula="Y = a - b N - c T",
        latex=latex,
        parameters=(Parameter(name="a"), Parameter(name="b"), Parameter(name="c", latex=r"\gamma")),
        function=lambda p, n, t: p["a"] - p["b"] * n - p["c"] * t,
        of_n=("b",),
        of_t=("c",),
    )


def test_symbols_are_not_looked_for_inside_words() -> None:
    params = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert latex_of(linear(r"Y = a - b\,N \quad\text{tab} - \gamma T"), params) == (
        r"Y = 1 - 2\,N \quad\text{tab} - 3 T"
    )
    with pytest.raises(InputError, match=r"^form 'linear' has no formula in LaTeX: give it one, as Form\("):
        latex_of(linear(""), params)
    with pytest.raises(InputError, match=r"its formula in LaTeX, Y = a - b N, has no \\gamma in it$"):
        latex_of(linear("Y = a - b N"), params)
