"""What the page shows is what `planner.plan` says."""

from __future__ import annotations

import itertools
import json
import math
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from explore.states import states
from hypothesis import Phase, given, settings
from support import Run

import planner
from planner.base.quantities import format_flops, format_seconds
from planner.explore.link import command_of
from planner.explore.offer import make_offer, mix_text, mixed_law
from planner.explore.picture import as_json, kind_of
from planner.explore.settings import fresh_state
from planner.explore.state import State
from planner.explore.view import TIED_SHOWN, Table, View, view_of
from planner.planning.candidate import error_text
from planner.tell.axes import TICKS_MAX
from planner.tell.document import plain

OFFER = make_offer()
PRICE = "price_per_million_requests"
BUSY = State(
    limits={"flops": 8e12, "ttft_s": 0.06},
    hardware="l40s",
    llms=("Qwen1.5", "Qwen2.5", "Qwen3"),
    law="mix",
    ocr_percent=30,
)


def table(view: View, title: str) -> Table:
    (found,) = [one for one in view.tables if one.title == title]
    return found


def test_a_fresh_page_shows_the_pick_of_the_readme() -> None:
    view = view_of(State(), OFFER)
    assert view.message == ""
    assert view.pick == "Qwen1.5-4B with 64 visual tokens"
    assert view.sentence == (
        "Best under 2 TFLOPs: Qwen1.5-4B with 64 visual tokens, predicted error 0.5028, 95 % interval 0.4839 to "
        "0.5217; score 49.7 %."
    )
    stages = table(view, "cost by stage")
    assert [row[0] for row in stages.rows] == [
        "vision encoder", "compressor and projector", "query pass", "prefill", "decode",
    ]  # fmt: skip
    assert stages.head == ("stage", "FLOPs", "share")
    assert stages.rows[0] == ("vision encoder", "366 GFLOPs", "22 %")
    assert math.isclose(sum(stages.shares), 1.0)
    assert stages.foot == ("total", "1.66 TFLOPs", "83 % of budget")
    assert "binds: FLOPs" in view.facts
    assert any("QueCC has published results up to 36" in text for text in view.assumptions)


def test_limits_on_a_gpu_are_those_of_the_python_api() -> None:
    plan = planner.plan(
        planner.load_mix("reasoning=0.7,ocr=0.3"),
        budget=planner.Budget(8e12, ttft_s=0.06),
        query_tokens=50,
        generated_tokens=32,
        llms=["qwen1.5", "qwen2.5", "qwen3"],
        hardware="l40s",
    )
    view = view_of(BUSY, OFFER)
    assert view.pick == str(plan.best)
    assert error_text(plan.best) in view.sentence
    assert view.extrapolates == plan.extrapolates
    assert view.assumptions == plan.assumptions
    held = [one.limit.title for one in plan.limits if one.binds]
    assert any(fact.startswith("binds: " if held else "tightest limit: ") for fact in view.facts)
    assert not held or f"binds: {', '.join(held)}" in view.facts
    latency = plan.best.latency
    assert latency is not None
    stages = table(view, "cost by stage")
    assert stages.foot == (
        "total", format_flops(plan.best.total_flops), "", format_seconds(float(latency.request_s)), "", latency.source,
    )  # fmt: skip
    assert f"TTFT {format_seconds(float(latency.ttft_s))}" in stages.note
    by_stage = {row[0]: row for row in stages.rows}
    assert by_stage["prefill"][3:] == (
        format_seconds(float(latency.prefill.seconds)), str(latency.prefill.bound), latency.sources["prefill"],
    )  # fmt: skip
    assert by_stage["decode"][3] == format_seconds(31 * float(latency.decode_step.seconds))
    limits = table(view, "limits")
    assert [row[0] for row in limits.rows] == ["FLOPs", "TTFT", "memory per device"]
    assert [row[1] for row in limits.rows] == ["8 TFLOPs", "60 ms", "45 GiB"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (State(limits={"flops": 1e9}), "nothing fits 1 GFLOPs (full count): the cheapest candidate is "),
        (State({}), "there is no limit: set one, such as the FLOPs of one request"),
        (State({"ttft_s": 0.1}), "a TTFT limit needs a GPU: choose one"),
        (State({PRICE: 20.0}), "a price limit needs a GPU: choose one"),
        (State({PRICE: 20.0}, hardware="l4"), "a price limit needs the price of a GPU hour: no prices are shipped"),
        (State(hardware="a100-40gb", precisions=("fp8",)), "does not compute in fp8"),
    ],
)
def test_where_there_is_no_plan_the_page_says_why(state: State, message: str) -> None:
    view = view_of(state, OFFER)
    assert message in view.message
    assert view == View(message=view.message)


def test_a_law_that_names_no_models_asks_for_families_and_takes_them(tmp_path: Path) -> None:
    given_law = planner.FittedLaw.given("additive", {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": 0.05, "D": 0.0})
    offer = make_offer(str(given_law.save(tmp_path / "given.json")))
    state = fresh_state(offer)
    assert view_of(state, offer).message == "the law names no language models that are known here: choose some families"
    view = view_of(replace(state, llms=("Qwen2.5",)), offer)
    plan = planner.plan(given_law, budget=2e12, query_tokens=50, generated_tokens=32, llms="qwen2.5")
    assert view.pick == str(plan.best)
    assert "no interval: the law was given by hand or has constraints" in view.sentence


def test_ties_are_listed() -> None:
    state = State(limits={"flops": 4e12})
    plan = planner.plan(budget=4e12, query_tokens=50, generated_tokens=32)
    assert 1 < len(plan.tied) <= TIED_SHOWN
    view = view_of(state, OFFER)
    tied = table(view, "tied with the best")
    assert [row[:2] for row in tied.rows] == [(one.llm.name, str(one.visual_tokens)) for one in plan.tied]
    assert view.chart is not None
    assert sum(kind_of(mark) == "tied" for mark in view.chart.marks) == len(plan.tied) - 1


def test_several_compressors_are_compared() -> None:
    state = State(compressors=("quecc", "tokenpacker"), prompt_orders=OFFER.prompt_orders)
    plan = planner.plan(
        budget=2e12, query_tokens=50, generated_tokens=32, compressor=["quecc", "tokenpacker"],
        prompt_order=["image-first", "text-first"],
    )  # fmt: skip
    each = table(view_of(state, OFFER), "best of each, same limits")
    assert [row[:2] for row in each.rows] == [(one.compressor.name, one.prompt_order) for one in plan.best_of_each]


@pytest.mark.parametrize(
    ("percent", "text"),
    [(30, "reasoning=0.7,ocr=0.3"), (0, "reasoning=1.0"), (100, "ocr=1.0"), (1, "reasoning=0.99,ocr=0.01")],
)
def test_a_mix_is_that_of_the_command(percent: int, text: str) -> None:
    assert mix_text(percent) == text
    law, alone = mixed_law(percent), planner.load_mix(text)
    assert law.predict(7e9, 36.0) == alone.predict(7e9, 36.0)
    assert mixed_law(percent) is law


# ---- the chart ---------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(states(OFFER, usual=True))
def test_the_chart_is_true(state: State) -> None:
    """The pick has the least error of what fits, the frontier falls, ticks and points lie on their axes."""
    view = view_of(state, OFFER)
    if view.message:
        return
    chart = view.chart
    assert chart is not None
    (pick,) = [mark for mark in chart.marks if mark.ring == "pick"]
    assert pick == chart.marks[-1]
    assert plain(pick.tip).startswith(view.pick)
    fitting = [mark for mark in chart.marks if kind_of(mark) != "over"]
    assert pick.y == min(mark.y for mark in fitting)
    corners = chart.curves[0].points
    assert all(low[0] <= high[0] and low[1] >= high[1] for low, high in itertools.pairwise(corners))
    assert corners[-1][1] == pick.y
    (rule,) = chart.rules
    assert all(x <= rule.at for x, _ in corners)
    for axis in (chart.x, chart.y):
        assert len(axis.ticks) <= TICKS_MAX
        assert all(axis.low <= tick.at <= axis.high for tick in axis.ticks)
    assert all(chart.x.low <= mark.x <= chart.x.high for mark in chart.marks)
    assert all(chart.y.low <= mark.y <= chart.y.high for mark in chart.marks)


def test_points_of_the_chart_are_the_candidates() -> None:
    chart, plan = view_of(State(), OFFER).chart, planner.plan(budget=2e12, query_tokens=50, generated_tokens=32)
    assert chart is not None
    frame = plan.to_frame()
    assert sorted((mark.x, mark.y) for mark in chart.marks) == sorted(
        zip(frame["total_flops"], frame["predicted_error"], strict=True)
    )
    assert sum(kind_of(mark) in ("fits", "tied", "pick") for mark in chart.marks) == plan.fitting_count
    corners = chart.curves[0].points[::2][: len(plan.frontier)]
    assert corners == tuple((one.total_flops, one.predicted_error) for one in plan.frontier)
    assert [(rule.at, plain(rule.label)) for rule in chart.rules] == [(2e12, "limit 2 TFLOPs")]
    assert plain(chart.x.label) == "FLOPs of one request (full count)"


def test_the_script_gets_plain_json() -> None:
    view = view_of(BUSY, OFFER)
    assert view.chart is not None
    told = json.loads(json.dumps(view.to_dict()))
    assert told["chart"] == json.loads(json.dumps(as_json(view.chart)))
    assert [one["text"] for one in told["chart"]["marks"]] == [plain(mark.tip) for mark in view.chart.marks]
    assert {one["kind"] for one in told["chart"]["marks"]} >= {"pick", "fits", "over"}
    assert all(len(one["bar"]) in (0, 2) for one in told["chart"]["marks"])
    assert told["tables"][0]["title"] == "cost by stage"
    assert View(message="no").to_dict()["chart"] is None


def test_a_memory_axis_counts_in_powers_of_two() -> None:
    chart = view_of(State({"memory_bytes": 16 * 2.0**30}), OFFER).chart
    assert chart is not None
    assert plain(chart.x.label) == "memory per device"
    assert all(math.log2(tick.at).is_integer() for tick in chart.x.ticks)
    assert any(tick.value.text.endswith("GiB") for tick in chart.x.ticks)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"task": "docvqa"}, ["--task", "docvqa"]),
        ({"task": "text"}, ["--task", "text"]),
        ({"mix": "docvqa=0.5,gqa=0.5"}, ["--mix", "docvqa=0.5,gqa=0.5"]),
        ({"mix": "reasoning=0.5,docvqa=0.5"}, ["--mix", "reasoning=0.5,docvqa=0.5"]),
    ],
)
def test_by_published_results_the_page_says_gains_and_the_command_that_does_the_same(
    asked: dict[str, str], words: list[str], run: Run
) -> None:
    offer = make_offer(**asked)
    state = replace(fresh_state(offer), llms=("Qwen2.5",))
    view = view_of(state, offer)
    assert view.message == ""
    best = f"Best under 2 TFLOPs: {view.pick}, "
    assert best + "gain over the next best: " in view.sentence or (
        best + "expected " in view.sentence and "likelier to be the best" in view.sentence
    )
    assert "points" in view.sentence and "  " not in view.sentence and ", ." not in view.sentence
    assert any("tell by how much candidates differ" in fact for fact in view.facts)
    (best,) = [table for table in view.tables if table.title == "best that fit"]
    assert "points worse" in best.head
    typed = shlex.split(command_of(state, offer))
    assert typed[-len(words) :] == words
    plan = run(*typed[1:], "--json").json
    assert view.pick == f"{plan['best']['llm']} with {plan['best']['visual_tokens']} visual tokens"
    assert view.sentence.count(f"{abs(plan['gain_over_next']['points']):.1f} points") == 1


def test_a_kept_law_is_noted_on_the_page() -> None:
    offer = make_offer("ocr", task="ocr mean")
    view = view_of(replace(fresh_state(offer), llms=("Qwen2.5",)), offer)
    assert any("keep their own law" in fact for fact in view.facts)
