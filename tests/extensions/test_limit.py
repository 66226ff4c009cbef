"""A limit in one file outside the package, through the whole chain; a built-in one under another name."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extensions import carbon
from rich.console import Console
from support import Run

import planner
from planner import cli
from planner.base.errors import InputError, NothingFitsError, QuantityError, UnknownNameError
from planner.base.registry import register
from planner.explore.controls import page_of
from planner.explore.link import command_of, read_link, write_link
from planner.explore.offer import make_offer
from planner.explore.state import State
from planner.explore.view import view_of
from planner.planning.limits import LIMITS, LimitKind, find_limit
from planner.planning.result import Plan
from planner.tell.plan import print_plan

LINES_MAX = 60
GRAMS = 0.001
SERVED: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32, "hardware": "l4"}


@pytest.fixture(autouse=True)
def _carbon() -> Iterator[None]:
    cli.load()  # the options of a process are those of the limits that were there when its verbs were loaded
    register(carbon.CARBON)
    yield
    LIMITS.remove(carbon.CARBON.name)


def plan(budget: planner.Budget, **options: Any) -> Plan:
    return planner.plan(budget=budget, **{**SERVED, **options})


def test_it_is_one_short_file() -> None:
    assert len(Path(carbon.__file__).read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize(
    "given",
    [
        {"carbon": "6 mg"},
        {"carbon": 0.006},
        {"carbon_grams": 0.006},
        {"limits": {"carbon": "6 mg"}},
        {"limits": {"carbon_grams": 0.006}},
    ],
)
def test_a_budget_takes_it_as_any_other(given: dict[str, Any]) -> None:
    budget = planner.Budget(**given)
    assert budget == planner.Budget(carbon="6 mg")
    assert (budget.carbon_grams, budget.ttft_s, budget.flops) == (0.006, None, None)
    assert repr(budget) == "Budget(carbon='6 mg')"
    assert replace(budget, convention="paper").limits == {"carbon_grams": 0.006}


def test_the_pick_equals_brute_force() -> None:
    found = plan(planner.Budget(carbon=GRAMS))
    table = found.table
    grams = table.quantities["energy_joules"] * (350 / 3.6e6)
    np.testing.assert_allclose(table.quantities["carbon_grams"], grams, rtol=1e-15)
    keeps = (grams <= GRAMS) & (table.quantities["peak_memory_bytes"] <= 22.5 * 2.0**30)
    assert table.fits.tolist() == keeps.tolist()
    assert 0 < keeps.sum() < len(table)
    assert found.best.predicted_error == table.predicted_error[keeps].min()
    carbon_limit, memory = found.limits
    assert (carbon_limit.limit.title, memory.limit.title) == ("carbon per request", "memory per device")
    assert carbon_limit.used == found.best.quantities["carbon_grams"] / GRAMS
    assert carbon_limit.keeps_better_out


def test_it_is_relaxed_as_any_other() -> None:
    found = plan(planner.Budget(carbon="2.1 mg"))
    relaxed, table = found.limits[0].relaxed, found.table
    assert relaxed is not None
    within = (table.quantities["carbon_grams"] <= 1.1 * 0.0021) & (
        table.quantities["peak_memory_bytes"] <= 22.5 * 2.0**30
    )
    assert relaxed.predicted_error == table.predicted_error[within].min() < found.best.predicted_error
    assert f"with 10 % more carbon per request (2.31 mg): {relaxed} at " in printed(found)


def test_it_conflicts_as_any_other() -> None:
    """Large batches take little energy per request, and long to the first token."""
    batches = {"batch": (1, 64)}
    alone = plan(planner.Budget(carbon=1.0), **batches).table.quantities
    quick = alone["ttft_s"].min() * 1.01
    least = alone["carbon_grams"].min() * 1.01
    with pytest.raises(NothingFitsError) as caught:
        plan(planner.Budget(carbon=least, ttft_s=quick), **batches)
    assert str(caught.value) == (
        f"no candidate meets both limits, TTFT at most {1e3 * quick:.3g} ms and carbon per request at most "
        f"{1e3 * least:.3g} mg; each alone can be met: loosen one"
    )


def test_nothing_fits_names_the_nearest() -> None:
    with pytest.raises(NothingFitsError, match=r"^nothing fits carbon per request at most 0.001 mg: the nearest cand"):
        plan(planner.Budget(carbon="0.001 mg"))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(QuantityError, match=r"^carbon: expected a positive number of grams such as .*, got '5 mgs'"):
        planner.Budget(carbon="5 mgs")
    with pytest.raises(InputError, match=r"^a carbon limit needs hardware=, such as hardware='l4'$"):
        plan(planner.Budget(carbon=1.0), hardware=None)
    with pytest.raises(UnknownNameError, match=r"^no limit is called 'carbn'; did you mean 'carbon'\?$"):
        planner.Budget(carbn=1.0)
    with pytest.raises(InputError, match=r"^carbon_grams: this limit is given twice, as carbon and carbon_grams; "):
        planner.Budget(carbon=1.0, carbon_grams=2.0)


def printed(found: Plan) -> str:
    stream = io.StringIO()
    print_plan(Console(file=stream, width=200, highlight=False), found)
    return stream.getvalue()


def test_it_is_printed() -> None:
    text = printed(plan(planner.Budget("3 TFLOPs", carbon="6 mg")))
    assert "best under 3 TFLOPs, carbon per request at most 6 mg; no trained weights exist" in text
    row = next(line for line in text.splitlines() if line.startswith("│ carbon per request"))
    assert "6 mg" in row


def test_it_is_on_the_page_and_in_the_file(tmp_path: Path, run: Run) -> None:
    found = plan(planner.Budget(carbon="6 mg"))
    content = found.to_dict()
    assert content["inputs"]["limits"] == {"carbon_grams": 0.006}
    assert content["limits"]["carbon_grams"]["limit"] == 0.006
    page = planner.write_report(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "carbon per request" in page
    assert "--limit carbon=6mg" in page
    numbers = planner.write_report(found, tmp_path / "page.json").read_text(encoding="utf-8")
    assert '"carbon per request' in numbers
    command = next(line for line in page.splitlines() if "--limit carbon=6mg" in line)
    assert "vlm-planner plan" in command
    file = tmp_path / "plan.json"
    words = ("plan", "--limit", "carbon=6mg", "--query-tokens", 50, "--generated-tokens", 32, "--hardware", "l4")
    assert run(*words, "-o", file).code == 0
    assert json.loads(file.read_text(encoding="utf-8"))["sha256"] == content["sha256"]


def test_a_saved_plan_is_read_back_where_the_limit_is_known(tmp_path: Path) -> None:
    found = plan(planner.Budget(carbon="2 mg"))
    file = found.save(tmp_path / "plan.json")
    again = planner.load_plan(file)
    assert again == found
    assert again.budget.limits == {"carbon_grams": 0.002}
    assert again.limits[0].limit.kind is carbon.CARBON
    assert str(again) == str(found)
    assert planner.replan(again) == found


def test_a_saved_plan_is_refused_where_the_limit_is_not_known(tmp_path: Path) -> None:
    file = plan(planner.Budget("3 TFLOPs", carbon="6 mg")).save(tmp_path / "plan.json")
    LIMITS.remove(carbon.CARBON.name)
    try:
        with pytest.raises(InputError) as caught:
            planner.load_plan(file)
        with pytest.raises(InputError, match=r"^plan\.json has the limit 'carbon_grams', which is not known here: "):
            planner.write_report(file, tmp_path / "page.html")
    finally:
        register(carbon.CARBON)
    assert str(caught.value) == (
        "plan.json has the limit 'carbon_grams', which is not known here: install the plug-in that adds it, or "
        "planner.register its LimitKind, and read the plan again"
    )


def test_the_command_line_reads_it_as_it_is_typed(run: Run) -> None:
    request = ("plan", "--query-tokens", 50, "--generated-tokens", 32, "--hardware", "l4")
    assert run(*request, "--limit", "carbon=5 lb").complaint.startswith(
        "--limit carbon: expected a positive number of "
    )
    assert run(*request, "--limit", "carbon").complaint == (
        "--limit: expected NAME=VALUE such as ttft=100ms, got 'carbon'"
    )
    assert run(*request, "--limit", "carbn=5mg").complaint == "no limit is called 'carbn'; did you mean 'carbon'?"
    twice = (*request, "--ttft", "1s", "--limit", "ttft=2s")
    assert run(*twice).complaint == "--limit ttft: this limit is given twice; leave one out"


def test_the_explorer_has_a_slider_for_it() -> None:
    offer = make_offer()
    assert 'id="carbon" name="carbon"' in page_of(offer)
    state = State({"carbon_grams": 0.006}, hardware="l4")
    link = write_link(state, offer)
    assert "carbon=6mg" in link
    assert read_link(link, offer) == (state, ())
    assert "--limit carbon=6mg" in command_of(state, offer)
    assert view_of(state, offer).pick == str(plan(planner.Budget(carbon="6 mg"), batch=1).best)
    assert view_of(State({"carbon_grams": 1.0}), offer).message == "a carbon limit needs a GPU: choose one"


TIGHT: dict[str, str | float] = {
    "flops": "2 TFLOPs",
    "ttft_s": "60 ms",
    "tpot_s": "20 ms",
    "request_s": "1 s",
    "memory_bytes": "10 GiB",
    "energy_joules": "50 J",
    "price_per_million_requests": 100,
    "requests_per_second": 2,
}


def twin(kind: LimitKind) -> LimitKind:
    return replace(kind, name="another_name", keyword="another", option="--another")


@pytest.mark.parametrize("kind", [one for one in LIMITS if one.name in TIGHT], ids=lambda kind: kind.name)
def test_a_built_in_limit_under_another_name_gives_equal_numbers(kind: LimitKind) -> None:
    static = {"scheduler": "static"} if kind.of_all_gpus else {}  # a rate is a load, by its own name alone
    own = plan(planner.Budget(limits={kind.name: TIGHT[kind.name]}), price_per_hour=0.8, **static)
    register(twin(kind))
    try:
        other = plan(planner.Budget(another=TIGHT[kind.name]), price_per_hour=0.8)
    finally:
        LIMITS.remove("another_name")
    assert own.table.fits.tolist() == other.table.fits.tolist()
    assert not own.table.fits.all()
    for one, same in zip(
        [own.best, *own.runners_up, *own.frontier], [other.best, *other.runners_up, *other.frontier], strict=True
    ):
        assert one.to_dict() == same.to_dict()
    assert [replace(one.limit, kind=kind) for one in other.limits if one.limit.name == "another_name"] == [
        one.limit for one in own.limits if one.limit.name == kind.name
    ]


def test_every_limit_of_the_table_is_covered() -> None:
    assert {kind.name for kind in LIMITS} == {*TIGHT, "carbon_grams"}


@pytest.mark.parametrize("kind", [one for one in LIMITS if one.name in TIGHT], ids=lambda kind: kind.name)
def test_keyword_field_and_text_are_the_same_limit(kind: LimitKind) -> None:
    given = TIGHT[kind.name]
    assert find_limit(kind.keyword) is find_limit(kind.name) is kind
    budget = planner.Budget(limits={kind.keyword: given})
    assert budget == planner.Budget(limits={kind.name: budget.limits[kind.name]})
    assert kind.read_typed(kind.exact_text(budget.limits[kind.name]), "") == budget.limits[kind.name]
