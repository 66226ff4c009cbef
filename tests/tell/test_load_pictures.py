"""The load curve and the timeline as charts: their numbers are those of the curve, in every medium."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.base.errors import InputError
from planner.planning.capacity_result import Capacity
from planner.planning.result import Plan
from planner.planning.under_load.pictures import timeline_of, timeline_of_capacity
from planner.tell import plots
from planner.tell.axes import share
from planner.tell.document import Block, Document, Value, line, lines_of, plain, raw_of
from planner.tell.load_curve import Loaded, curve_table, of_capacity, of_plan, throughput_chart, ttft_chart
from planner.tell.recommendation.load_pictures import load_pictures
from planner.tell.render import svg
from planner.tell.render.characters import ASCII, UNICODE, Signs, draw
from planner.tell.timeline import timeline_chart

REQUEST = {"query_tokens": 50, "generated_tokens": 32}


@cache
def loaded_plan() -> Plan:
    budget = planner.Budget(ttft="40ms", requests_per_second=30)
    return planner.plan("reasoning", budget=budget, hardware="l40s", llms="Qwen1.5-0.5B", gpus=2, **REQUEST)


@cache
def server() -> Capacity:
    return planner.capacity("Qwen2.5-0.5B", "l4", budget=planner.Budget(ttft="100 ms"), visual_tokens=0, **REQUEST)


@cache
def told(name: str) -> Loaded:
    return of_plan(loaded_plan()) if name == "plan" else of_capacity(server())


@pytest.mark.parametrize("name", ["plan", "capacity"])
def test_marks_are_the_numbers_of_the_curve_and_say_their_level(name: str) -> None:
    one = told(name)
    chart = ttft_chart(one)
    pick = next(mark for mark in chart.marks if mark.ring == "pick")
    assert (pick.x, pick.y) == (one.rate, one.ttft_s)
    others = [mark for mark in chart.marks if not mark.ring]
    wanted = [
        (one.replicas * point.requests_per_second, seconds, point.level == "events", level)
        for point in one.curve.stable
        for level, seconds in point.ttft_s.items()
    ]
    assert [(mark.x, mark.y, mark.hollow, mark.series) for mark in others] == wanted
    assert all(("simulated" in plain(mark.tip)) == mark.hollow for mark in others)
    assert {rule.axis: rule.at for rule in chart.rules} == {"y": one.ttft_limit_s, "x": one.unstable_above}


def test_throughput_of_a_plan_is_that_of_all_its_replicas() -> None:
    one = told("plan")
    assert one.replicas == 2
    chart = throughput_chart(one)
    assert chart.curves[0].points[0][1] == pytest.approx(32 * chart.curves[0].points[0][0])
    pick = next(mark for mark in chart.marks if mark.ring == "pick")
    assert (pick.x, pick.y) == (pytest.approx(30), pytest.approx(30 * 32))


def test_the_table_holds_every_point() -> None:
    one = told("plan")
    table = curve_table(one)
    rates = [raw_of(row[0]) for row in table.rows]
    assert rates == [one.replicas * point.requests_per_second for point in one.curve.points]
    assert plain(table.rows[-1][2]) == "unstable"


def test_bars_are_the_iterations() -> None:
    found = timeline_of(loaded_plan())
    chart = timeline_chart(found)
    steps = found.steps
    assert sum(bar.kind == "prefill" for bar in chart.bars) == sum(step.prefill_tokens > 0 for step in steps)
    top = max(bar.high for bar in chart.bars)
    assert top == max(step.decodes + step.prefill_tokens for step in steps)
    assert all(0 <= bar.start < bar.end <= 1.0 and bar.low < bar.high for bar in chart.bars)
    assert len(chart.marks) >= sum(step.images > 0 for step in steps) - 1


@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_characters_show_limits_and_bars(signs: Signs) -> None:
    curve = [line.plain for line in draw(ttft_chart(told("plan")), 80, signs)]
    assert any(line.count(signs.level) > 20 for line in curve[:-1])
    bars = [line.plain for line in draw(timeline_chart(timeline_of(loaded_plan())), 80, signs)]
    assert any(signs.decode in line for line in bars) and any(signs.prefill in line for line in bars)


def test_svg_draws_a_limit_at_its_height() -> None:
    chart = ttft_chart(told("plan"))
    drawn = svg.draw(chart)
    limit = next(rule for rule in chart.rules if rule.axis == "y")
    height = svg.HEIGHT - svg.BOTTOM - share(chart.y, limit.at) * (svg.HEIGHT - svg.BOTTOM - svg.TOP)
    assert f'y1="{height:.1f}" y2="{height:.1f}"' in drawn
    bars = timeline_chart(timeline_of(loaded_plan()))
    assert svg.draw(bars).count("<rect") == len(bars.bars)


def test_pictures_of_matplotlib(tmp_path: Path) -> None:
    figure = server().plot()
    upper, lower = figure.axes
    assert upper.get_yscale() == "log" and lower.get_ylabel() == "answer tokens per second"
    assert np.allclose(upper.get_xlim(), lower.get_xlim())
    assert plots.save(plots.timeline(loaded_plan()), tmp_path / "timeline.svg").stat().st_size > 10_000


def test_a_closed_loop_has_a_timeline_and_no_curve() -> None:
    closed = planner.capacity("Qwen2.5-0.5B", "l4", concurrency=4, visual_tokens=0, **REQUEST)
    assert max(step.decodes for step in timeline_of_capacity(closed).steps) <= 4
    with pytest.raises(InputError, match="a closed loop has no rate of its own"):
        plots.load(closed)
    with pytest.raises(InputError, match="needs a plan with a load"):
        plots.load(planner.plan(budget="2 TFLOPs", **REQUEST))


def test_words_between_values_hold_no_digits() -> None:
    plan = loaded_plan()
    section = next(load_pictures(plan))
    parts = [part for one in section.blocks for told in lines_of(_of(one)) for part in told]
    assert [part for part in parts if not isinstance(part, Value) and re.search(r"\d", str(part))] == []


def _of(block: Block) -> Document:
    return Document("page", "title", line("heading"), (block,), ())
