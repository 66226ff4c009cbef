"""A plan on the terminal: the order of the story, golden texts, 80 columns, plain text where it is not a terminal."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

import planner
from planner.base.file_format import content_hash
from planner.costs.stages import Workload
from planner.planning.limits import show_price
from planner.planning.plan_file import HASH
from planner.planning.request import Load
from planner.planning.result import Plan
from planner.planning.words import load_text, way_to_run
from planner.tell.document import Chart, Value, plain, raw_of
from planner.tell.memory import memory_line
from planner.tell.plan import plan_story, print_plan
from planner.tell.plan.frontier import frontier_chart
from planner.tell.plan.sentences import more_lines, why_line
from planner.tell.plan.tables import best_table, each_table, limit_table
from planner.tell.render.fitted import table_width

GOLDEN = Path(__file__).parent / "golden"
REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}
PLANS: dict[str, dict[str, Any]] = {
    "flops": {"budget": "2 TFLOPs", "compressor": "average-pool", **REQUEST},
    "limits": {
        "budget": planner.Budget(ttft_s=0.1, requests_per_second=3),
        "hardware": "l4",
        "compressor": "average-pool",
        "precision": ("bf16", "int4"),
        "batch": (1, 2, 4),
        "scheduler": "static",
        "llms": "qwen2.5",
        **REQUEST,
    },
}
"""Of the compressor whose cost is simplest, so that these texts change only where the story does."""


def printed(plan: Plan, width: int = 80, frontier: bool = False, **console: Any) -> str:
    stream = io.StringIO()
    print_plan(Console(file=stream, width=width, highlight=False, **console), plan, frontier=frontier)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("name", PLANS)
def test_the_text_is_as_recorded(name: str) -> None:
    """To record it again: python tests/tell/test_plan.py"""
    assert printed(planner.plan(**PLANS[name])) == (GOLDEN / f"plan-{name}.txt").read_text(encoding="utf-8")


def test_the_story_has_its_order() -> None:
    text = printed(planner.plan(**PLANS["limits"]), frontier=True)
    parts = [
        "best under",
        "predicted error",
        "law ",
        "assumes: ",
        "why: ",
        "best that fit",
        "one request, ",
        "limits\n",
    ]
    frontier = "frontier: the least error for the TTFT\n"
    parts += ["with 9 % fewer ", frontier, "● pick", f"{frontier}┏"]
    ends = [text.index(parts[0])]
    for part in parts[1:]:
        assert part in text[ends[-1] :], part
        ends.append(text.index(part, ends[-1]))
    assert ends == sorted(ends)


@pytest.mark.parametrize("width", [60, 80, 132])
@pytest.mark.parametrize("name", PLANS)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    for line in printed(planner.plan(**PLANS[name]), width, frontier=True).splitlines():
        assert cell_len(line) <= width


def test_ways_to_run_that_differ_have_a_column() -> None:
    text = printed(planner.plan(**PLANS["limits"]))
    head = next(line for line in text.splitlines() if line.startswith("┃ LLM"))
    plan = planner.plan(**PLANS["limits"])
    shown = (plan.best, *plan.runners_up)
    for name, values in {
        "precision": {one.precision for one in shown},
        "batch": {one.batch for one in shown},
        "GPUs": {one.tensor_parallel for one in shown},
    }.items():
        assert (name in head) == (len(values) > 1), name
    assert {one.batch for one in shown} != {plan.best.batch}  # so that the test has something to see


@pytest.mark.parametrize(
    ("more", "column"),
    [
        ({"precision": ("bf16", "fp8")}, "precision"),
        ({"tensor_parallel": (1, 2)}, "GPUs"),
        ({"compressor": ("average-pool", "tokenpacker")}, "compressor"),
        ({"vision": ("CLIP-ViT-L/14-336", "SigLIP-so400m/14-384")}, "tower"),
    ],
)
def test_each_axis_shows_where_rows_differ_in_it(more: dict[str, Any], column: str) -> None:
    plan = planner.plan(**{**PLANS["flops"], "budget": planner.Budget(tpot_s=0.03), "hardware": "l4", **more})
    rows = (plan.best, *plan.runners_up)
    attribute = {"GPUs": "tensor_parallel", "tower": "vision"}.get(column, column)
    differ = len({getattr(row, attribute) for row in rows}) > 1
    head = next(line for line in printed(plan, 120).splitlines() if line.startswith("┃ LLM"))
    assert (f" {column} " in head) == differ


def test_a_narrow_terminal_is_told_the_chart_in_words() -> None:
    text = printed(planner.plan(**PLANS["flops"]), 50)
    assert not set(text) & {"●", "┆"}
    assert "The error falls from 0.6166 at 428 GFLOPs" in " ".join(text.split())
    assert text.startswith("Train: Qwen1.5-7B with 36 visual tokens, best\nunder ")


def test_what_is_read_by_programs_is_plain_text() -> None:
    plan = planner.plan(**PLANS["flops"])
    assert "\x1b" not in printed(plan)
    coloured = printed(plan, force_terminal=True, color_system="standard")
    assert "\x1b[1;32m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == printed(plan)
    assert not re.search(r"\x1b\[[\d;]*3[0-9]m", printed(plan, force_terminal=True, no_color=True))


@pytest.mark.parametrize("arguments", [(), ("--frontier",)])
def test_a_terminal_without_utf_8_gets_ascii(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "planner.cli", "plan", "--ttft", "50ms", "--hardware", "l4", *arguments]
    command += ["--query-tokens", "50", "--generated-tokens", "32"]
    environment = os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("ascii")
    assert "@ pick" in text
    assert all(len(line) <= 80 for line in text.splitlines())


# --- sentences --------------------------------------------------------------------------------------------------------


def test_a_distribution_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "traffic.csv"
    file.write_text("query_tokens,generated_tokens\n10,100\n20,200\n60,310\n")
    plan = planner.plan(budget=planner.Budget(ttft_s=0.2), workload=file, hardware="l4")
    said = (
        "planned for 3 requests: FLOPs, throughput, energy and price on the mean one (30 query and 204 generated "
        "tokens), times and memory on the 95th percentile (56 and 299)"
    )
    assert load_text(plan.load) == said
    words = " ".join(printed(plan).split())
    assert said in words
    assert "mean request, full count; times of 95th percentile" in words
    assert said in str(plan).splitlines()


def test_a_single_request_needs_no_words() -> None:
    one = Workload(50, 32)
    assert load_text(Load(one, one)) == ""
    assert "planned for" not in printed(planner.plan(**PLANS["flops"]))


def test_card_and_batch_stand_in_the_short_text_too() -> None:
    plan = planner.plan(**PLANS["limits"])
    line = f"NVIDIA L4 24 GB, {plan.best.precision}, batch {plan.best.batch}"
    assert way_to_run(plan) == line
    assert str(plan).splitlines()[1] == line
    assert line in printed(plan)
    assert way_to_run(planner.plan(**PLANS["flops"])) == ""
    batched = planner.plan(**PLANS["flops"], batch=8, kv_precision="int8")
    assert way_to_run(batched) == "KV cache in int8, batch 8"


@pytest.mark.parametrize(
    ("tensor_parallel", "gpus", "line", "counted"),
    [
        (1, None, "NVIDIA L4 24 GB, bf16, batch ", ""),
        (1, 1, "NVIDIA L4 24 GB, bf16, batch ", ""),
        (1, 2, "2 x NVIDIA L4 24 GB, bf16, batch ", " of 2 GPUs"),
        (2, None, "2 x NVIDIA L4 24 GB, tensor parallel, bf16, batch ", " of 2 GPUs"),
        (2, 4, "4 x NVIDIA L4 24 GB, 2 GPUs a model, tensor parallel, bf16, batch ", " of 4 GPUs"),
        (2, 5, "5 x NVIDIA L4 24 GB, 2 GPUs a model, tensor parallel, 1 GPU idles, bf16, batch ", " of 4 GPUs"),
        (4, 7, "7 x NVIDIA L4 24 GB, 4 GPUs a model, tensor parallel, 3 GPUs idle, bf16, batch ", " of 4 GPUs"),
    ],
)
def test_how_many_gpus_give_the_throughput_is_said(
    tensor_parallel: int, gpus: int | None, line: str, counted: str
) -> None:
    budget = planner.Budget(ttft_s=1, requests_per_second=0.1)
    way: dict[str, Any] = {"tensor_parallel": tensor_parallel, "gpus": gpus, "scheduler": "static"}
    plan = planner.plan(budget=budget, hardware="l4", **way, **REQUEST)
    assert way_to_run(plan) == f"{line}{plan.best.batch}"
    assert str(plan).splitlines()[1] == way_to_run(plan)
    assert f"│ requests per second{counted} " in printed(plan, 100)


@pytest.mark.parametrize(
    ("tensor_parallel", "gpus", "start"),
    [
        (1, None, "1 GPU, 0.80 an hour; "),
        (1, 2, "2 GPUs, 1.60 an hour; "),
        (2, None, "2 GPUs, 1.60 an hour; "),
        (2, 5, "4 of 5 GPUs, 3.20 an hour; "),
    ],
)
def test_the_price_is_said_where_it_is_known(tensor_parallel: int, gpus: int | None, start: str) -> None:
    options: dict[str, Any] = {"hardware": "l4", "tensor_parallel": tensor_parallel, "gpus": gpus, **REQUEST}
    plan = planner.plan(budget=planner.Budget(ttft_s=1), price_per_hour=0.8, **options)
    paid = int(start.split()[0])
    million = paid * 0.8 * 1e6 / plan.best.quantities["requests_per_second"] / 3600
    said = f"price: {start}{million:.4g} for a million requests"
    assert said in printed(plan).splitlines()
    assert said in str(plan).splitlines()
    unpriced = planner.plan(budget=planner.Budget(ttft_s=1), **options)
    assert "an hour" not in printed(unpriced) + str(unpriced)


@pytest.mark.parametrize(
    ("price", "text"),
    [(0.0123456, "0.01235"), (0.8, "0.80"), (1.6, "1.60"), (12.756, "12.76"), (123.456, "123.5"), (23456.7, "23457")],
)
def test_money_has_the_digits_that_money_has(price: float, text: str) -> None:
    assert show_price(price) == text


def test_a_peak_before_the_prompt_says_what_the_cache_comes_to() -> None:
    """32 images in a small model: the tower's activations are the peak, and no cache is held yet."""
    plan = planner.plan(
        budget="100 TFLOPs", workload=Workload(5, 3, images=32), llms="Qwen1.5-0.5B", visual_tokens=1, batch=(2,)
    )
    memory = plan.best.memory
    assert (memory.peak_stage, memory.peak_kv_cache) == (0, 0)
    text = plain(memory_line(memory, plan.best.batch))
    assert " at the peak, in the vision encoder (weights " in text
    assert "KV cache 0" not in text
    at_end = 2 * (5 + 32 + 3) * 2 * 2 * 24 * 1024
    assert memory.kv_cache == pytest.approx(at_end, rel=0.05)
    assert text.endswith(f"; the KV cache of 2 requests comes to {memory.kv_cache / 2**20:.3g} MiB at the end")


def test_a_peak_in_the_answer_says_no_more_than_it_did() -> None:
    best = planner.plan(**PLANS["flops"], llms="Qwen1.5-4B", visual_tokens=4).best
    assert best.memory.peak_stage == 4
    assert re.fullmatch(
        r"memory per device: [\d.]+ GiB at the peak \(weights [\d.]+ GiB, KV cache [\d.]+ MiB, "
        r"activations [\d.]+ KiB, reserve 600 MiB\); most of it: weights",
        plain(memory_line(best.memory, best.batch)),
    )


def test_a_limit_that_binds_is_not_said_to_buy_nothing_at_all() -> None:
    budget = planner.Budget(ttft_s=0.1, requests_per_second=12)
    plan = planner.plan(budget=budget, hardware="l4", gpus=2, scheduler="static", **REQUEST)
    assert [one.keeps_better_out for one in plan.limits] == [True, True, False]
    assert not any(one.relaxed for one in plan.limits)
    above = plan.next_up
    assert above is not None
    assert above.quantities["ttft_s"] > 0.11
    assert above.quantities["requests_per_second"] >= 12
    said = (
        f"10 % more of one limit alone buys nothing; the next better by TTFT is {above} at "
        f"{1e3 * above.quantities['ttft_s']:.3g} ms, error {above.predicted_error:.4f}, "
        f"score {100 - 100 * above.predicted_error:.1f} %"
    )
    assert list(map(plain, more_lines(plan))) == [said]
    assert said in " ".join(printed(plan).split())


def test_a_larger_budget_is_told_once() -> None:
    plan = planner.plan(**PLANS["flops"])
    above = plan.next_up
    assert above is not None
    (said,) = map(plain, more_lines(plan))
    start = f"10 % more of the FLOPs buys nothing; the next better by FLOPs is {above} at 2.31 TFLOPs, error "
    assert said.startswith(start)
    plan = planner.plan(budget="2 TFLOPs", **REQUEST)
    assert plan.next_up == plan.limits[0].relaxed
    (said,) = map(plain, more_lines(plan))
    assert said.startswith(f"with 10 % more FLOPs (2.2 TFLOPs): {plan.next_up} at 2.17 TFLOPs, error ")


def test_why_says_what_is_true() -> None:
    plan = planner.plan(**PLANS["flops"])
    second = plan.runners_up[0]
    gap = second.predicted_error - plan.best.predicted_error
    assert plain(why_line(plan)) == (
        f"why: least error of the {plan.table.fits.sum()} that fit, of {len(plan.table)} tried; "
        f"next: {second}, {gap:.4f} worse; probability of being best: {100 * (plan.best.probability_best or 0):.0f} %"
    )
    alone = planner.plan(**PLANS["flops"], llms="Qwen1.5-4B", visual_tokens=36)
    assert plain(why_line(alone)).startswith("why: alone fits, of 1")
    twins = planner.plan(**{**PLANS["flops"], "compressor": ("average-pool", "tokenpacker")})
    assert f"({twins.runners_up[0].compressor.name}), equal in error" in plain(why_line(twins))


# --- tables -----------------------------------------------------------------------------------------------------------


def read_back(plan: Plan) -> Plan:
    return Plan.from_dict(plan.to_dict())


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_from_a_file_tells_the_same(name: str) -> None:
    plan = planner.plan(**PLANS[name])
    again, told = plan_story(read_back(plan)), plan_story(plan)
    for one, same in zip(again.sections, told.sections, strict=True):
        *blocks, last = one.blocks
        assert blocks == list(same.blocks[:-1])
        if isinstance(last, Chart):  # a file holds no more candidates than those near the pick
            same_last = same.blocks[-1]
            assert isinstance(same_last, Chart)
            assert set(last.marks) - set(frontier_chart(plan).marks) == set()
            assert (last.x, last.curves, last.rules, last.alt) == (
                same_last.x, same_last.curves, same_last.rules, same_last.alt,
            )  # fmt: skip
        else:
            assert last == same.blocks[-1]
    assert replace(again, sections=()) == replace(told, sections=())


@pytest.mark.parametrize("name", PLANS)
def test_numbers_of_tables_are_those_of_the_candidates(name: str) -> None:
    plan = planner.plan(**PLANS[name])
    table = best_table(plan)
    column = plan.limits[0].limit.column
    for row, one in zip(table.rows, (plan.best, *plan.runners_up), strict=True):
        cells = dict(zip(map(str, table.columns), row, strict=True))
        assert raw_of(cells["LLM"]) == one.llm.name
        assert raw_of(cells["tokens"]) == one.visual_tokens
        assert raw_of(cells["error"]) == one.predicted_error
        assert raw_of(cells["score"]) == 1 - one.predicted_error == one.score
        assert tuple(part.raw for part in cells["95 % interval"] if isinstance(part, Value)) == one.interval
        assert raw_of(cells["best"]) == one.probability_best
        assert raw_of(cells[plan.limits[0].limit.title]) == one.quantities[column]
    limits = limit_table(plan)
    for limit_row, told in zip(limits.rows, plan.limits, strict=True):
        raws = [raw_of(cell) for cell in limit_row]
        assert raws[1:4] == [told.limit.value, plan.best.quantities[told.limit.column], told.used]
        assert (plain(limit_row[-1]) == "binds") == told.binds
    measured = limit_table(plan, {plan.limits[0].limit.name: ("31 ms",)})
    assert measured.columns == ("limit", "allowed", "pick", "used", "measured", "")
    assert [plain(row[4]) for row in measured.rows] == ["31 ms"] + [""] * (len(plan.limits) - 1)


def test_where_room_is_short_columns_go_in_their_order() -> None:
    table = best_table(planner.plan(**PLANS["limits"]))
    assert table.spare == ("best", "95 % interval", "score", "TTFT")
    widths = [table_width(table)]
    for name in table.spare:
        assert name in map(str, table.columns)
        table = table.without(name)
        assert name not in map(str, table.columns)
        assert all(len(row) == len(table.columns) for row in table.rows)
        widths.append(table_width(table))
    plan = planner.plan(**PLANS["limits"])
    for width, names in zip(widths, (table.spare[i:] for i in range(5)), strict=True):
        head = next(one for one in printed(plan, width).splitlines() if one.startswith("┃ LLM"))
        assert [name for name in table.spare if f" {name} " in head] == list(names)


def test_the_best_of_each_way_begins_with_the_way() -> None:
    both: dict[str, Any] = {
        "compressor": ("average-pool", "tokenpacker"),
        "prompt_order": ("image-first", "text-first"),
    }
    plan = planner.plan(**{**PLANS["flops"], **both})
    table = each_table(plan)
    assert table.columns[:4] == ("compressor", "prompt", "LLM", "tokens")
    ways = [(one.compressor.name, one.prompt_order) for one in plan.best_of_each]
    assert [tuple(map(raw_of, row[:2])) for row in table.rows] == ways
    assert "best of each, same limits" in printed(plan)
    assert planner.plan(**PLANS["flops"]).best_of_each == ()


def test_errors_that_are_those_of_no_score_have_none() -> None:
    far = planner.FittedLaw.given("log-linear", {"c0": 1.5, "c1": 0.01, "c2": 0.01})
    plan = planner.plan(far, **{**PLANS["flops"], "llms": "Qwen1.5-4B"})
    assert plan.best.predicted_error > 1
    assert plan.best.score is None
    assert "score" not in printed(plan) + str(plan)
    assert plan.to_dict()["best"]["score"] is None
    told = planner.plan(**PLANS["flops"]).to_dict()
    assert told["best"]["score"] == 1 - told["best"]["predicted_error"]


def test_files_that_were_written_without_scores_are_read() -> None:
    plan = planner.plan(**PLANS["flops"])
    content = plan.to_dict()
    places = [content["best"], *content["runners_up"], *content["tied"], *content["frontier"], content["next_up"]]
    places += [limit["relaxed"] for limit in content["limits"].values() if limit["relaxed"] is not None]
    for one in places:
        assert one.pop("score", None) == 1 - one["predicted_error"]
    assert Plan.from_dict(content | {HASH: content_hash(content, HASH)}) == plan


def test_a_load_by_requests_under_way_reads_as_a_sentence() -> None:
    plan = planner.plan(
        budget=planner.Budget(ttft_s=0.3), hardware="l4", gpus=2, concurrency=8, scale=2, llms="Qwen1.5-0.5B", **REQUEST
    )
    said = " ".join(printed(plan, width=200).split())
    assert " requests/s, 8 under way at once, on 2 GPUs, 2 replicas; p95 TTFT " in said
    assert re.search(r" requests/s, 8 under way at once, \d+ % of what 2 GPUs can keep up with; ", said)
    assert "the best at 2 times the load on as many times the GPUs: Qwen1.5-0.5B with " in said


if __name__ == "__main__":  # python tests/tell/test_plan.py: record the golden texts again
    for name, given in PLANS.items():
        (GOLDEN / f"plan-{name}.txt").write_text(printed(planner.plan(**given)), encoding="utf-8")
