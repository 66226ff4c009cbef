"""vlm-planner fit and show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.commands import PLAN
from support import Run

import planner


def test_fit_prints_the_law_as_json(run: Run, runs: Path) -> None:
    done = run("fit", runs, "--json")
    law = done.json
    assert {"form", "params", "rss", "rmse", "n_runs", "status", "at_bound"} <= set(law)
    assert law["form"] == "additive"
    assert set(law["params"]) == {"A", "alpha", "B", "beta", "D"}
    assert law["params"]["alpha"] == pytest.approx(0.1011, abs=5e-5)
    assert law["rss"] == pytest.approx(3.168e-4, abs=5e-8)
    assert law["rmse"] == pytest.approx((law["rss"] / 28) ** 0.5)
    assert (law["n_runs"], law["status"], law["at_bound"]) == (28, "at a bound", ["D"])
    assert law["name"] == runs.stem
    assert done.err == ""


@pytest.mark.parametrize("form", ["additive", "multiplicative", "log-linear"])
def test_fit_takes_any_form(run: Run, runs: Path, form: str) -> None:
    law = run("fit", runs, "--form", form, "--json").json
    assert law["form"] == form
    assert law["params"] == planner.fit(planner.read_runs(runs), form).params


def test_fit_passes_on_what_it_is_told(run: Run, runs: Path) -> None:
    law = run(
        "fit", runs, "--task", "visual-reasoning (mean of the paper's benchmarks)", "--compressor", "TokenPacker",
        "--weights", "equal", "--loss", "huber", "--name", "mine", "--json",
    ).json  # fmt: skip
    assert (law["name"], law["weighting"], law["loss"], law["compressors"]) == (
        "mine",
        "equal",
        "huber",
        ["tokenpacker"],
    )
    assert law["n_runs"] == 24
    assert law["huber_delta"] > 0


def test_fit_fixes_and_ties_parameters(run: Run, runs: Path) -> None:
    law = run("fit", runs, "--fix", "D=0.1", "--tie", "alpha=2*beta", "--json").json
    assert law["params"]["D"] == 0.1
    assert law["params"]["alpha"] == pytest.approx(2 * law["params"]["beta"])
    assert law["constraints"] == {"D": {"value": 0.1}, "alpha": {"expr": "2*beta"}}


def test_intervals_are_added_when_asked_for(run: Run, runs: Path, tmp_path: Path) -> None:
    law = run("fit", runs, "-o", tmp_path / "law.json", "--intervals", "--json").json
    assert set(law["intervals"]) == set(law["identifiable"]) == set(law["params"])
    for name, (low, high) in law["intervals"].items():
        assert low is None or low <= law["params"][name] * (1 + 1e-9)
        assert high is None or law["params"][name] <= high * (1 + 1e-9)
    assert run("show", tmp_path / "law.json", "--intervals", "--json").json == law
    assert "95 % interval" in run("show", tmp_path / "law.json", "--intervals").out
    assert "95 % interval" not in run("show", tmp_path / "law.json").out


def test_a_law_that_is_written_can_be_shown_and_planned_with(run: Run, runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "law.json"
    done = run("fit", runs, "-o", file, "--json")
    assert done.err == f"wrote {file}\n"
    kept = {
        name: value for name, value in done.json.items() if name != "lack_of_fit"
    }  # told of the runs, which are kept
    assert kept == json.loads(file.read_text())
    assert run("show", file, "--json").json == done.json
    best = run(*PLAN, "--law", file, "--json").json["best"]
    assert best == run(*PLAN, "--law", "reasoning", "--json").json["best"]
    human = run("show", file)
    assert human.out.splitlines()[0].endswith(": at a bound (D)")
    assert "28 runs, RSS 3.168e-04" in human.out
    assert human.err == ""


def test_show_prints_a_shipped_law(run: Run) -> None:
    law = run("show", "ocr", "--form", "log-linear", "--json").json
    assert (law["name"], law["form"], law["n_runs"]) == ("ocr", "log-linear", 27)


@pytest.mark.parametrize("verb", ["fit", "plan"])
def test_an_output_file_is_overwritten_only_with_force(run: Run, runs: Path, tmp_path: Path, verb: str) -> None:
    file = tmp_path / "out.json"
    file.write_text("old")
    command = ["fit", runs, "-o", file] if verb == "fit" else [*PLAN, "-o", file]
    refused = run(*command)
    assert refused.code == 2
    assert refused.complaint == f"{file} already exists; choose another name or --force"
    assert file.read_text() == "old"
    forced = run(*command, "--force", "--json")
    printed = forced.json
    if verb == "fit":
        assert [one["found"] for one in printed.pop("lack_of_fit")] == [False]  # told, not kept: the runs are
    assert printed == json.loads(file.read_text())
    assert forced.err == f"wrote {file}\n"


def test_an_existing_output_file_is_refused_before_any_work(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "law.json"
    file.write_text("old")
    for command in (["fit", tmp_path / "none.csv"], [*PLAN, "--law", tmp_path / "none.json"]):
        assert run(*command, "-o", file).complaint.startswith(f"{file} already exists")


# ---- the effect of N of another law ----------------------------------------------------------------------------------


@pytest.fixture
def of_7b(runs: Path, tmp_path: Path) -> Path:
    """The runs of one size."""
    table, path = planner.read_runs(runs), tmp_path / "of-7b.csv"
    planner.write_runs(table.take(table.llm_params == 7e9), path)
    return path


def test_runs_of_one_model_borrow_the_effect_of_n(run: Run, of_7b: Path, tmp_path: Path) -> None:
    lender = planner.load_law("reasoning", "log-linear")
    law = run("fit", of_7b, "--form", "log-linear", "--borrow-n", "reasoning", "--json").json
    assert law["params"] == planner.fit(of_7b, "log-linear", borrow_n=lender).params
    assert law["constraints"] == {"c1": {"value": lender.params["c1"]}}
    file = lender.save(tmp_path / "lender.json")
    assert run("fit", of_7b, "--form", "log-linear", "--borrow-n", file, "--json").json["params"] == law["params"]
    held = run("fit", of_7b, "--borrow-n", "reasoning", "--fix", "D=0.1", "--json").json["params"]
    assert (held["D"], held["alpha"]) == (0.1, planner.load_law("reasoning").params["alpha"])
    assert run("fit", of_7b, "--form", "log-linear", "--borrow-n", "reasoning").words.count("measured elsewhere") == 1


def test_what_cannot_be_borrowed_is_said(run: Run, runs: Path, of_7b: Path, tmp_path: Path) -> None:
    lender = tmp_path / "lender.json"
    planner.fit(runs, "interaction").save(lender)
    assert run("fit", of_7b, "--form", "interaction", "--borrow-n", lender).complaint == (
        "--borrow-n: with c1 held, runs of one language model leave c2 and c3 of the interaction form free; fit "
        "another form, with a law of that form"
    )
    assert run("fit", of_7b, "--borrow-n", lender).complaint == (
        "--borrow-n: expected a law of the additive form, got one of the interaction form; fit that form, or name "
        "another law"
    )
    assert run("fit", of_7b, "--borrow-n", "reasoning", "--fix", "alpha=0.1").complaint == (
        "--borrow-n: alpha is borrowed, and fixed, tied or bounded too; leave one of them out"
    )
    assert run("fit", of_7b, "--form", "auto", "--borrow-n", "reasoning").complaint == (
        "--borrow-n lends N to one form of one law: leave out --form auto and --by"
    )
