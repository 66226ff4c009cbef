"""A renderer in one file outside the package, for a plan, a law, a cost, an accelerator, a verdict, a measurement."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from extensions import csv_pages

import planner
from planner.base.errors import InputError
from planner.base.registry import register
from planner.costs.request import request_cost
from planner.hardware import find_hardware
from planner.tell.render import RENDERERS

LINES_MAX = 60
FILES = Path(__file__).parents[1] / "files_0_1"


@pytest.fixture(autouse=True)
def _csv() -> Iterator[None]:
    register(csv_pages.CSV)
    yield
    RENDERERS.remove("csv")


def numbers(thing: Any, path: Path) -> dict[str, float]:
    """What the file holds: what each number is, with its raw value."""
    with planner.write_report(thing, path).open(encoding="utf-8", newline="") as file:
        return {
            row["what"]: float(row["value"]) for row in csv.DictReader(file) if row["value"] not in ("True", "False")
        }


def test_it_is_one_short_file() -> None:
    assert len(Path(csv_pages.__file__).read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_a_plan(tmp_path: Path) -> None:
    plan = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
    assert numbers(plan, tmp_path / "plan.csv")["predicted error"] == plan.best.predicted_error


def test_a_law(tmp_path: Path) -> None:
    law = planner.load_law("reasoning")
    assert isinstance(law, planner.FittedLaw)
    found = numbers(law, tmp_path / "law.csv")
    assert {name: found[f"law parameter {name}"] for name in law.params} == law.params


def test_a_cost(tmp_path: Path) -> None:
    cost = request_cost("Qwen1.5-4B", 64, planner.Workload(50, 32), hardware="l4")
    found = numbers(cost, tmp_path / "cost.csv")
    assert found["FLOPs of one request"] == cost.flops.total
    assert found["peak memory per device"] == cost.memory.peak
    assert cost.latency is not None
    assert found["TTFT"] == cost.latency.ttft_s


def test_an_accelerator(tmp_path: Path) -> None:
    assert numbers(find_hardware("l4"), tmp_path / "card.csv")["memory"] == find_hardware("l4").memory_bytes


def test_a_verdict(tmp_path: Path) -> None:
    verdict = planner.load_verdict(FILES / "verdict.json")
    found = numbers(verdict, tmp_path / "verdict.csv")
    assert found["requests that ran together"] == verdict.measurement.batch
    numbered = [check for check in verdict.checks if check.unit and check.measured is not None]
    assert numbered
    for check in numbered:
        assert found[f"{check.title}, measured"] == check.measured


def test_a_measurement(tmp_path: Path) -> None:
    one = planner.load_measurement(FILES / "measurement.json")
    found = numbers(one, tmp_path / "measurement.csv")
    assert (found["TTFT"], found["TPOT"]) == (one.ttft_s, one.tpot_s)


def test_another_suffix_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.html, .*\.csv, got '"):
        planner.write_report(planner.load_law("reasoning"), tmp_path / "law.pdf")
    with pytest.raises(InputError, match=r"^nothing to report of 3; expected a plan, its dictionary or"):
        planner.write_report(3, tmp_path / "x.csv")  # type: ignore[arg-type]
