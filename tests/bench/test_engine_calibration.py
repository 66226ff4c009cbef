"""Calibration to an engine: planted constants are found again through each tool's files; what is not known is said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.load_written import Ran, aiperf, aiperf_records, guidellm, made, vllm_bench
from rich.console import Console
from support import Run

import planner
from planner.base.errors import InputError
from planner.bench.calibration.engine import calibrate_engine
from planner.bench.calibration.engine_models import Parts, described, scheduler_of
from planner.bench.calibration.engine_points import points_of
from planner.bench.calibration.engine_replay import replay
from planner.bench.calibration.engine_result import EngineCalibration
from planner.bench.loadtests import Said, read_load_tests
from planner.configuration import Model
from planner.configuration import Run as Setup
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.hardware.host_costs import HostCosts
from planner.tell.engine_calibration import engine_calibration_story
from planner.tell.render.console import print_document
from planner.traffic.course import Work
from planner.traffic.events import room_of
from planner.traffic.loop import run
from planner.traffic.scheduler import Scheduler
from planner.traffic.service import Service
from planner.traffic.times import times_of

STEP_S, PREFILL_S, REQUEST_S = 0.004, 0.006, 0.02
SERVER = {"max_num_seqs": 64, "max_num_batched_tokens": 2048}
SAID = Said(engine="vLLM 0.32.0", images=0, settings=SERVER)
SMALL, LARGE = "Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B"


def start() -> Hardware:
    return find_hardware("l4")


def truth() -> Hardware:
    """The card as it really is: a slower memory, and a host that takes its time."""
    reached = start().efficiency
    slower = replace(reached, matmul_bandwidth=0.8 * reached.matmul_bandwidth, multi_head=None)
    return replace(start(), efficiency=replace(slower, host=HostCosts(STEP_S, PREFILL_S, REQUEST_S, "planted")))


def served(
    model: str, rate: float | None = None, concurrency: int | None = None, count: int = 60, prompt: int = 400,
    generated: int = 40, seed: int = 1,
) -> Ran:  # fmt: skip
    """What a load test of the true engine measures."""
    setup = Setup(truth(), "bf16")
    load = Workload(prompt, generated, images=0)
    replica = Service(Model.of(model, 0), setup, (load,), (1.0,), Scheduler(**SERVER)).replica
    draw = np.random.default_rng(seed)
    comes = np.where(np.arange(count) < (concurrency or 0), 0.0, np.inf)
    if rate is not None:
        comes = np.cumsum(draw.exponential(1 / rate, count))
    work = Work(comes.tolist(), [prompt] * count, [generated] * count, [0] * count, [0] * count)
    times = times_of(replica.iteration, 64, 2048, prompt + generated)
    course = run(work, room_of(replica), times, think_s=REQUEST_S)
    came, first, end = (np.array(one) for one in (course.comes_s, course.first_s, course.end_s))
    lengths = (np.full(count, float(prompt)), np.full(count, float(generated)))
    return Ran(came, *lengths, first - came + REQUEST_S, end - came + REQUEST_S, rate, concurrency, model)


@cache
def runs() -> tuple[Ran, ...]:
    return (
        served(SMALL, concurrency=1, count=12),
        served(SMALL, rate=6.0, prompt=1500, generated=10),
        served(SMALL, rate=6.0),
        served(LARGE, concurrency=1, count=8),
        served(LARGE, rate=1.5, prompt=900, generated=20),
        served(LARGE, concurrency=8),
    )


def write_vllm(folder: Path) -> None:
    for place, one in enumerate(runs()):
        (folder / f"{place}.json").write_text(json.dumps(vllm_bench(one, detailed=True)))


def write_guidellm(folder: Path) -> None:
    for model in (SMALL, LARGE):
        ran = [one for one in runs() if one.model == model]
        (folder / f"{model.partition('/')[2]}.json").write_text(json.dumps(guidellm(ran)))


def write_aiperf(folder: Path) -> None:
    for place, one in enumerate(runs()):
        (folder / str(place)).mkdir()
        (folder / str(place) / "summary").write_text(json.dumps(aiperf(one)))
        (folder / str(place) / "requests").write_text(aiperf_records(one))


@cache
def from_vllm() -> EngineCalibration:
    tests = [_read(vllm_bench(one, detailed=True), place) for place, one in enumerate(runs())]
    return calibrate_engine(tests, start(), said=SAID)


def _read(content: dict[str, Any], place: int) -> Any:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{place}.json"
        file.write_text(json.dumps(content))
        return read_load_tests([file]).tests[0]


def holds_what_was_planted(found: EngineCalibration) -> None:
    """Within its own intervals, or 10 %: a fit to six short tests."""
    value = {one.name: one for one in found.parameters}
    wanted = {
        "matmul_bandwidth": 0.8 * start().efficiency.matmul_bandwidth,
        "step_s": STEP_S,
        "request_s": REQUEST_S,
    }
    for name, planted in wanted.items():
        one = value[name]
        assert one.low <= planted <= one.high or one.value == pytest.approx(planted, rel=0.1), name
        assert one.value == pytest.approx(planted, rel=0.2), name
    assert value["matmul_bandwidth"].identified and value["step_s"].identified
    host = found.hardware.efficiency.host
    assert host.prefill_s + host.request_s == pytest.approx(PREFILL_S + REQUEST_S, rel=0.1)
    assert host.source == f"vLLM 0.32.0, measured by {found.tool}"


@pytest.mark.slow
def test_planted_constants_are_found_from_vllm_bench() -> None:
    found = from_vllm()
    holds_what_was_planted(found)
    for number in ("ttft_p50", "tpot_p50", "tpot_p95"):
        before, left_out = found.errors("before", number), found.errors("left_out", number)
        assert before is not None and left_out is not None
        assert before.median > 0.15 > 0.05 > left_out.median, number


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_guidellm, write_aiperf])
def test_planted_constants_are_found_from_other_tools(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    found = calibrate_engine(tmp_path, start(), said=SAID)
    holds_what_was_planted(found)
    if write is write_guidellm:  # two files: each predicted by the other
        assert found.errors("left_out_file", "tpot_p50") is not None


@pytest.mark.slow
def test_its_story_its_file_and_its_profile(tmp_path: Path) -> None:
    found = from_vllm()
    profile, record = found.save(tmp_path / "engine.json")
    again = EngineCalibration.load(profile)
    assert again == found and record.name == "engine.calibration.json"
    card = planner.load_hardware(profile)
    assert card.efficiency.framework == "vLLM 0.32.0" and card.conditions["engine"] == "vLLM 0.32.0"
    assert card.efficiency.host == found.hardware.efficiency.host and card.efficiency.tpot_error is not None
    stream = io.StringIO()
    print_document(Console(file=stream, width=100), engine_calibration_story(found))
    told = stream.getvalue()
    for text in ("vLLM 0.32.0", "host, each iteration", "uncalibrated", "other tests", "Qwen/Qwen3-4B"):
        assert text in told
    assert len(found.to_frame()) == sum(len(one.measured) for one in found.tests)
    assert found.scheduler == SERVER
    times = planner.iterations("Qwen3-0.6B", card)
    assert times.host.step_s == pytest.approx(STEP_S, rel=0.1)


# ---- without a fit ---------------------------------------------------------------------------------------------------


def of(*tests: Any, hardware: Hardware | None = None, said: Said = SAID, **models: str) -> Any:
    told = [said.of(one) for one in tests]
    return points_of(told, described(told, models), hardware or start(), Parts())


def test_a_replay_with_the_true_numbers_gives_what_was_measured() -> None:
    ran = served(SMALL, rate=6.0)
    (point,) = of(_read(vllm_bench(ran, detailed=True), 0))
    assert point.starts_known and point.service_request == (400, 40)
    found = dict(zip(_names(), replay([point], truth()).numbers[0], strict=True))
    for name in ("throughput", "ttft_mean", "ttft_p50", "tpot_mean", "tpot_p50"):
        assert found[name] == pytest.approx(point.measured[name], rel=0.03), name  # starts are known to an iteration


def test_a_closed_loop_is_replayed_exactly() -> None:
    ran = served(SMALL, concurrency=4, count=20)
    (point,) = of(_read(vllm_bench(ran), 0))
    found = dict(zip(_names(), replay([point], truth()).numbers[0], strict=True))
    assert {name: found[name] for name in point.measured} == pytest.approx(dict(point.measured), rel=1e-6)


def test_load_is_told_from_being_busy() -> None:
    """An engine with one sequence is always busy and nearly empty; one beyond its largest rate is saturated."""
    alone, beyond = of(
        _read(vllm_bench(served(SMALL, concurrency=1, count=4)), 0),
        _read(vllm_bench(served(SMALL, rate=500.0, count=200)), 1),
    )
    shares = replay([alone, beyond], truth(), 1).utilisation
    assert shares[0] < 0.15 and shares[1] > 0.9


def _names() -> tuple[str, ...]:
    from planner.bench.calibration.engine_points import NUMBERS

    return NUMBERS


def test_tokens_of_images_are_counted_once() -> None:
    released = "Qwen/Qwen3-VL-8B-Instruct"
    ran = replace(made(10, rate=1.0), input_tokens=np.full(10, 300.0), model=released)
    seen = Said(engine="vLLM 0.32.0", images=1, image="448x448")
    (both,) = of(_read(vllm_bench(ran), 0), said=seen)
    (text,) = of(_read(vllm_bench(ran, recent=False), 0), said=replace(seen, input_counts="text"))
    visual = int(both.model.sequence_tokens)
    assert both.workload.query_tokens == 300 - visual and both.service_request[0] == 300
    assert text.workload.query_tokens == 300 and text.service_request[0] == 300 + visual
    with pytest.raises(InputError, match="does not say whether its 300 input tokens hold those of images"):
        of(_read(vllm_bench(ran, recent=False), 0), said=seen)
    with pytest.raises(InputError, match="counts 300 input tokens, fewer than the"):
        of(_read(vllm_bench(ran), 0), said=replace(seen, image="2000x2000"))
    with pytest.raises(InputError, match="does not say how large its images are"):
        of(_read(vllm_bench(ran), 0), said=replace(seen, image=""))
    with pytest.raises(InputError, match="does not say how many images a request has"):
        of(_read(vllm_bench(ran), 0), said=replace(seen, images=None))


REFUSED: dict[str, tuple[list[dict[str, Any]], Said, str]] = {
    "an engine that nobody named": (
        [vllm_bench(made(rate=1.0)), vllm_bench(made(rate=2.0))],
        Said(images=0),
        "does not say which engine it measured: say engine and version by engine=, as 'vLLM 0.32.0'",
    ),
    "two engines": (
        [
            vllm_bench(made(rate=rate), engine="vLLM", engine_version=version)
            for rate, version in ((1.0, "0.32.0"), (2.0, "0.33.0"))
        ],
        Said(images=0),
        "results of different versions are not pooled: 0.json is of vLLM 0.32.0, 1.json of vLLM 0.33.0",
    ),
    "two tools": (
        [guidellm([made(rate=1.0)], version="0.8.1"), guidellm([made(rate=2.0)], version="0.7.3")],
        SAID,
        "not pooled: 0.json, benchmark 1 is of GuideLLM 0.8.1, 1.json, benchmark 1 of GuideLLM 0.7.3",
    ),
    "one test": ([vllm_bench(made(rate=1.0))], SAID, "expected at least 2 load tests, got 1"),
    "a model that nobody knows": (
        [vllm_bench(made(rate=rate, model="my-model")) for rate in (1.0, 2.0)],
        SAID,
        "which model is served as 'my-model' is not known",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_pooled_or_not_known(tmp_path: Path, what: str) -> None:
    files, said, expected = REFUSED[what]
    for place, content in enumerate(files):
        (tmp_path / f"{place}.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=expected):
        calibrate_engine(tmp_path, "l4", said=said)


def test_models_by_their_served_names() -> None:
    tests = [_read(vllm_bench(made(rate=1.0, model=name)), 0) for name in ("a", "b")]
    found = described(tests, {"a": "Qwen3-0.6B", "b": "Qwen3-4B"})
    assert [getattr(found[name], "name", "") for name in "ab"] == ["Qwen3-0.6B", "Qwen3-4B"]
    with pytest.raises(InputError, match=r"of 2 models \(a, b\): say for each which it is, as a=DESCRIPTION"):
        described(tests, {"": "Qwen3-0.6B"})
    with pytest.raises(InputError, match="models: no result is of 'c'; expected one of 'a', 'b'"):
        described(tests, {"c": "Qwen3-0.6B"})


def test_failed_requests_and_saturation_are_named() -> None:
    from planner.bench.calibration.engine_fit import why_not

    tests = [
        _read(vllm_bench(replace(served(SMALL, rate=2.0, count=20), failed=5)), 0),
        _read(vllm_bench(served(SMALL, rate=500.0, count=200)), 1),
        _read(vllm_bench(served(SMALL, concurrency=4, count=12)), 2),
    ]
    points = of(*tests)
    assert why_not(points, replay(points, truth(), 1)) == ("5 of 25 requests failed", "saturated", "")


# ---- the command line ------------------------------------------------------------------------------------------------


def test_the_command_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.json"
    garbage.write_text('{"results": [1, 2]}')
    good = tmp_path / "good.json"
    good.write_text(json.dumps(vllm_bench(made(rate=1.0))))
    out = ["calibrate", "-o", str(tmp_path / "new.json")]
    for arguments, expected in (
        (["--from", str(garbage), "--hardware", "l4"], "is no result of a load test that is known here"),
        (["--from", str(garbage)], "is no result of a load test that is known here"),  # before an option is missed
        (["--from", str(good)], "--hardware is missing: name the card that the engine ran on"),
        (["--from", str(good), "--hardware", "l4"], "say engine and version by --engine, as 'vLLM 0.32.0'"),
        (["--engine", "vLLM 0.32.0"], "--engine goes with --from RESULTS of load tests"),
        ([str(good)], "results go with --from"),
        (["--from", str(good), str(garbage), "--hardware", "l4"], "garbage.json is no result of a load test"),
    ):
        done = run(*out, *arguments)
        assert done.code == 2 and expected in done.err, done.err
        assert done.err.count("\n") == 1


@pytest.mark.slow
def test_the_command_writes_a_profile(run: Run, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    write_vllm(tmp_path / "results")
    profile = tmp_path / "engine.json"
    options = ["--engine", "vLLM 0.32.0", "--images", "0", "--max-num-seqs", "64", "--max-num-batched-tokens", "2048"]
    done = run(
        "calibrate", "-o", str(profile), "--from", str(tmp_path / "results"), "--hardware", "l4", *options, "--json"
    )
    assert done.code == 0, done.err
    content = json.loads(done.out)
    assert content["calibration"]["engine"] == "vLLM 0.32.0"
    assert planner.load_hardware(profile).efficiency.host.step_s == pytest.approx(STEP_S, rel=0.2)
    assert run("report", str(profile.with_suffix(".calibration.json")), "--json").code == 0


@pytest.mark.parametrize(
    ("engine", "version", "early"),
    [("vLLM", "0.13.0", False), ("vLLM", "0.14.1", True), ("vLLM", "0.32.0", True), ("SGLang", "0.5.1", True)],
)
def test_iterations_are_filled_as_the_version_of_the_engine_does(engine: str, version: str, early: bool) -> None:
    test = replace(_read(vllm_bench(runs()[0], detailed=True), 0), engine=engine, engine_version=version)
    assert scheduler_of(test, find_hardware("l4"), {}).async_scheduling is early
    assert not scheduler_of(test, replace(find_hardware("l4"), form_factor="host"), {}).async_scheduling


def test_the_command_line_names_its_own_option_for_the_model(run: Run, tmp_path: Path) -> None:
    """`--models` of calibrate are folders of measured models."""
    results = tmp_path / "results"
    results.mkdir()
    for rate in (1.0, 2.0):
        content = vllm_bench(made(rate=rate, model="my-model"), engine="vLLM", engine_version="0.32.0")
        (results / f"{rate}.json").write_text(json.dumps(content))
    asked = ["calibrate", "-o", tmp_path / "x.json", "--from", results, "--hardware", "l4", "--images", 0]
    done = run(*asked)
    assert done.code == 2
    assert done.complaint.endswith(": say its hub id, folder or config.json by --model")
    assert "--model: no result is of 'other'" in run(*asked, "--model", "other=Qwen3-0.6B").complaint
