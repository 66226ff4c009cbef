"""The picture in characters: what stands where, in what room, in which characters."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
from rich.cells import cell_len

import planner
from planner.planning.result import Plan
from planner.tell.chart import ASCII, UNICODE, WIDTH_MIN, frontier_chart, has_chart

REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}
ROWS = 10


def made(budget: Any = "2 TFLOPs", **more: Any) -> Plan:
    return planner.plan(budget=budget, **REQUEST, **more)


PLANS: dict[str, dict[str, Any]] = {
    "flops": {},
    "ttft": {"budget": planner.Budget(ttft_s=0.1), "hardware": "l4", "llms": "qwen2.5", "batch": (1, 4)},
    "throughput": {"budget": planner.Budget(requests_per_second=20), "hardware": "h100-sxm", "llms": "qwen2.5"},
    "memory": {"budget": planner.Budget(memory_bytes=8e9)},
    "far limit": {"budget": "1000 TFLOPs"},
    "pick off the frontier": {  # a larger batch with the same error is cheaper and slower
        "budget": planner.Budget(ttft_s=0.3, requests_per_second=30),
        "hardware": "h100-sxm",
        "llms": "Qwen1.5-0.5B",
        "price_per_hour": 3.0,
    },
}


@cache
def named(name: str) -> Plan:
    return made(**PLANS[name])


def lines_of(plan: Plan, width: int = 80, signs: Any = UNICODE) -> list[str]:
    return [line.plain for line in frontier_chart(plan, width, signs)]


def places(rows: list[str], sign: str) -> list[tuple[int, int]]:
    """(row, column) of a sign in the grid, whose first column follows the axis."""
    axis = rows[0].index("┤")
    return [(i, j - axis - 1) for i, row in enumerate(rows) for j, found in enumerate(row) if found == sign]


@pytest.mark.parametrize("width", [60, 72, 80, 200])
@pytest.mark.parametrize("name", PLANS)
def test_it_keeps_its_width_and_shows_the_pick_once(name: str, width: int) -> None:
    plan = named(name)
    *rows, axis, ends, legend = lines_of(plan, width)
    assert len(rows) == ROWS
    assert max(map(cell_len, (*rows, axis, ends))) <= min(width, 80)
    assert len(places(rows, "●")) == 1
    assert legend.startswith("● pick  a ")
    drawn = "".join(rows)
    assert ("┆" in drawn) == ("┆ limit " in legend)
    assert ("+" in drawn) == ("+ next above" in legend)


def test_errors_fall_downwards_and_costs_grow_to_the_right() -> None:
    plan = named("flops")
    rows = lines_of(plan)[:ROWS]
    ((pick_row, pick_column),) = places(rows, "●")
    assert rows[pick_row].startswith(f" {plan.best.predicted_error:.4f}┤")
    assert rows[0].startswith(f" {plan.frontier[0].predicted_error:.4f}┤a")  # the cheapest: up, left
    smallest, largest = places(rows, "a"), places(rows, "c")
    assert max(column for _, column in smallest) < min(column for _, column in largest) < pick_column
    assert {column for _, column in places(rows, "┆")} == {max(column for _, column in places(rows, "┆"))}
    assert pick_column < places(rows, "┆")[0][1] < places(rows, "+")[0][1]


def test_the_place_of_the_pick_on_the_axis_is_logarithmic() -> None:
    """Known ends: the cheapest candidate at 0, the next one up at the last column."""
    plan = named("flops")
    assert plan.next_up is not None
    low, high = plan.frontier[0].total_flops, plan.next_up.total_flops
    share = math.log(plan.best.total_flops / low) / math.log(high / low)
    columns = 80 - len("0.1234") - 2 - 1
    ((_, column),) = places(lines_of(plan)[:ROWS], "●")
    assert column == round(share * (columns - 1))


def test_the_least_that_is_asked_for_stands_on_the_left() -> None:
    rows = lines_of(named("throughput"))[:ROWS]
    ((_, pick),) = places(rows, "●")
    assert {column for _, column in places(rows, "┆")} != set()
    assert max(column for _, column in places(rows, "┆")) < pick


def test_a_limit_far_away_is_not_drawn() -> None:
    assert "┆" not in "".join(lines_of(named("far limit")))


def test_ascii_is_the_same_picture() -> None:
    plan = named("flops")
    as_ascii = str.maketrans(dict(zip("●·┆└│─┤", "@.:+|-|", strict=True)))
    ascii_lines = lines_of(plan, signs=ASCII)
    assert ascii_lines == [line.translate(as_ascii) for line in lines_of(plan)]
    assert "\n".join(ascii_lines).isascii()


def test_without_room_or_curve_there_is_no_chart() -> None:
    plan = named("flops")
    assert has_chart(plan, WIDTH_MIN)
    assert not has_chart(plan, WIDTH_MIN - 1)
    assert not has_chart(made(llms="Qwen1.5-0.5B", visual_tokens=(1, 4)), 80)
    assert not has_chart(made(planner.Budget(memory_bytes=20e9), llms="Qwen1.5-0.5B", visual_tokens=(1,)), 80)


def test_many_models_keep_the_width() -> None:
    plan = made("100 TFLOPs", llms="all")
    assert len({one.llm.name for one in plan.frontier}) > 5
    assert all(cell_len(line) <= 80 for line in lines_of(plan)[:-1])
