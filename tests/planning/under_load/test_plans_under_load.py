"""Plans for a load that arrives by itself: what is picked, on how many GPUs, and how sure that is."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, NothingFitsError
from planner.hardware import find_hardware
from planner.planning.load_plan import replan
from planner.planning.result import Plan
from planner.planning.under_load import confirm
from planner.tell.document import plain
from planner.tell.plan.frontier import frontier_chart
from planner.tell.plan.load import engine_line

REQUEST: dict[str, Any] = {"query_tokens": 120, "generated_tokens": 200, "hardware": "h100-sxm"}
QWEN3: dict[str, Any] = {
    "llms": ["qwen3"],
    "vision": "SigLIP-so400m/14-384",
    "compressor": "none",
    "precision": "fp8",
    **REQUEST,
}
"""Of 729 visual tokens each, which nothing compresses."""
FAST = planner.Budget(ttft="150 ms", requests_per_second=30)


@cache
def on(gpus: int | None, budget: planner.Budget = FAST, **more: Any) -> Plan:
    return planner.plan(budget=budget, gpus=gpus, **{**QWEN3, **more})


def test_two_cards_carry_a_model_that_batches_one_after_the_other_do_not() -> None:
    """30 requests/s on two H100 with 95 % of the first tokens within 150 ms: Qwen3-14B in fp8 with all 729 visual
    tokens of the tower. Static batches allow it far fewer."""
    plan = on(2)
    assert (plan.best.llm.name, plan.best.visual_tokens, plan.best.precision) == ("Qwen3-14B", 729, "fp8")
    served = plan.traffic
    assert served is not None
    assert (served.level, served.gpus, served.replicas) == ("events", 2, 2)
    assert served.ttft_s["p95"] == pytest.approx(0.129, abs=0.02)
    assert served.ttft_s["p50"] < served.ttft_s["p95"] < served.ttft_s["p99"]
    assert served.goodput is not None and served.goodput > 0.95
    assert 30 < served.max_requests_per_second < served.unstable_above
    static = on(2, scheduler="static", llms=("Qwen3-14B",), budget=planner.Budget(ttft="150 ms"))
    assert static.best.quantities["requests_per_second"] < 15


def test_the_level_that_confirms_is_near_the_simulated_one() -> None:
    plan = on(2)
    assert plan.carried is not None and plan.traffic is not None
    assert plan.carried.level == "chain"
    for name in ("ttft_s", "tpot_s", "latency_s"):
        solved, simulated = getattr(plan.carried, name), getattr(plan.traffic, name)
        assert solved["p95"] == pytest.approx(simulated["p95"], rel=0.12)
        assert solved["mean"] == pytest.approx(simulated["mean"], rel=0.08)
    ttft = next(one for one in plan.limits if one.limit.title == "p95 TTFT")
    assert plan.best.quantities["ttft_s"] == plan.carried.ttft_s["p95"] == pytest.approx(ttft.used * 0.15)


def test_more_gpus_never_give_a_worse_plan() -> None:
    errors = [on(gpus, visual_tokens=None).best.error for gpus in (1, 2, 3, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0]


def test_without_a_number_of_gpus_the_fewest_carry_the_load() -> None:
    plan = on(None)
    assert plan.carried is not None and plan.carried.gpus == 1
    assert plan.best == on(1).best
    assert plan.deployment.gpus is None
    heavy = on(None, budget=planner.Budget(ttft="150 ms", requests_per_second=400))
    assert heavy.carried is not None
    fewest = heavy.carried.gpus
    assert fewest > 1
    with pytest.raises(NothingFitsError, match=r"gpus=[0-9]+ would do"):
        on(fewest // 2, budget=planner.Budget(ttft="150 ms", requests_per_second=400))


def test_a_price_decides_how_many_gpus_there_may_be() -> None:
    priced = [
        planner.plan(
            budget=planner.Budget(ttft="150 ms", requests_per_second=30, price=price), price_per_hour=3.0, **QWEN3
        )
        for price in (30, 60, 500)
    ]
    for plan, most in zip(priced, (30, 60, 500), strict=True):
        carried = plan.carried
        assert carried is not None
        paid = 1e6 / 3600 * 3.0 * carried.gpus / 30
        assert plan.best.quantities["price_per_million_requests"] == pytest.approx(paid)
        assert paid <= most
    assert [one.best.error for one in priced] == sorted((one.best.error for one in priced), reverse=True)


def test_gpus_that_idle_are_paid_for() -> None:
    one = on(3, tensor_parallel=2, price_per_hour=2.0)
    assert one.carried is not None and one.traffic is not None
    assert (one.carried.gpus, one.carried.replicas, one.carried.idle_gpus) == (3, 1, 1)
    assert one.to_dict()["traffic"]["idle_gpus"] == one.traffic.idle_gpus == 1
    assert "idle_gpus" not in on(2).to_dict()["traffic"]
    assert one.best.quantities["price_per_million_requests"] == pytest.approx(1e6 / 3600 * 2.0 * 3 / 30)
    assert one.best.quantities["energy_joules"] == pytest.approx(700 * 3 / 30)


@pytest.mark.parametrize("ttft", ["160 ms", "10 s"])
def test_the_throughput_of_the_pick_is_what_it_carries_within_all_limits(ttft: str) -> None:
    """The row of the limit and the headroom are one number, at which a limit breaks before the capacity is used up."""
    plan = on(2, budget=planner.Budget(ttft=ttft, requests_per_second=30))
    served, row = plan.traffic, next(one for one in plan.limits if one.limit.name == "requests_per_second")
    assert served is not None and plan.carried is not None and plan.carried.most is not None
    most = served.max_requests_per_second
    assert plan.best.quantities["requests_per_second"] == plan.carried.most.requests_per_second == most
    assert row.used == 30 / most
    assert plan.to_dict()["limits"]["requests_per_second"]["used"] == row.used
    assert (served.bound, most < 0.85 * served.unstable_above) == (("ttft", True), ("capacity", False))[ttft == "10 s"]
    table = plan.table.quantities["requests_per_second"]
    assert most in table.tolist()


def test_a_cost_alone_has_the_same_row() -> None:
    plan = planner.plan(
        models="qwen2.5-vl", image="640x480", rank_by="memory", gpus=1,
        budget=planner.Budget(ttft="200 ms", requests_per_second=5), **REQUEST,
    )  # fmt: skip
    row = next(one for one in plan.limits if one.limit.name == "requests_per_second")
    assert plan.traffic is not None
    assert row.used == 5 / plan.traffic.max_requests_per_second == 5 / plan.best.quantities["requests_per_second"]


def test_a_profile_of_an_engine_says_how_it_schedules() -> None:
    """And what is asked for comes before it; the plan stores both, and what they come from."""
    card = replace(find_hardware("h100-sxm"), name="mine", conditions={"engine": "vLLM 0.32.0", "max_num_seqs": 8})
    budget = planner.Budget(ttft="400 ms", requests_per_second=3)
    found = {seats: on(1, budget=budget, hardware=card, max_num_seqs=seats) for seats in (None, 64)}
    for seats, plan in found.items():
        served = plan.traffic
        assert served is not None and served.scheduler is not None
        assert served.scheduler.max_num_seqs == (seats or 8)
        assert served.scheduler.source["max_num_seqs"].startswith("as asked" if seats else "of the profile, calibrated")
        assert served.scheduler.source["max_num_batched_tokens"] == "vLLM's defaults"
        again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
        assert again == plan and again.deployment.traffic == plan.deployment.traffic
    few, more = (one.traffic for one in found.values())
    assert few is not None and more is not None
    assert few.max_requests_per_second < more.max_requests_per_second


def test_at_most_three_are_solved_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    carried = confirm.carried

    def counted(candidate: Any, *rest: Any, **more: Any) -> Any:
        asked.append(str(candidate))
        return carried(candidate, *rest, **more)

    monkeypatch.setattr(confirm, "carried", counted)
    for ttft in ("80 ms", "150 ms", "400 ms"):
        for rate in (3, 30, 90):
            asked.clear()
            budget = planner.Budget(ttft=ttft, requests_per_second=rate)
            planner.plan(budget=budget, gpus=4, llms=["qwen2.5", "qwen3"], tensor_parallel=(1, 2), **REQUEST)
            assert 1 <= len(asked) <= 3, (ttft, rate, asked)


def test_twice_the_load_and_the_next_size() -> None:
    plan = on(2, scale=2.0)
    served = plan.traffic
    assert served is not None and plan.at_scale is not None
    assert (served.scaled.factor, served.scaled.requests_per_second) == (2.0, 60.0)
    assert not served.scaled.stable
    assert served.scaled.gpus == 4 == plan.at_scale.quantities["gpus"]
    assert plan.at_scale.llm.name == plan.best.llm.name


def test_a_plan_with_a_load_is_read_back_as_it_was() -> None:
    for plan in (on(2, scale=2.0), on(None, budget=planner.Budget(ttft="150 ms"), concurrency=12, percentile=90)):
        content = json.loads(json.dumps(plan.to_dict()))
        again = Plan.from_dict(content)
        assert again == plan
        assert again.traffic == plan.traffic
        assert again.sha256 == plan.sha256
        assert str(again) == str(plan)
        assert replan(again) == plan
        promised = {
            "requests_per_second",
            "gpus",
            "replicas",
            "utilisation",
            "goodput",
            "ttft_s",
            "tpot_s",
            "latency_s",
        }
        assert promised | {"max_requests_per_second", "level"} <= content["traffic"].keys()
        assert {"p50", "p95", "p99"} <= content["traffic"]["ttft_s"].keys()


@pytest.mark.filterwarnings("error")
def test_what_has_no_room_for_a_request_has_no_rate_and_no_warning() -> None:
    asked: dict[str, Any] = {"models": "released", "image": "1024x768", "query_tokens": 120, "generated_tokens": 200}
    plan = planner.plan(budget=planner.Budget(ttft="400 ms"), hardware="h100-sxm", gpus=2, concurrency=64, **asked)
    assert plan.carried is not None and plan.carried.requests_per_second > 0


def test_requests_under_way_are_rate_times_latency() -> None:
    plan = on(2, budget=planner.Budget(ttft="150 ms"), concurrency=40)
    assert plan.carried is not None
    assert plan.carried.requests_per_second * plan.carried.latency_s["mean"] == pytest.approx(40, rel=0.02)


def test_the_percentile_is_that_of_the_limits() -> None:
    half, most = on(2, percentile=50), on(2, percentile=99)
    assert most.limits[0].limit.title == "p99 TTFT"
    assert half.best.error <= on(2).best.error <= most.best.error
    assert most.carried is not None
    assert most.best.quantities["ttft_s"] == most.carried.ttft_s["p99"] <= 0.15


def test_an_overload_names_the_rate_that_is_carried() -> None:
    with pytest.raises(NothingFitsError) as error:
        on(1, budget=planner.Budget(ttft="150 ms", requests_per_second=3000))
    assert str(error.value).startswith(
        "nothing carries 3000 requests/s on 1 GPU: Qwen3-0.6B with 729 visual tokens in "
    )
    assert "unstable above " in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheduler": "vllm"}, "no scheduler is called 'vllm'"),
        (
            {"budget": "2 TFLOPs", "scheduler": "continuous"},
            "scheduler='continuous': needs a load, such as ",
        ),
        ({"budget": "2 TFLOPs", "percentile": 95}, "percentile: needs a load"),
        ({"scheduler": "static", "percentile": 95}, "percentile: static batches run one after the other"),
        ({"concurrency": 4}, "concurrency: the load is 30 requests per second already"),
        ({"batch": 8}, "batch: under continuous batching the batch follows from the load"),
        ({"latency_source": "silicon"}, "latency_source: continuous batching is timed by 'roofline'"),
        ({"percentile": 99.9}, "percentile: expected a number from 50 to 99, got 99.9"),
        ({"scale": 1}, "scale: expected more than 1 time the load"),
        ({"budget": "2 TFLOPs", "concurrency": 4, "hardware": None}, "concurrency: a load needs hardware="),
    ],
)
def test_what_contradicts_a_load_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        planner.plan(**{"budget": FAST, **QWEN3, **options})
    assert str(error.value).startswith(said)


def test_released_models_are_planned_for_a_load() -> None:
    asked: dict[str, Any] = {"models": "released", "image": "1024x768", **REQUEST}
    plan = planner.plan(budget=planner.Budget(ttft="400 ms", requests_per_second=10), gpus=2, **asked)
    assert plan.best.released is not None and plan.carried is not None
    assert plan.carried.time_s("ttft_s", 95) <= 0.4
    cheapest = planner.plan(budget=planner.Budget(requests_per_second=10), price_per_hour=2.0, rank_by="price", **asked)
    assert cheapest.carried is not None and cheapest.carried.gpus == 1


def test_what_nobody_asked_for_is_not_loaded() -> None:
    """Times are simulated when they are told, not when the plan is made."""
    script = (
        "import sys, planner\n"
        "plan = planner.plan(budget=planner.Budget(ttft='150 ms', requests_per_second=5), hardware='h100-sxm',\n"
        "                    query_tokens=50, generated_tokens=32, visual_tokens=[64], llms='qwen2.5')\n"
        "assert 'planner.traffic.chain' in sys.modules\n"
        "assert 'planner.traffic.events' not in sys.modules\n"
        "assert plan.traffic.level == 'events'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def _log(folder: Path, spread: float, stamps: bool = True) -> Path:
    """2000 requests of 20 a second, whose answers differ."""
    generator = np.random.default_rng(5)
    times = np.cumsum(generator.exponential(1 / 20, 2000))
    answers = np.maximum(1, np.rint(100 * np.exp(spread * generator.standard_normal(2000) - spread**2 / 2)))
    file = folder / f"log-{spread}.csv"
    head = "timestamp,query_tokens,generated_tokens" if stamps else "query_tokens,generated_tokens"
    pairs = zip(times, answers, strict=True)
    rows = (f"{at:.6f},120,{answer:.0f}" if stamps else f"120,{answer:.0f}" for at, answer in pairs)
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_what_a_log_is_taken_for_is_said(tmp_path: Path) -> None:
    asked = {name: value for name, value in QWEN3.items() if not name.endswith("_tokens")}
    plans = {
        rate: planner.plan(
            traffic=_log(tmp_path, 0.0), budget=planner.Budget(ttft="2 s", requests_per_second=rate), gpus=2, **asked
        )
        for rate in (None, 40)
    }
    first = plans[None].notes
    assert first[0].startswith("the log has 2000 requests from 0.0") and " requests/s on average, " in first[0]
    assert len(first) == 1
    assert plans[40].notes[1].startswith("its times are stretched to 40 requests/s, ")
    assert "as the log has them" in plain(engine_line(Plan.from_dict(plans[40].to_dict())))


def test_what_does_not_keep_up_is_not_the_next_one_up(tmp_path: Path) -> None:
    """It has no time at all: a picture has no place for it."""
    asked = {name: value for name, value in QWEN3.items() if not name.endswith("_tokens")}
    plan = planner.plan(traffic=_log(tmp_path, 0.0), budget=planner.Budget(ttft="2 s"), gpus=1, **asked)
    better = plan.table.predicted_error < plan.best.error
    assert np.isinf(plan.table.quantities["ttft_s"][better]).any()
    assert plan.next_up is None
    assert frontier_chart(plan).x.high < 1e3


def test_a_log_is_the_load_as_it_came(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"budget": planner.Budget(ttft="150 ms"), "gpus": 2, **QWEN3}
    del asked["query_tokens"], asked["generated_tokens"]
    plan = planner.plan(traffic=_log(tmp_path, 0.8), **asked)
    assert plan.carried is not None and plan.traffic is not None
    assert plan.carried.requests_per_second == pytest.approx(20, rel=0.08)
    assert plan.load.requests == 2000 and 1 < len(plan.load.kinds) <= 64
    spread = plan.traffic.latency_s["p95"] / plan.traffic.latency_s["p50"]
    assert spread > 2
    alike = planner.plan(traffic=_log(tmp_path, 0.0), **asked)
    assert alike.traffic is not None
    assert alike.traffic.latency_s["p95"] / alike.traffic.latency_s["p50"] < 1.5
    faster = planner.plan(
        traffic=_log(tmp_path, 0.8), **{**asked, "budget": planner.Budget(ttft="150 ms", requests_per_second=60)}
    )
    assert faster.carried is not None and faster.carried.requests_per_second == 60
    assert faster.best.error >= plan.best.error
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan and again.load.kinds == plan.load.kinds
    with pytest.raises(InputError, match="traffic: the log says what requests are"):
        planner.plan(traffic=_log(tmp_path, 0.8), query_tokens=3, **asked)


@pytest.mark.parametrize(("rows", "got"), [(1, "one request"), (3, "3 requests at the same time")])
def test_a_log_without_a_rate_is_refused(tmp_path: Path, rows: int, got: str) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time_s,query_tokens,generated_tokens\n" + "5.0,120,200\n" * rows)
    with pytest.raises(InputError, match=f"expected requests that come at different times, .*got {got}$"):
        planner.plan(budget=FAST, traffic=log, hardware="h100-sxm", llms=("qwen3",))


def test_a_log_has_no_static_batches(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="traffic: static batches run one after the other"):
        planner.plan(
            budget=planner.Budget(ttft="150 ms"), traffic=_log(tmp_path, 0.0), scheduler="static", hardware="h100-sxm"
        )


def test_a_file_of_requests_keeps_its_lengths_under_a_rate(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"budget": FAST, "gpus": 2, **QWEN3}
    del asked["query_tokens"], asked["generated_tokens"]
    plan = planner.plan(workload=_log(tmp_path, 0.8, stamps=False), **asked)
    assert plan.carried is not None
    assert plan.carried.latency_s["p95"] / plan.carried.latency_s["p50"] > 2
