"""What a plan says of its load: the numbers of its traffic, in the words of the field."""

from __future__ import annotations

from functools import cache

import planner
from planner.base.quantities import format_seconds
from planner.planning.result import Plan
from planner.planning.words import price_text, way_to_run
from planner.tell.document import plain
from planner.tell.plan.load import (
    asked_line,
    carried_line,
    engine_line,
    headroom_line,
    load_section,
    rivals_table,
    scaled_line,
    times_table,
)
from planner.tell.plan.story import plan_story
from planner.tell.recommendation import tell
from planner.tell.render import as_text


@cache
def loaded(rate: float, gpus: int | None = 1, **more: float) -> Plan:
    return planner.plan(
        budget=planner.Budget(ttft="60 ms", requests_per_second=rate),
        gpus=gpus,
        hardware="l40s",
        llms="qwen2.5",
        visual_tokens=[16, 64],
        query_tokens=50,
        generated_tokens=64,
        **more,
    )


def test_every_number_says_its_level() -> None:
    plan = loaded(20)
    served = plan.traffic
    assert served is not None and plan.carried is not None
    top = plain(asked_line(plan))
    assert top.startswith("load: 20 requests/s on 1 GPU, 1 replica; p95 TTFT ")
    assert format_seconds(plan.carried.ttft_s["p95"]) in top
    assert top.endswith("(solved numerically)")
    table = times_table(served)
    assert plain(table.caption) == "times under the load, simulated request by request"
    cells = {plain(row[0]): [plain(cell) for cell in row[1:]] for row in table.rows}
    assert cells["TTFT"] == [format_seconds(served.ttft_s[name]) for name in ("mean", "p50", "p95", "p99")]
    assert "(solved numerically)" in plain(headroom_line(served))
    assert plain(rivals_table(served).caption).endswith("simulated")


def test_what_becomes_of_it_at_several_times_the_load() -> None:
    near = loaded(20, scale=40.0).traffic
    assert near is not None and not near.scaled.stable
    told = plain(scaled_line(near))
    assert told.startswith("at 40 times the load, 800 requests/s: unstable on these GPUs above ")
    assert told.endswith(f"; the pick keeps its limits on {near.scaled.gpus} GPUs")
    light = loaded(1).traffic
    assert light is not None and light.scaled.stable
    assert format_seconds(light.scaled.ttft_s["p95"]) in plain(scaled_line(light))


def test_gpus_that_carry_several_times_the_load_are_those_of_the_headroom() -> None:
    """Also where users say the load: what stays within the headroom needs no further GPU."""
    plan = planner.plan(
        budget=planner.Budget(ttft="200 ms"), concurrency=2, gpus=2, hardware="l40s", llms="qwen2.5",
        visual_tokens=[64], query_tokens=50, generated_tokens=64,
    )  # fmt: skip
    served = plan.traffic
    assert served is not None
    within = served.scaled.requests_per_second <= served.max_requests_per_second
    assert within and served.scaled.gpus <= served.gpus


def test_gpus_that_idle_are_said_in_one_way() -> None:
    """On top, beside the load, in the price and on the page; what is kept up with is of those that serve."""
    plan = loaded(20, 3, tensor_parallel=2, price_per_hour=2.0)
    served = plan.traffic
    assert served is not None
    assert "on 3 GPUs, 1 replica, 1 GPU idles; p95 TTFT" in plain(asked_line(plan))
    assert " of what 2 GPUs can keep up with, 1 GPU idles; " in plain(carried_line(plan, served))
    assert way_to_run(plan).endswith("1 GPU idles, bf16")
    assert price_text(plan).startswith("3 GPUs, 6.00 an hour; ")
    assert price_text(plan).endswith("; 1 GPU idles, which the price includes")
    page = as_text(tell(plan), ".md")
    assert "1 GPU idles" in page and "GPUs idle" not in page
    assert "idle" not in as_text(tell(loaded(20, 2, tensor_parallel=2)), ".md")


def test_where_the_scheduler_of_the_engine_comes_from() -> None:
    told = plain(engine_line(loaded(20)))
    assert "with max_num_seqs 256 and max_num_batched_tokens 2,048 (vLLM's defaults), and requests" in told
    told = plain(engine_line(loaded(20, max_num_seqs=64)))
    assert "with max_num_seqs 64 (as asked) and max_num_batched_tokens 2,048 (vLLM's defaults), and requests" in told


def test_a_plan_without_a_load_says_nothing_of_one() -> None:
    plan = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
    assert plain(asked_line(plan)) == ""
    assert list(load_section(plan)) == []


def test_why_there_are_so_many_gpus_is_said_where_nobody_asked() -> None:
    asked, follow = plain(asked_line(loaded(20))), plain(asked_line(loaded(20, None)))
    assert "the fewest GPUs that carry it" not in asked
    assert "the fewest GPUs that carry it" in follow
    assert any(one.key == "load" for one in plan_story(loaded(20, None)).sections)
