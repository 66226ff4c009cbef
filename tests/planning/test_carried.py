"""capacity(): the rate at which limits just hold, by simulating around it; closed loops; static batches; refusals."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, NothingFitsError, UnknownNameError
from planner.configuration import Model, ReleasedModel, Run
from planner.costs.stages import Workload
from planner.planning.capacity_result import Capacity
from planner.traffic.arrivals import Poisson
from planner.traffic.events import simulate
from planner.traffic.scheduler import Scheduler
from planner.traffic.service import Service
from planner.traffic.static import static_batch

LOAD = Workload(300, 40, images=0)
LIMITS = planner.Budget(ttft="400 ms", tpot="90 ms")
PROMISED = {"max_requests_per_second", "ttft_s", "tpot_s", "concurrency", "batch", "utilisation", "bound"}
BESIDE = {"mean_ttft_s", "mean_tpot_s", "gpus_per_replica", "percentile", "level", "scheduler"}


@cache
def carried(**more: Any) -> Capacity:
    asked: dict[str, Any] = {"budget": LIMITS, "workload": LOAD} | more
    return planner.capacity("Qwen3-1.7B", "l4", **asked)


def server(found: Capacity) -> Service:
    assert found.scheduler is not None
    assert found.service is not None
    return Service(found.model, found.run, found.service.workloads, found.service.weights, found.scheduler)


def test_limits_hold_at_the_rate_and_not_above_it() -> None:
    found = carried()
    one = server(found)
    times = {}
    for factor in (0.97, 1.0, 1.06):
        run = simulate(one.replica, one.requests, Poisson(factor * found.requests_per_second))
        times[factor] = (run.ttft(95).value / 0.400, run.tpot(95).value / 0.090)
    assert max(times[0.97]) < 1
    assert max(times[1.0]) <= 1
    assert max(times[1.06]) > 1
    assert found.bound == ("ttft", "tpot")[int(np.argmax(times[1.06]))]
    content = found.to_dict()
    assert content["ttft_s"] == pytest.approx(times[1.0][0] * 0.400)
    assert content["tpot_s"] == pytest.approx(times[1.0][1] * 0.090)


def test_it_promises_its_json() -> None:
    content = carried().to_dict()
    assert content.keys() >= PROMISED | BESIDE
    assert content["concurrency"] == pytest.approx(
        content["max_requests_per_second"] * content["loads"][0]["latency_s"]["mean"]
    )
    assert content["concurrency"] >= content["batch"] > 0
    assert 0 < content["utilisation"] < 1
    assert (content["gpus_per_replica"], content["percentile"], content["level"]) == (1, 95.0, "events")
    assert content["scheduler"]["max_num_seqs"] == 256  # vLLM's default for 24 GiB
    assert [one["requests_per_second"] for one in content["loads"][1:]] == [
        pytest.approx(share * content["max_requests_per_second"]) for share in (0.5, 2.0)
    ]
    assert content["loads"][1]["ttft_s"]["p95"] < content["ttft_s"]
    assert content["loads"][2]["ttft_s"] is None  # twice the load is more than it can serve
    assert content["max_requests_per_second"] < content["unstable_above"]


@pytest.mark.slow
def test_a_stricter_percentile_and_shorter_times_carry_less() -> None:
    most = carried().requests_per_second
    assert carried(percentile=50.0).requests_per_second > most
    assert carried(budget=planner.Budget(ttft="100 ms", tpot="25 ms")).requests_per_second < most


def test_text_alone_is_served_by_every_kind_of_model() -> None:
    hub_id = "HuggingFaceTB/SmolVLM-256M-Instruct"
    blind = planner.capacity(hub_id, "l4", concurrency=4, workload=LOAD)
    assert isinstance(blind.model, ReleasedModel)
    assert (blind.model.image, blind.workload.images) == (None, 0)
    seeing = planner.capacity(hub_id, "l4", concurrency=4, workload=replace(LOAD, images=1), image="512x512")
    assert seeing.requests_per_second < blind.requests_per_second
    built = planner.capacity("Qwen3-1.7B", "l4", concurrency=4, query_tokens=300, generated_tokens=40, visual_tokens=0)
    plain = planner.capacity("Qwen3-1.7B", "l4", concurrency=4, query_tokens=300, generated_tokens=40)
    assert built.to_dict() == plain.to_dict()


def test_a_closed_loop_has_as_many_requests_on_their_way_as_users() -> None:
    found = carried(budget=None, concurrency=24)
    assert found.bound == "concurrency"
    assert found.at.concurrency == pytest.approx(24, rel=0.02)
    assert found.others == ()
    assert found.requests_per_second < carried(budget=None, concurrency=48).requests_per_second


def test_static_batches_are_beside_it() -> None:
    found = carried(scheduler="static")
    best = static_batch(Model.of("Qwen3-1.7B", 0), LOAD, Run.of("l4"), {"ttft_s": 0.400, "tpot_s": 0.090})
    assert found.to_dict() | {"scheduler": "static", "level": "static"} == found.to_dict()
    assert found.requests_per_second == best.requests_per_second
    assert found.at.batch == best.batch
    assert found.requests_per_second < carried().requests_per_second


def test_an_engine_is_vllms_unless_its_numbers_are_given() -> None:
    given = carried(budget=None, concurrency=4, max_num_seqs=16, max_num_batched_tokens=512).scheduler
    assert given == Scheduler(max_num_seqs=16, max_num_batched_tokens=512, async_scheduling=False)
    fewer = carried(budget=None, concurrency=4, max_num_batched_tokens=128).scheduler
    assert fewer == Scheduler(max_num_seqs=128, max_num_batched_tokens=128, async_scheduling=False)
    more = carried(budget=None, concurrency=4, max_num_seqs=4096).scheduler
    assert more == Scheduler(max_num_seqs=4096, max_num_batched_tokens=4096, async_scheduling=False)
    own = Scheduler(max_num_seqs=3, max_num_batched_tokens=600)
    assert carried(budget=None, concurrency=8, scheduler=own).at.batch == pytest.approx(3, abs=0.5)


def _file(folder: Path, stamps: bool, bursts: bool = False) -> Path:
    """800 requests, 4 a second, half of them long; in bursts of 20 or not."""
    head = "timestamp,query_tokens,generated_tokens,images"
    at = (f"{5 * (i // 20) if bursts else i / 4:g}," if stamps else "" for i in range(800))
    rows = (f"{time}{(100, 500)[i % 2]},{(20, 60)[i % 2]},0" for i, time in enumerate(at))
    file = folder / f"requests-{stamps}-{bursts}.csv"
    file.write_text("\n".join([head if stamps else head.partition(",")[2], *rows]) + "\n")
    return file


def test_a_mix_and_a_log_are_read_as_plans_read_them(tmp_path: Path) -> None:
    """In bursts fewer are carried than at random, and evenly more."""
    mixed = carried(workload=str(_file(tmp_path, stamps=False)))
    assert (mixed.requests, mixed.log) == (800, None)
    assert mixed.workload == Workload(300, 40, images=0)
    assert mixed.service is not None and len(mixed.service.workloads) == 2
    assert mixed.to_dict()["arrivals"] == "at random"
    even, bursts = (carried(workload=None, traffic=str(_file(tmp_path, True, each))) for each in (False, True))
    assert bursts.requests_per_second < mixed.requests_per_second < even.requests_per_second
    assert even.log is not None and even.to_dict()["arrivals"] == "as the log has them"
    assert any(note.startswith("the log has 800 requests from 0 s to 199.75 s") for note in even.notes)
    one = server(bursts)
    worst = simulate(one.replica, one.requests, Poisson(bursts.requests_per_second))
    assert worst.ttft(95).value < 0.4, "at random, and not in bursts, so many come in time"


def test_equal_requests_of_a_file_are_one_kind(tmp_path: Path) -> None:
    file = tmp_path / "requests.csv"
    file.write_text("query_tokens,generated_tokens,images\n" + "300,40,0\n" * 5)
    assert carried(workload=str(file)).requests_per_second == carried().requests_per_second


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"traffic": True, "budget": None, "concurrency": 4}, "concurrency: users of a closed loop ask when they are "),
        ({"traffic": True, "image_cache_share": 0.5}, "image_cache_share: which of its requests find something in a "),
        ({"traffic": True, "query_tokens": 5}, "traffic: the log says what requests are; leave out workload="),
        ({"traffic": False}, "the column 'timestamp' is missing, without which nobody knows when they came"),
        ({"workload": False, "scheduler": "static"}, "scheduler: static batches are of equal requests; give one "),
        ({"workload": False, "query_tokens": 5}, "workload: give a Workload or token counts, not both"),
    ],
)
def test_what_a_file_of_requests_contradicts(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    files = {name: str(_file(tmp_path, more[name])) for name in ("traffic", "workload") if name in more}
    with pytest.raises(InputError) as told:
        carried(**{"workload": None, **more, **files})
    assert said in str(told.value)


def test_a_limit_that_one_request_breaks_is_said_with_what_it_takes() -> None:
    with pytest.raises(NothingFitsError) as told:
        carried(budget=planner.Budget(tpot="2 ms"))
    assert str(told.value).startswith("TPOT of 2 ms cannot be kept: one request alone takes ")
    assert str(told.value).endswith(
        " ms; allow that at least, or choose faster hardware, more GPUs that share the model, or a smaller model"
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"budget": None}, "capacity: give limits, as budget=Budget("),
        ({"concurrency": 3}, "capacity: give limits, as budget=Budget("),
        (
            {"budget": planner.Budget("2 TFLOPs")},
            "budget: no limit of a server's load; expected some of ttft, tpot and",
        ),
        ({"budget": "2 TFLOPs"}, "budget: no limit of a server's load; expected some of ttft, tpot and"),
        ({"budget": "200 ms"}, "budget: a value alone is FLOPs of one request, got '200 ms'; say budget=Budget("),
        ({"percentile": 100.0}, "percentile: expected a number between 0 and 100"),
        ({"visual_tokens": 16, "image": "512x512"}, "image and visual_tokens exclude each other"),
        ({"scheduler": "static", "budget": None, "concurrency": 4}, "concurrency: static batches have no closed loop"),
        ({"budget": None, "concurrency": 0}, "concurrency: expected a whole number of at least 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(more: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as refused:
        carried(**more)
    assert told in str(refused.value)


def test_unknown_schedulers_are_named() -> None:
    with pytest.raises(UnknownNameError, match="no scheduler is called 'continous'; did you mean 'continuous'"):
        carried(scheduler="continous")
