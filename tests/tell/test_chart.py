"""The frontier as a chart, and charts in characters: what stands where, in what room, in which characters."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from rich.cells import cell_len

import planner
from planner.planning.result import Plan
from planner.tell.axes import TICKS_MAX, linear_axis
from planner.tell.document import Axis, Chart, Curve, Mark, Rule, Tick, Value, line, plain, raw_of
from planner.tell.plan.frontier import Beside, frontier_chart, has_frontier
from planner.tell.render.characters import ASCII, UNICODE, draw

REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}
ROWS = 10


def made(budget: Any = "2 TFLOPs", **more: Any) -> Plan:
    return planner.plan(budget=budget, **REQUEST, **more)


PLANS: dict[str, dict[str, Any]] = {
    "flops": {},
    "ttft": {"budget": planner.Budget(ttft_s=0.1), "hardware": "l4", "llms": "qwen2.5", "batch": (1, 4)},
    "throughput": {
        "budget": planner.Budget(requests_per_second=20),
        "hardware": "h100-sxm",
        "llms": "qwen2.5",
        "scheduler": "static",
    },
    "memory": {"budget": planner.Budget(memory_bytes=8e9)},
    "far limit": {"budget": "1000 TFLOPs"},
    "pick off the frontier": {  # a larger batch with the same error is cheaper and slower
        "budget": planner.Budget(ttft_s=0.3, requests_per_second=30),
        "hardware": "h100-sxm",
        "llms": "Qwen1.5-0.5B",
        "price_per_hour": 3.0,
        "scheduler": "static",
    },
}


@cache
def named(name: str) -> Plan:
    return made(**PLANS[name])


def lines_of(plan: Plan, width: int = 80, signs: Any = UNICODE) -> list[str]:
    return [line.plain for line in draw(frontier_chart(plan, Beside.FITTING), width, signs)]


def rows_of(plan: Plan, width: int = 80) -> list[str]:
    """The lines of the grid, under the label of the axis."""
    return lines_of(plan, width)[1 : 1 + ROWS]


def places(rows: list[str], sign: str) -> list[tuple[int, int]]:
    """(row, column) of a sign in the grid, whose first column follows the axis."""
    axis = next(row.index("┤") for row in rows if "┤" in row)
    return [(i, j - axis - 1) for i, row in enumerate(rows) for j, found in enumerate(row) if found == sign]


@pytest.mark.parametrize("width", [60, 72, 80, 200])
@pytest.mark.parametrize("name", PLANS)
def test_it_keeps_its_width_and_shows_the_pick_once(name: str, width: int) -> None:
    plan = named(name)
    label, *rest = lines_of(plan, width)
    rows, (axis, numbers, below, *legends) = rest[:ROWS], rest[ROWS:]
    assert label.strip() == "predicted error, 1 - score"
    assert below.strip().startswith(plan.limits[0].limit.of_one)
    assert max(map(cell_len, (*rows, axis, numbers, below))) <= min(width, 80)
    assert max(map(cell_len, legends)) <= width
    assert axis.count("┴") >= len(numbers.split("  ")) - numbers.split("  ").count("") >= 1
    assert len(places(rows, "●")) == 1
    legend = "  ".join(legends)
    assert legend.startswith("● pick  a ")
    drawn = "".join(rows)
    assert ("┆" in drawn) == ("┆ limit " in legend)
    assert ("+" in drawn) == ("+ next better" in legend)


def test_errors_fall_downwards_and_costs_grow_to_the_right() -> None:
    plan = named("flops")
    rows = rows_of(plan)
    ((pick_row, pick_column),) = places(rows, "●")
    assert rows[pick_row].startswith(f" {plan.best.predicted_error:.4f}┤")
    assert places(rows, "a")[0] == (0, 0)  # the cheapest: up, left
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
    ((_, column),) = places(rows_of(plan), "●")
    assert column == round(share * (columns - 1))


def test_the_least_that_is_asked_for_stands_on_the_left() -> None:
    rows = rows_of(named("throughput"))
    ((_, pick),) = places(rows, "●")
    assert {column for _, column in places(rows, "┆")} != set()
    assert max(column for _, column in places(rows, "┆")) < pick


def test_a_limit_far_away_is_not_drawn() -> None:
    assert "┆" not in "".join(lines_of(named("far limit")))


def test_ascii_is_the_same_picture() -> None:
    plan = named("flops")
    as_ascii = str.maketrans(dict(zip("●·┆└│─┤┴", "@.:+|-|+", strict=True)))
    ascii_lines = lines_of(plan, signs=ASCII)
    assert ascii_lines == [line.translate(as_ascii) for line in lines_of(plan)]
    assert "\n".join(ascii_lines).isascii()


def test_without_a_curve_there_is_no_chart() -> None:
    assert has_frontier(named("flops"))
    assert not has_frontier(made(llms="Qwen1.5-0.5B", visual_tokens=(1, 4)))
    assert not has_frontier(made(planner.Budget(memory_bytes=20e9), llms="Qwen1.5-0.5B", visual_tokens=(1,)))


def test_many_models_keep_the_width() -> None:
    plan = made("100 TFLOPs", llms="all")
    assert len({one.llm.name for one in plan.frontier}) > 5
    assert all(cell_len(line) <= 80 for line in lines_of(plan))


# --- the chart as data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("beside", Beside)
def test_marks_are_the_candidates(name: str, beside: Beside) -> None:
    plan = named(name)
    chart, column = frontier_chart(plan, beside), plan.limits[0].limit.column
    known = {(one.quantities[column], one.predicted_error) for one in plan.frontier}
    assert known <= {(mark.x, mark.y) for mark in chart.marks}
    (pick,) = [mark for mark in chart.marks if mark.ring == "pick"]
    assert pick is chart.marks[-1]
    assert (pick.x, pick.y) == (plan.best.quantities[column], plan.best.predicted_error)
    assert plain(pick.tip).startswith(f"{plan.best}")
    assert plan.best.score is not None
    assert f"error {pick.y:.4f}, score {100 * plan.best.score:.1f} %, " in plain(pick.tip)
    for mark in chart.marks:
        assert chart.x.low <= mark.x <= chart.x.high
        assert chart.y.low <= mark.y <= chart.y.high
        assert (mark.standing == "over") <= (beside is Beside.EVERYTHING)
    table = plan.table
    models = set(zip(table.llm_index.tolist(), table.visual_tokens.tolist(), strict=True))
    if beside is Beside.EVERYTHING:
        assert len({(mark.series, mark.weight) for mark in chart.marks}) == len(models)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_from_a_file_has_the_same_chart_of_what_it_holds(name: str) -> None:
    plan = named(name)
    again = Plan.from_dict(plan.to_dict())
    for beside in Beside:
        assert frontier_chart(again, beside) == frontier_chart(plan)


@pytest.mark.parametrize("name", PLANS)
def test_the_steps_fall_from_the_cheapest_on_to_the_pick(name: str) -> None:
    plan = named(name)
    (curve,) = frontier_chart(plan).curves
    column = plan.limits[0].limit.column
    corners = curve.points[::2][: len(plan.frontier)]
    assert corners == tuple((one.quantities[column], one.predicted_error) for one in plan.frontier)
    assert curve.points[-1][1] == plan.best.predicted_error


@pytest.mark.parametrize("name", PLANS)
def test_the_limit_is_a_rule_with_its_value(name: str) -> None:
    plan = named(name)
    limit = plan.limits[0].limit
    (rule,) = frontier_chart(plan).rules
    assert (rule.at, raw_of(rule.label)) == (limit.value, limit.value)
    assert plain(rule.label) == f"limit {limit.show(limit.value)}"


def test_bytes_stand_at_powers_of_two() -> None:
    ticks = [tick.at for tick in frontier_chart(named("memory")).x.ticks]
    assert len(ticks) >= 2
    assert all(math.log2(at).is_integer() for at in ticks)


# --- any chart --------------------------------------------------------------------------------------------------------


def test_curves_with_names_are_lines_of_letters() -> None:
    """A falling and a level line, and a run on each, as a law has them."""
    ticks = tuple(Tick(at, Value(f"{at:g}", at, "tokens")) for at in (1.0, 10.0, 100.0))
    chart = Chart(
        key="law",
        caption=line("the law"),
        alt=line("it falls"),
        x=Axis(line("visual tokens"), 1.0, 100.0, ticks, log=True),
        y=Axis(line("error"), 0.0, 1.0, (Tick(0.5, Value("0.5", 0.5, "error")),)),
        curves=(
            Curve(((1.0, 1.0), (100.0, 0.0)), "law", Value("1B", 1e9, "size")),
            Curve(((1.0, 0.5), (100.0, 0.5)), "law", Value("7B", 7e9, "size")),
        ),
        marks=(Mark(10.0, 1.0, "dot", line("a run")),),
        rules=(Rule(1000.0, line("beyond")),),
        legend=(("line", line("the law")), ("dot", line("measured runs"))),
    )
    label, *rest = [one.plain for one in draw(chart, 70)]
    rows = rest[:ROWS]
    assert label.strip() == "error"
    falling, level = places(rows, "a"), places(rows, "b")
    assert (falling[0], falling[-1]) == ((0, 0), (ROWS - 1, 63))
    assert {row for row, _ in level} == {4} or {row for row, _ in level} == {5}
    assert len(level) + 10 >= 64  # but where the other crosses it
    assert [column for _, column in falling] == sorted(column for _, column in falling)
    ((run_row, run_column),) = places(rows, "o")
    assert (run_row, run_column) == (0, 32)
    assert rest[-1] == "a 1B  b 7B  o measured runs"


def test_a_linear_axis_has_few_ticks_however_wide_it_is() -> None:
    for low in (0.0, 0.05, 0.1, 0.63, 0.6399):
        for step in range(1, 400):
            axis = linear_axis(line("error"), [low, low + step / 1000], lambda at: Value(str(at), at, "error"))
            places = [tick.at for tick in axis.ticks]
            assert 3 <= len(places) <= TICKS_MAX
            assert axis.low <= places[0]
            assert places[-1] <= axis.high
            gaps = [after - before for before, after in pairwise(places)]
            assert all(math.isclose(gap, gaps[0], rel_tol=1e-6) for gap in gaps)
