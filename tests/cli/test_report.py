"""vlm-planner report of every kind of file that we write; of plans in tests/tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import Run
from tell.told import OLD, grid, measurement, thing, unsteady

import planner
from planner.bench.calibration.result import Calibration
from planner.tell.files import FORMATS

LOADED: dict[str, Callable[[Path], Any]] = {
    "calibration.json": Calibration.load,
    "hardware.json": planner.load_hardware,
    "law.json": planner.load_law,
    "law-average.json": planner.load_law,
    "law-constrained.json": planner.load_law,
    "law-joint.json": planner.load_law,
    "law-mix.json": planner.load_law,
    "measurement.json": planner.load_measurement,
    "plan-limits.json": planner.load_plan,
    "plan-traffic.json": planner.load_plan,
    "verdict.json": planner.load_verdict,
}
ANY = "a plan, a verdict, a measurement, a calibration, a law, evaluations or a hardware profile that vlm-planner wrote"


@pytest.mark.parametrize("name", LOADED)
@pytest.mark.parametrize("suffix", [".md", ".json"])
def test_a_file_is_told_as_what_it_holds(name: str, suffix: str, run: Run, tmp_path: Path) -> None:
    page, own = tmp_path / f"page{suffix}", tmp_path / f"own{suffix}"
    done = run("report", OLD / name, "-o", page)
    assert (done.code, done.err) == (0, f"wrote {page}\n")
    planner.write_report(LOADED[name](OLD / name), own)
    assert page.read_text("utf-8") == own.read_text("utf-8")
    planner.write_report(str(OLD / name), own, overwrite=True)
    assert page.read_text("utf-8") == own.read_text("utf-8")


def test_a_neighbourhood_is_told(run: Run, tmp_path: Path) -> None:
    file = grid().save(tmp_path / "grid.json")
    assert run("report", file, "--json").json["verdict"] == json.loads(json.dumps(grid().to_dict()))


def test_evaluations_are_told(run: Run, tmp_path: Path) -> None:
    found = thing("next evaluations by FLOPs")
    told = run("report", found.save(tmp_path / "next.json"), "--json").json["next_evaluations"]
    assert told == json.loads(json.dumps(found.to_dict(top=5)))


def test_every_kind_of_file_is_read() -> None:
    names = {json.loads((OLD / name).read_text("utf-8"))["format"] for name in LOADED}
    others = {"vlm-planner grid", "vlm-planner evaluations", "vlm-planner engine calibration"}
    assert names | others == {one.name for one in FORMATS}


def test_measurements_are_told_together_from_files_and_from_their_folder(run: Run, tmp_path: Path) -> None:
    files = [one.save(tmp_path / f"{name}.json") for name, one in (("a", measurement()), ("b", unsteady()))]
    several = run("report", *files, "--json").json
    assert len(several["measurements"]) == 2
    assert run("report", tmp_path, "--json").json == several


def test_a_profile_written_by_hand_needs_no_head(run: Run, tmp_path: Path) -> None:
    content = json.loads((OLD / "hardware.json").read_text("utf-8"))
    by_hand = {name: value for name, value in content.items() if not name.startswith("format")}
    (tmp_path / "card.json").write_text(json.dumps(by_hand), "utf-8")
    told = [run("report", file, "--json").json for file in (tmp_path / "card.json", OLD / "hardware.json")]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", f"x.json: it holds [1]; expected {ANY}"),
        ('{"a": 1}', f'x.json: it says no "format"; expected {ANY}'),
        ('{"format": "torch"}', f"x.json: its format is 'torch'; expected {ANY}"),
        ('{"format": "vlm-planner verdict", "format_version": 9}', "x.json has format version 9, this vlm-planner "),
        ("{", f"x.json is not JSON: Expecting property name enclosed in double quotes in line 1; expected {ANY}"),
    ],
)
def test_another_file_is_one_sentence(content: str, said: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content, "utf-8")
    assert said in run("report", tmp_path / "x.json", "--json").complaint


def test_what_is_of_plans_alone_is_refused_of_others(run: Run, tmp_path: Path) -> None:
    law = OLD / "law.json"
    assert (
        "only a plan is reported with a verdict"
        in run("report", law, "--verdict", OLD / "verdict.json", "--json").complaint
    )
    assert "law.json is not a plan" in run("report", law, "--artefacts", tmp_path / "deploy").complaint
    assert not (tmp_path / "deploy").exists()
    assert "told together where all are measurements; law.json is none" in run("report", law, law, "--json").complaint
    assert "expected a folder of measurements, got no JSON file" in run("report", tmp_path, "--json").complaint


def test_artefacts_can_be_had_where_the_page_is_there(run: Run, tmp_path: Path) -> None:
    request = ("--query-tokens", "50", "--generated-tokens", "32", "-o", str(tmp_path / "plan.json"))
    run("plan", "--budget", "2TFLOPs", *request)
    (tmp_path / "rec.md").write_text("mine")
    asked = ("report", str(tmp_path / "plan.json"), "--artefacts", str(tmp_path / "made"))
    refused = run(*asked, "-o", str(tmp_path / "rec.md"))
    assert refused.code == 2 and "or --force, or leave out -o: --artefacts" in refused.err
    assert run(*asked).code == 0 and (tmp_path / "made" / "serve.py").is_file()
