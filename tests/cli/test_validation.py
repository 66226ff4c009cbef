"""compare and holdout on the command line: JSON, and what people see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.cells import cell_len
from support import Run

import planner
from planner.laws.compare import compare
from planner.laws.forms import forms_for, opinions
from planner.laws.holdout import hold_out, score

VERBS = ("compare", "holdout")
POWERS = ("additive", "multiplicative")


def write(folder: Path, frame: pd.DataFrame) -> Path:
    target = folder / "runs.csv"
    frame.to_csv(target, index=False)
    return target


def some_of(runs: Path, folder: Path, **allowed: list[Any]) -> Path:
    """The published runs whose columns have certain values."""
    frame = pd.read_csv(runs, keep_default_na=False)
    for column, values in allowed.items():
        frame = frame[frame[column].isin(values)]
    return write(folder, frame)


# --- compare ----------------------------------------------------------------------------------------------------------


def test_compare_prints_the_forms_as_json(run: Run, runs: Path) -> None:
    found = run("compare", runs, "--json").json
    assert {"forms", "best"} <= set(found)
    assert (found["best"], found["not_compared"]) == ("log-linear", {})
    assert [(row["form"], row["face"], row["parameters"]) for row in found["forms"]] == [
        ("log-linear", "", 3),
        ("interaction", "", 4),
        ("saturating", "", 4),
        ("log-shifted", "", 4),
        ("log-power", "", 4),
        ("additive", "D = 0", 4),
        ("multiplicative", "D = 0", 3),
        ("additive", "", 5),
        ("multiplicative", "", 4),
    ]
    assert [row["delta"] for row in found["forms"]] == pytest.approx(
        [0, 0.53, 2.46, 3.00, 3.01, 6.4, 8.5, 9.7, 11.4], abs=0.06
    )
    assert [row["distinguishable"] for row in found["forms"]] == [False] * 5 + [True] * 4
    assert sum(row["weight"] for row in found["forms"]) == pytest.approx(1.0)
    names = {"form", "face", "parameters", "rss", "aicc", "delta", "weight", "distinguishable"}
    for row, law in zip(found["forms"], compare(planner.read_runs(runs)), strict=True):
        assert set(row) == names
        assert (row["rss"], row["aicc"]) == (law.law.rss, law.aicc)


def test_compare_says_what_is_told_apart_before_the_numbers(run: Run, runs: Path) -> None:
    done = run("compare", runs)
    assert done.out.startswith("best: log-linear (converged), with 39 % of the weight\n")
    assert "clearly worse than the best (AICc difference >= 4): additive, D = 0; multiplicative, D = 0" in done.words
    assert "no clear difference between additive, D = 0 and multiplicative, D = 0 (AICc 2.1)" in done.words
    assert done.words.index("no clear difference") < done.words.index("forms, best first")
    assert "│ additive, D = 0       │      4 │ 3.168e-04 │ -306.2 │  6.4 │    2 % │   yes │" in done.out
    assert "│ log-linear            │      3 │ 2.805e-04 │ -312.6 │  0.0 │   39 % │     - │" in done.out


def test_compare_names_what_is_tied_with_the_best(run: Run, runs: Path, tmp_path: Path) -> None:
    """With five times the residuals, no form is told from the best."""
    frame = pd.read_csv(runs, keep_default_na=False)
    law = planner.fit(planner.read_runs(runs), "log-linear")
    predicted = 1 - law.predict(frame.llm_params.to_numpy(), frame.visual_tokens.to_numpy())
    file = write(tmp_path, frame.assign(score=predicted + 5 * (frame.score - predicted)))
    found = run("compare", file, "--json").json
    assert not any(row["distinguishable"] for row in found["forms"] if row["face"] == "D = 0")
    sentence = run("compare", file).words.split("not clearly worse than the best: ")[1].split(" forms, best first")[0]
    others = {
        "additive, D = 0",
        "multiplicative, D = 0",
        *(form.name for form in opinions() if form.name not in POWERS),
    }
    others -= {found["best"], f"{found['best']}, D = 0"}
    assert set(sentence.split("; ")) == others


def test_compare_says_which_forms_cannot_be_fitted(run: Run, runs: Path, tmp_path: Path) -> None:
    file = some_of(runs, tmp_path, llm_params=[5e8, 7e9])
    found = run("compare", file, "--json").json
    assert {row["form"] for row in found["forms"]} == {one.name for one in forms_for(2)} - set(POWERS)
    assert set(found["not_compared"]) == set(POWERS)
    assert found["not_compared"]["additive"].startswith("too few LLM sizes (N): the additive form needs 3 levels")
    assert "note: multiplicative is not compared: too few LLM sizes (N)" in run("compare", file).words


def test_compare_with_too_few_runs_says_so(run: Run, runs: Path, tmp_path: Path) -> None:
    file = some_of(runs, tmp_path, llm_params=[5e8, 7e9], visual_tokens=[1, 576])
    found = run("compare", file, "--json").json
    assert found["best"] is None
    assert [(row["aicc"], row["delta"], row["weight"]) for row in found["forms"]] == [(None, None, 0.0)] * 3
    assert run("compare", file).out.startswith("too few runs to compare forms: 4 runs, 3 parameters and more\n")


def test_compare_takes_a_part_of_the_runs_and_weights(run: Run, runs: Path, tmp_path: Path) -> None:
    only = run("compare", runs, "--compressor", "tokenpacker", "--json").json
    taken = compare(planner.read_runs(runs).select(compressor="tokenpacker"))
    assert [row["aicc"] for row in only["forms"]] == [row.aicc for row in taken]
    frame = pd.read_csv(runs, keep_default_na=False)
    file = write(tmp_path, frame.assign(error_se=[0.001 + 0.0005 * (i % 7) for i in range(28)]))
    weighted = run("compare", file, "--json").json["forms"]
    equal = run("compare", file, "--weights", "equal", "--json").json["forms"]
    assert weighted[0]["aicc"] != equal[0]["aicc"]
    assert equal == run("compare", runs, "--json").json["forms"]
    task = "visual-reasoning (mean of the paper's benchmarks)"
    assert run("compare", runs, "--task", task, "--json").json["forms"] == equal


# --- holdout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "mean"), [(None, 0.0035), ("multiplicative", 0.0045)])
def test_holdout_prints_every_fold_as_json(run: Run, runs: Path, form: str | None, mean: float) -> None:
    found = run("holdout", runs, *(["--form", form] if form else []), "--json").json
    assert {"rollout", "leave_one_n", "leave_one_t", "baselines", "coverage", "verdict"} <= set(found)
    assert found["form"] == (form or "additive")
    (fold,) = found["rollout"]
    assert (fold["held_out_llm_params"], fold["training_llm_params"]) == (7e9, [5e8, 1.8e9, 4e9])
    assert fold["mean_relative_error"] == pytest.approx(mean, abs=5e-5)
    assert fold["max_relative_error"] < 0.01
    assert fold["distance"] == pytest.approx(0.269, abs=5e-4)
    assert [cell["visual_tokens"] for cell in fold["cells"]] == [1, 4, 16, 36, 64, 144, 576]
    for cell in fold["cells"]:
        assert set(cell["baselines"]) == set(fold["baselines"]) == {"nearest", "line", "one_line", "mean"}
        for kind in ("mean", "new-run"):
            low, high = cell["intervals"][kind]
            assert low <= cell["predicted"] <= high
        assert cell["relative_error"] == pytest.approx(abs(cell["predicted"] / cell["measured"] - 1))
    assert [one["held_out_llm_params"] for one in found["leave_one_n"]] == [5e8, 1.8e9, 4e9, 7e9]
    assert [one["held_out_visual_tokens"] for one in found["leave_one_t"]] == [1, 4, 16, 36, 64, 144, 576]


def test_holdout_pools_baselines_and_coverage(run: Run, runs: Path) -> None:
    found = run("holdout", runs, "--json").json
    folds = hold_out(str(runs)).leave_one_t
    line = score(folds, "line")
    assert found["baselines"]["leave_one_t"]["line"] == {
        "mean_relative_error": line.mean_relative_error,
        "max_relative_error": line.max_relative_error,
        "runs_count": 28,
    }
    assert found["law"]["leave_one_t"]["mean_relative_error"] == score(folds).mean_relative_error
    assert found["coverage"]["level"] == 0.95
    assert found["coverage"]["rollout"]["new-run"] == {"inside_count": 7, "runs_count": 7}
    assert found["coverage"]["leave_one_n"]["mean"]["runs_count"] == 28


def test_holdout_says_what_is_identified_before_the_numbers(run: Run, runs: Path) -> None:
    done = run("holdout", runs)
    heading, first = done.out.splitlines()[:2]
    assert heading == "how well the additive law predicts runs that it has not seen"
    assert first == "- D is not identified: 95 % upper bound 0.1579"
    for sentence in (
        "predictions are identified: 95 % half-width at most 0.7 % of the error inside the data",
        "roll-out over N: mean error 0.35 %, less than the best baseline: line at each level, 0.72 %",
        "leave one N out: mean error 1.27 %, and a baseline does as well or better: line at each level, 0.83 %",
        "95 % new-run intervals hold 7 of 7 (roll-out over N), 26 of 28 (leave one N out), 27 of 28",
    ):
        assert sentence in done.words
        assert done.words.index(sentence) < done.words.index("predictor")
    assert "│ the law            │   0.35 / 0.67 % │" in done.out
    assert "│ 0.5B to 4B │   N = 7B │   0.27 │     0.35 % │ 0.67 % │  7 of 7 │ 7 of 7 │" in done.out
    assert "│ all others │  T = 576 │   0.28 │" in done.out
    assert run("holdout", runs, "--json").json["verdict"] == [
        "D is not identified: 95 % upper bound 0.1579",
        "predictions are identified: 95 % half-width at most 0.7 % of the error inside the data",
    ]


def test_holdout_says_where_a_law_predicts_the_impossible(run: Run, ocr: Path) -> None:
    """Trained on 1.8B to 7B, the additive law of the text-reading runs is far above 1 at 0.5B."""
    done = run("holdout", ocr)
    assert (
        "note: trained on all others, the law predicts an error of 1.799 at N = 0.5B, which no model has" in done.words
    )


def test_holdout_says_which_splits_are_left_out(run: Run, runs: Path, tmp_path: Path) -> None:
    file = some_of(runs, tmp_path, llm_params=[5e8, 7e9])
    done = run("holdout", file, "--form", "log-linear")
    assert "note: leave one N out: too few LLM sizes (N): the log-linear form needs 2 levels" in done.words
    assert "┃ predictor          ┃ leave one T out ┃" in done.out
    found = run("holdout", file, "--form", "log-linear", "--json").json
    assert (found["rollout"], found["leave_one_n"], len(found["leave_one_t"])) == ([], [], 7)
    assert found["baselines"]["rollout"]["mean"]["mean_relative_error"] is None
    assert len(found["skipped"]) == 2


def test_holdout_without_intervals_where_as_few_runs_as_parameters_are_left(
    run: Run, runs: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(runs, keep_default_na=False)
    cells = [(5e8, 1), (5e8, 16), (1.8e9, 16), (4e9, 1)]
    keep = [cell in cells for cell in zip(frame.llm_params, frame.visual_tokens, strict=True)]
    file = write(tmp_path, frame[keep])
    found = run("holdout", file, "--form", "log-linear", "--json").json
    assert [fold["held_out_llm_params"] for fold in found["leave_one_n"]] == [1.8e9, 4e9]
    assert [cell["intervals"] for fold in found["leave_one_n"] for cell in fold["cells"]] == [{}, {}]
    assert found["coverage"]["leave_one_n"]["new-run"] == {"inside_count": 0, "runs_count": 0}
    done = run("holdout", file, "--form", "log-linear")
    assert "note: leave one N out (without 0.5B): too few runs: the log-linear form has 3 free" in done.words
    assert "note: leave one T out: too few visual token counts (T)" in done.words
    assert "intervals hold" not in done.out


def test_holdout_takes_a_part_of_the_runs_and_weights(run: Run, runs: Path, tmp_path: Path) -> None:
    only = run("holdout", runs, "--form", "log-linear", "--compressor", "tokenpacker", "--json").json
    assert sum(fold["runs_count"] for fold in only["leave_one_n"]) == 24
    frame = pd.read_csv(runs, keep_default_na=False)
    file = write(tmp_path, frame.assign(error_se=[0.001 + 0.0005 * (i % 7) for i in range(28)]))
    equal = run("holdout", file, "--weights", "equal", "--json").json
    weighted = run("holdout", file, "--json").json
    assert equal["law"] == run("holdout", runs, "--json").json["law"]
    assert weighted["law"] != equal["law"]
    assert weighted["baselines"] != equal["baselines"]


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["compare", "RUNS", "--weights", "sample"], "no weighting is called 'sample'; did you mean 'samples'?"),
        (["holdout", "RUNS", "--weights", "sample"], "no weighting is called 'sample'; did you mean 'samples'?"),
        (["holdout", "RUNS", "--form", "aditive"], "no form is called 'aditive'; did you mean 'additive'?"),
        (["compare", "RUNS", "--compressor", "quecc"], "no run has compressor 'quecc'; there are: tokenpacker, none"),
        (["holdout", "RUNS", "--compressor", "quecc"], "no run has compressor 'quecc'; there are: tokenpacker, none"),
        (
            ["compare", "RUNS", "--weights", "error_se"],
            "--weights error_se needs a column 'error_se' in the runs; add it",
        ),
        (["compare", "none.csv"], "cannot read none.csv: No such file or directory"),
        (["holdout", "none.csv"], "cannot read none.csv: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["", "json"])
def test_bad_input_ends_with_2_and_one_line(
    run: Run, runs: Path, command: list[str], complaint: str, as_json: list[str]
) -> None:
    done = run(*(str(runs) if word == "RUNS" else word for word in command), *as_json)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {complaint}")
    assert done.err.count("\n") == 1


def test_one_size_is_refused_where_sizes_are_left_out(run: Run, runs: Path, tmp_path: Path) -> None:
    done = run("holdout", some_of(runs, tmp_path, llm_params=[7e9]))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: too few LLM sizes (N): the additive form needs 3 levels")


def test_one_size_is_compared_by_forms_of_the_tokens_alone(run: Run, runs: Path, tmp_path: Path) -> None:
    found = run("compare", some_of(runs, tmp_path, llm_params=[7e9]), "--json").json
    assert [(row["form"], row["face"]) for row in found["forms"]] == [("tokens-log", ""), ("tokens-power", "")]
    assert found["not_compared"] == {}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["reasoning", "ocr"])
@pytest.mark.parametrize("form", ["additive", "multiplicative", "log-linear"])
def test_what_is_printed_fits_80_columns(
    run: Run, request: pytest.FixtureRequest, verb: str, name: str, form: str
) -> None:
    file = request.getfixturevalue("runs" if name == "reasoning" else name)
    done = run(verb, file, *(["--form", form] if verb == "holdout" else []))
    assert (done.code, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if cell_len(line) > 80] == []
    assert "…" not in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_names_in_runs_are_shown_as_text(run: Run, runs: Path, tmp_path: Path, verb: str) -> None:
    frame = pd.read_csv(runs, keep_default_na=False)
    frame["compressor"] = ["[bold]x[/bold]", "[/y]", "a\x1b[31m", "模型" * 60] * 7
    frame["[link=https://a.b]c[/link]"] = "x"
    done = run(verb, write(tmp_path, frame))
    assert (done.code, done.err) == (0, "")
    assert "4 compressors fitted as one: [bold]x[/bold], [/y], a" in done.words
    assert "columns not used: [link=https://a.b]c[/link]" in done.words
    assert "\x1b" not in done.out
    assert [line for line in done.out.splitlines() if cell_len(line) > 80] == []
