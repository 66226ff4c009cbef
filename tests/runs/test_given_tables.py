"""Small tables as people bring them, each with its known answer: what is fitted, what is refused, what is said.

Truth of most: error = A/N^alpha + B/T^beta + D with A .4, alpha .1, B .19, beta .05, D 0, rounded to four digits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import Run

import planner
from planner.base.errors import RunsError
from planner.laws.averaging import fit_average, mix
from planner.laws.fitted import NOT_IDENTIFIED, FittedLaw
from planner.laws.intervals import identifiable

TABLES = Path(__file__).parent / "tables"
DEFAULT = {"A": 0.4, "alpha": 0.1, "B": 0.19, "beta": 0.05, "D": 0.0}
EXACT_D = {"A": 0.2, "alpha": 0.3, "B": 0.3, "beta": 0.5, "D": 0.15}


def fitted(name: str, **options: object) -> FittedLaw:
    return planner.fit(planner.read_runs(TABLES / name), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "params"), [("exact_D0.csv", DEFAULT), ("exact_D.csv", EXACT_D)])
def test_exact_tables_give_their_numbers(name: str, params: dict[str, float]) -> None:
    assert fitted(name).params == pytest.approx(params, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("N_T_acc.csv", "columns read: N as llm_params, T as visual_tokens, acc as score"),
        ("aliases.csv", "columns read: model as llm, params as llm_params, tokens as visual_tokens, accuracy as score"),
        (
            "wide.csv",
            "columns 1, 4, 16, 36, ... read as visual_tokens, their cells as scores (map error=values for errors)",
        ),
        ("tab.tsv", "m stands for all sizes: each size counts as an LLM of its own"),
        ("semi.csv", "m stands for all sizes: each size counts as an LLM of its own"),
    ],
)
def test_other_layouts_give_the_same_law_and_say_how_they_were_read(name: str, said: str) -> None:
    law = fitted(name)
    assert law.params == pytest.approx(DEFAULT, abs=1e-3)  # four digits of a score
    assert said in law.remarks


@pytest.mark.parametrize("name", ["percent_score.csv", "percent_sign.csv"])
def test_percentages_are_said(name: str) -> None:
    law = fitted(name)
    n, t = np.meshgrid([0.5e9, 4e9, 14e9], [1, 36, 576])
    truth = 0.4 * (n / 1e9) ** -0.1 + 0.19 * t**-0.05
    assert law.predict(n, t) == pytest.approx(truth, abs=5e-4)  # three digits of a score
    assert any("percent" in remark for remark in law.remarks)


def test_a_sum_of_points_needs_its_full_mark() -> None:
    with pytest.raises(RunsError, match="name their full mark with scale=, such as 2800 for MME"):
        planner.read_runs(TABLES / "mme.csv")
    runs = planner.read_runs(TABLES / "mme.csv", scale="mme")
    assert planner.fit(runs).predict(7e9, 36) == pytest.approx(0.4 * 7**-0.1 + 0.19 * 36**-0.05, abs=5e-4)
    assert "scores are read as of 2800" in runs.remarks


def test_two_tasks_are_pooled_only_on_request() -> None:
    runs = planner.read_runs(TABLES / "bench_wide.csv")
    for fit in (planner.fit, fit_average, planner.compare, planner.holdout):
        with pytest.raises(RunsError, match=r"the runs are of 2 tasks \(gqa, textvqa\), which are not pooled"):
            fit(runs)
    assert planner.fit(runs.select(task="gqa")).params == pytest.approx(DEFAULT, abs=1e-3)
    assert planner.fit(runs.select(task="textvqa")).params == pytest.approx(DEFAULT | {"A": 0.3}, abs=2e-3)


def test_fractional_tokens_are_right() -> None:
    assert fitted("mean_tokens.csv").params == pytest.approx(DEFAULT | {"B": 0.19 * 1.37**0.05}, abs=1e-3)


def test_a_cell_without_a_number_is_named() -> None:
    with pytest.raises(RunsError, match=r"^with_nan\.csv, line 19, column error: 'nan' is not finite"):
        planner.read_runs(TABLES / "with_nan.csv")


@pytest.mark.parametrize(
    ("name", "params", "letters"),
    [
        ("no_size_effect.csv", {"A": 0, "B": 0.3, "beta": 0.2, "D": 0.1}, "N"),
        ("no_token_effect.csv", {"A": 0.4, "alpha": 0.1, "B": 0, "D": 0.1}, "T"),
        ("constant.csv", {"A": 0, "B": 0, "D": 0.4}, "NT"),
    ],
)
def test_no_effect_is_said(name: str, params: dict[str, float], letters: str) -> None:
    law = fitted(name)
    assert {key: law.params[key] for key in params} == pytest.approx(params, abs=1e-6)
    assert law.status == NOT_IDENTIFIED
    for letter in "NT":
        assert (f"no fall of the error with {letter}" in law.advice) == (letter in letters)


def test_tokens_that_hurt_are_said_and_not_bought() -> None:
    law = fitted("tokens_hurt.csv")
    assert "no fall of the error with T but a rise" in law.advice
    plan = planner.plan(
        fit_average(planner.read_runs(TABLES / "tokens_hurt.csv")),
        budget="20 TFLOPs",
        query_tokens=50,
        generated_tokens=32,
        llms=["qwen1.5"],
    )
    assert plan.best.visual_tokens == 1


def test_a_u_shape_is_neither_fitted_nor_planned_in_silence() -> None:
    runs = planner.read_runs(TABLES / "u_shape.csv")
    (tested,) = planner.lack_of_fit(planner.fit(runs))
    assert "systematic in T" in tested.sentence
    for law, at_large in ((fit_average(runs), False), (planner.fit(runs), True)):
        plan = planner.plan(law, budget="20 TFLOPs", query_tokens=50, generated_tokens=32, llms=["qwen1.5"])
        assert any("the residuals are systematic in T (F = " in said for said in plan.assumptions)
        if not at_large:
            assert plan.best.visual_tokens < 144


def test_few_near_sizes_leave_the_error_that_stays_open() -> None:
    law = fitted("narrow.csv")
    intervals = planner.intervals(law)
    assert not identifiable(intervals)["D"]
    low, high = intervals["alpha"].low, intervals["alpha"].high
    assert not (low > 0.2 and high < 0.6)  # far wider than a factor of two around .4


def test_both_wild_runs_are_named_and_huber_shrugs_them_off() -> None:
    law = fitted("outliers.csv")
    (said,) = law.remarks
    assert said.startswith("check the runs m-0.5B at 36 visual tokens (31 times) and m-4.0B at 36 visual tokens (15 ")
    robust = fitted("outliers.csv", loss="huber")
    n, t = np.meshgrid([0.5, 4, 14], [1, 36, 576])
    assert robust.predict(n * 1e9, t) == pytest.approx(0.2 * n**-0.3 + 0.3 * t**-0.5 + 0.15, abs=5e-3)


def test_samples_weigh_by_their_binomial_variance() -> None:
    law = fitted("samples.csv")
    assert law.weighting == "samples"
    assert law.data is not None
    runs = planner.read_runs(TABLES / "samples.csv")
    assert runs.samples is not None
    assert len(np.unique(law.data.weights)) > 1
    assert fitted("samples.csv", weights="equal").params != law.params


LOSSES = TABLES / "loss_nats.csv"


def test_losses_are_read_only_as_losses() -> None:
    with pytest.raises(RunsError, match=r"errors from 2\.2641 to 3\.7675 are above 1: .* say kind='loss'"):
        planner.read_runs(LOSSES)
    runs = planner.read_runs(LOSSES, kind="loss")
    law = planner.fit(runs, n_unit_params=1)
    truth = {"A": 482, "alpha": 0.3478, "B": 2085, "beta": 0.3658, "D": 1.82}
    assert law.params == pytest.approx(truth, rel=5e-3)  # four digits after the point
    assert law.predicts == "loss"
    assert law.predict(74e6, 1e9) > 3.7  # nothing is cut at 1
    assert FittedLaw.from_dict(law.to_dict()).predicts == "loss"
    assert planner.compare(runs)[0].law.form == "additive"
    assert planner.holdout(runs).law.predicts == "loss"
    with pytest.raises(RunsError, match="scale= names a full mark, and a loss has none"):
        planner.read_runs(LOSSES, kind="loss", scale=100)


def test_a_plan_by_a_loss_has_no_score(tmp_path: Path) -> None:
    """Losses below 1 too: nothing but the law says that they are none of errors."""
    path = tmp_path / "runs.csv"
    rows = [f"m{n},{n}e9,{t},{0.3 + 0.2 / n**0.3 + 0.3 / t**0.5}" for n in (1, 2, 4, 8) for t in (4, 16, 64, 256)]
    path.write_text("\n".join(["llm,llm_params,visual_tokens,val_loss", *rows]))
    runs = planner.read_runs(path)
    assert (runs.kind, runs.remarks) == ("loss", ("columns read: val_loss as loss",))
    planner.runs.write_runs(runs, tmp_path / "again.csv")
    again = planner.read_runs(tmp_path / "again.csv")
    assert (again.kind, again.error.tolist()) == ("loss", runs.error.tolist())
    for law in (fit_average(runs), planner.fit(runs)):
        plan = planner.plan(law, budget="20 TFLOPs", query_tokens=50, generated_tokens=32, llms=["qwen1.5"])
        best = plan.to_dict()["best"]
        assert (plan.best.score, best["score"], best["predicts"]) == (None, None, "loss")
        assert 0.3 < plan.best.error < 1
        assert "predicted loss 0." in str(plan)
        assert "score" not in str(plan)
    optimum = planner.optimum(planner.fit(runs), budget="20 TFLOPs", query_tokens=50, generated_tokens=32)
    assert (optimum.score, "predicted loss" in str(optimum)) == (None, True)
    with pytest.raises(planner.InputError, match="all predict an error, or all a loss"):
        mix({"a": (planner.fit(runs), 0.5), "b": (planner.load_law("ocr"), 0.5)})
    with pytest.raises(planner.InputError, match="next runs are ranked by errors between 0 and 1"):
        planner.next_run(planner.fit(runs), budget="20 TFLOPs", workload=planner.Workload(50, 32), llms=["qwen1.5"])


def test_equal_scatter_gives_equal_estimates_whatever_the_stated_errors() -> None:
    one, other = fitted("se_0.02.csv"), fitted("se_0.0002.csv")
    assert one.params == pytest.approx(other.params, rel=1e-9)
    assert planner.intervals(one)["beta"].low == pytest.approx(planner.intervals(other)["beta"].low, rel=1e-9)


BASE = [(n, t) for n in (0.5, 1.8, 4, 7, 14) for t in (1, 4, 16, 36, 64, 144, 576)]


def truth(n: float, t: float) -> float:
    return float(0.4 * n**-0.1 + 0.19 * t**-0.05)


def table(header: str, row: str) -> str:
    lines = [row.format(n=n, vlm=n + 0.4, m=1000 * n, t=t, e=truth(n, t), p=100 * (1 - truth(n, t))) for n, t in BASE]
    return "\n".join([header, *lines]) + "\n"


SIBLINGS = {
    "a mark of the byte order": ("\ufeff" + table("llm,llm_params,visual_tokens,error", "m-{n}B,{n}B,{t},{e:.5f}"), ""),
    "line ends of Windows": (
        table("llm,llm_params,visual_tokens,error", "m-{n}B,{n}B,{t},{e:.5f}").replace("\n", "\r\n"),
        "",
    ),
    "errors in percent": (
        table("llm,llm_params,visual_tokens,error", "m-{n}B,{n}B,{t},{e:.3%}"),
        "errors are percentages",
    ),
    "millions": (
        table("llm,params (M),visual_tokens,error", "m-{n}B,{m:g},{t},{e:.5f}"),
        "params (M) as llm_params in millions",
    ),
    "a deviation": (
        table("llm,llm_params,visual_tokens,score", "m-{n}B,{n}B,{t},{p:.3f} ± 0.5"),
        "what stands behind ± in score is not read",
    ),
    "twice the same": (
        table("llm,llm_params,visual_tokens,error", "m-{n}B,{n}B,{t},{e:.5f}")
        + "m-14B,14B,576,"
        + f"{truth(14, 576):.5f}",
        "1 row repeats another one exactly",
    ),
    "an average": (
        table("llm,llm_params,visual_tokens,error", "m-{n}B,{n}B,{t},{e:.5f}") + "Average,,,0.5",
        "rows of averages left out: Average",
    ),
    "commas in names": (
        table("llm;llm_params;visual_tokens;score", "m-{n}B;{n}B;{t};{p:.3f}").replace(".", ","),
        "are read as percent",
    ),
    "text that is no size": (table("llm,llm_params,visual_tokens,error", "m-{n}B,{n}e9,{t},{e:.5f}"), ""),
}


@pytest.mark.parametrize("name", SIBLINGS)
def test_tables_of_the_same_kinds_are_read_right(tmp_path: Path, name: str) -> None:
    text, said = SIBLINGS[name]
    path = tmp_path / "runs.csv"
    path.write_bytes(text.encode())
    law = planner.fit(path)
    assert law.n_runs == 35
    assert law.predict(7e9, 36) == pytest.approx(truth(7, 36), abs=2e-4)
    remarks = " ".join(law.remarks)
    assert said in remarks
    assert "its name says" not in remarks


def test_sizes_of_whole_models_are_said(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(table("model,params,visual_tokens,error", "m-{n}B,{vlm}B,{t},{e:.5f}"))
    assert (
        "sizes lie above those in the names by 0.4B throughout, as a vision tower would add: llm_params counts the "
        "language model alone"
    ) in planner.read_runs(path).remarks
    path.write_text(table("model,params,visual_tokens,error", "m-{n}B,{n}B,{t},{e:.5f}"))
    assert not [said for said in planner.read_runs(path).remarks if "vision tower" in said]


@pytest.mark.parametrize("cell", ["N/A", "--", "NaN", "inf", "-0.5", "n.a."])
def test_cells_without_a_number_are_refused_by_line(tmp_path: Path, cell: str) -> None:
    lines = table("llm,llm_params,visual_tokens,error", "m-{n}B,{n}B,{t},{e:.5f}").splitlines()
    lines[18] = lines[18].rpartition(",")[0] + f",{cell}"
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    with pytest.raises(RunsError, match=r"^runs\.csv, line 19, column error: "):
        planner.read_runs(tmp_path / "runs.csv")


def test_a_mean_or_each_task_by_itself_has_to_be_asked_for(run: Run) -> None:
    table = TABLES / "bench_wide.csv"
    assert "their mean with --mean common, or fit them apart with fit --by task" in run("fit", table).complaint
    assert run("fit", table, "--mean", "common", "--json").json["params"]["A"] == pytest.approx(0.35, abs=2e-3)
    assert set(run("fit", table, "--mean", "by-task", "--by", "task", "--json").json["groups"]) == {"gqa", "textvqa"}
