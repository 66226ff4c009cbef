"""Load test results: each tool's file gives the same record, what a file is, is seen in its content."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.load_written import Ran, aiperf, aiperf_csv, aiperf_records, guidellm, made, sweep_csv, vllm_bench

import planner
from planner.base.errors import InputError
from planner.bench.loadtests import (
    LOAD_TESTS,
    LoadTest,
    LoadTestFile,
    LoadTestFormat,
    Said,
    Spread,
    is_load_test,
    read_load_tests,
)

RAN = made(rate=4.0)
CLOSED = made(concurrency=8)

Write = Callable[[Ran], str]
WRITERS: dict[str, Write] = {
    "vllm": lambda ran: json.dumps(vllm_bench(ran)),
    "vllm detailed": lambda ran: json.dumps(vllm_bench(ran, detailed=True)),
    "vllm before": lambda ran: json.dumps(vllm_bench(ran, detailed=True, recent=False)),
    "guidellm": lambda ran: json.dumps(guidellm([ran])),
    "guidellm summary": lambda ran: json.dumps(guidellm([ran], detailed=False)),
    "aiperf": lambda ran: json.dumps(aiperf(ran)),
    "aiperf old": lambda ran: json.dumps(aiperf(ran, old=True)),
    "aiperf csv": aiperf_csv,
    "aiperf records": aiperf_records,
}
WITH_ROWS = ("vllm detailed", "vllm before", "guidellm", "aiperf records")


def read(tmp_path: Path, text: str, said: Said | None = None, name: str = "results.txt") -> LoadTest:
    """One test from a file whose name says nothing."""
    file = tmp_path / name
    file.write_text(text)
    (found,) = read_load_tests([file], said).tests
    return found


@pytest.mark.parametrize("ran", [RAN, CLOSED], ids=["rate", "closed"])
@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_says_the_same(tmp_path: Path, kind: str, ran: Ran) -> None:
    alone = "csv" in kind or "records" in kind  # they do not say their load
    said = Said(requests_per_second=ran.rate, concurrency=ran.concurrency, model=ran.model) if alone else None
    found = read(tmp_path, WRITERS[kind](ran), said)
    rounded = 5e-6 if "csv" in kind else 1e-9  # a hundredth of a millisecond
    assert found.model == "Qwen/Qwen3-0.6B"
    assert found.requests_per_second == ran.rate and found.concurrency == ran.concurrency
    assert found.arrivals == ("closed" if ran.rate is None else "poisson")
    assert found.completed == 40 and found.failed == 0
    assert found.input_tokens == pytest.approx(ran.input_tokens.mean(), abs=0.005)
    assert found.generated_tokens == 32
    throughput = len(ran) / ran.duration_s
    assert found.throughput_per_s == pytest.approx(throughput, rel=1e-3 if "csv" in kind else 1e-6)
    for spread, values in ((found.ttft_s, ran.ttft_s), (found.tpot_s, ran.tpot_s), (found.latency_s, ran.latency_s)):
        assert spread.mean == pytest.approx(values.mean(), abs=rounded)
        assert spread.percentiles[95.0] == pytest.approx(np.percentile(values, 95), abs=rounded)
    assert (found.rows is not None) == (kind in WITH_ROWS)
    if found.rows is not None:
        assert found.rows.start_s[0] == 0
        assert np.diff(found.rows.start_s) == pytest.approx(np.diff(ran.start_s), abs=1e-6)
        assert found.rows.ttft_s == pytest.approx(ran.ttft_s)
        assert found.rows.tpot_s == pytest.approx(ran.tpot_s)
        assert found.rows.input_tokens == pytest.approx(ran.input_tokens)


def test_versions_and_what_input_tokens_count(tmp_path: Path) -> None:
    from_guidellm = read(tmp_path, WRITERS["guidellm"](RAN))
    assert from_guidellm.measured_with == "GuideLLM 0.8.1" and from_guidellm.input_counts == "all"
    from_aiperf = read(tmp_path, WRITERS["aiperf"](RAN))
    assert from_aiperf.measured_with == "AIPerf 0.13.0" and from_aiperf.input_counts == "text"
    server = aiperf(RAN)
    server["input_config"]["endpoint"]["use_server_token_count"] = True
    assert read(tmp_path, json.dumps(server)).input_counts == "all"
    from_vllm = read(tmp_path, WRITERS["vllm"](RAN))
    assert from_vllm.tool_version == "" and from_vllm.engine == "" and from_vllm.input_counts == "all"
    before = read(tmp_path, json.dumps(vllm_bench(RAN, recent=False)))
    assert before.input_counts is None  # the client's count then, or the server's: the file does not say which


def test_images_stand_in_the_file_or_are_said(tmp_path: Path) -> None:
    assert (read(tmp_path, json.dumps(guidellm([RAN], image="640x480"))).image) == "640x480"
    for old in (False, True):
        found = read(tmp_path, json.dumps(aiperf(RAN, image="448x336", old=old)))
        assert (found.images, found.image) == (1, "448x336")
        assert read(tmp_path, json.dumps(aiperf(RAN, old=old))).images == 0
    metadata = {"engine": "vLLM", "engine_version": "0.32.0", "image": "448x448", "images": 2, "input_counts": "all"}
    found = read(tmp_path, json.dumps(vllm_bench(RAN, **metadata)))
    assert (found.images, found.image, found.engine_named) == (2, "448x448", "vLLM 0.32.0")
    assert found.input_counts == "all"
    said = Said(engine="vLLM 0.32.0", image="448 x 448", images=1, query_tokens=60)
    filled = read(tmp_path, WRITERS["vllm detailed"](RAN), said)
    assert (filled.image, filled.images, filled.input_tokens, filled.input_counts) == ("448x448", 1, 60, "text")
    assert filled.rows is not None and set(filled.rows.input_tokens) == {60}
    assert read(tmp_path, WRITERS["vllm"](RAN), Said(query_tokens=60)).input_counts == "text"
    with pytest.raises(InputError, match=r"results.txt says images 2, expected 1, as it is said here"):
        read(tmp_path, json.dumps(vllm_bench(RAN, **metadata)), Said(images=1))


def test_settings_of_the_server(tmp_path: Path) -> None:
    run = vllm_bench(RAN) | {"max-num-seqs": 64, "tensor_parallel_size": "2", "dtype": "bfloat16"}
    found = read(tmp_path, json.dumps(run), Said(settings={"max_num_batched_tokens": 2048}))
    assert found.settings == {
        "max_num_seqs": 64,
        "tensor_parallel": 2,
        "precision": "bf16",
        "max_num_batched_tokens": 2048,
    }
    with pytest.raises(InputError, match=r"says max_num_seqs 64, expected 32"):
        read(tmp_path, json.dumps(run), Said(settings={"max_num_seqs": 32}))


def test_failed_requests_are_counted_and_left_out(tmp_path: Path) -> None:
    ran = replace(RAN, failed=3)
    for kind in ("vllm", "vllm detailed", "guidellm", "aiperf"):
        found = read(tmp_path, WRITERS[kind](ran))
        assert (found.completed, found.failed, found.tried) == (40, 3, 43), kind
        assert found.rows is None or len(found.rows) == 40
    found = read(tmp_path, aiperf_records(ran), Said(requests_per_second=4.0))
    assert (found.completed, found.failed) == (40, 3)


def test_appended_results_are_one_test_each(tmp_path: Path) -> None:
    file = tmp_path / "appended"
    file.write_text("\n".join(json.dumps(vllm_bench(made(rate=rate))) for rate in (1.0, 2.0)))
    tests = read_load_tests([file]).tests
    assert [one.requests_per_second for one in tests] == [1.0, 2.0]
    assert tests[1].origin == "appended, run 2"


def test_a_sweep_counts_once_and_without_its_warm_up(tmp_path: Path) -> None:
    runs = [{**vllm_bench(made(rate=rate)), "run_number": 0, "max_num_seqs": 16} for rate in (1.0, 2.0)]
    for place, run in enumerate(runs):
        (tmp_path / f"BENCH-{place}").mkdir()
        (tmp_path / f"BENCH-{place}" / "run=0.json").write_text(json.dumps(run, indent=4))
        (tmp_path / f"BENCH-{place}" / "summary.json").write_text(json.dumps([run], indent=4))
        warm = {**vllm_bench(made(3, rate=9.0)), "run_number": -1}
        (tmp_path / f"BENCH-{place}" / "warmup.json").write_text(json.dumps(warm))
    (tmp_path / "summary.csv").write_text(sweep_csv(runs))
    (tmp_path / "server.log").write_text("INFO: started\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\x00\xff")
    found = read_load_tests([tmp_path])
    assert sorted(one.requests_per_second or 0 for one in found.tests) == [1.0, 2.0]
    assert {one.settings["max_num_seqs"] for one in found.tests} == {16}
    assert found.notes == ("4 runs stand in several files and count once",)


def test_the_files_of_one_aiperf_run_are_one_test(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(aiperf(RAN)))
    (tmp_path / "b.jsonl").write_text(aiperf_records(RAN))
    (tmp_path / "c.csv").write_text(aiperf_csv(RAN))
    (found,) = read_load_tests([tmp_path]).tests
    assert found.tool_version == "0.13.0" and found.rows is not None and len(found.rows) == 40
    (tmp_path / "d.json").write_text(json.dumps(aiperf(made(rate=8.0))))
    with pytest.raises(InputError, match=r"b.jsonl stands beside 2 runs \(a.json, d.json\), expected one"):
        read_load_tests([tmp_path])


def test_rates_without_end_and_bursts(tmp_path: Path) -> None:
    at_once = read(tmp_path, json.dumps(vllm_bench(made())))
    assert (at_once.arrivals, at_once.concurrency, at_once.load) == ("closed", 40, "40 at a time")
    bursty = read(tmp_path, json.dumps(vllm_bench(RAN) | {"burstiness": 0.5}))
    assert (bursty.arrivals, bursty.burstiness) == ("gamma", 0.5)
    assert read(tmp_path, json.dumps(vllm_bench(RAN) | {"burstiness": float("inf")})).arrivals == "constant"


BROKEN: dict[str, tuple[Any, str]] = {
    "another tool": ({"results": [1, 2]}, "is no result of a load test that is known here; expected "),
    "garbage": ("\x01garbage", "is no result of a load test that is known here"),
    "a table": ("llm,visual_tokens\na,1\n", "is no result of a load test that is known here"),
    "no duration": (vllm_bench(RAN) | {"duration": "long"}, "is damaged: duration: expected a number of at least 0"),
    "a ramp": (vllm_bench(RAN) | {"ramp_up_strategy": "linear"}, "expected a constant rate"),
    "no tokens": ({**vllm_bench(RAN), "total_output_tokens": None}, "total_output_tokens is missing"),
    "a short column": (
        {**vllm_bench(RAN, detailed=True), "output_lens": [1]},
        "output_lens: expected 40 requests, as in ttfts, got 1",
    ),
    "an unknown strategy": (
        guidellm([RAN]) | {"benchmarks": [guidellm([RAN])["benchmarks"][0] | {"config": {"strategy": {"type_": "x"}}}]},
        r"config.strategy.type_: expected one of synchronous",
    ),
    "no metrics": ({**guidellm([RAN]), "benchmarks": [{}]}, r"benchmark 1 is damaged: |metrics is missing"),
    "cancelled": (aiperf(RAN) | {"was_cancelled": True}, "the run was cancelled"),
    "a strange unit": (
        aiperf(RAN) | {"request_latency": {"unit": "bananas", "avg": 1.0}},
        "request_latency.unit: expected a unit of time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_damage_is_one_sentence(tmp_path: Path, what: str) -> None:
    content, expected = BROKEN[what]
    with pytest.raises(InputError, match=expected) as caught:
        read(tmp_path, content if isinstance(content, str) else json.dumps(content))
    assert "\n" not in str(caught.value)


def test_what_small_files_lack_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not say its load: put profile_export_aiperf.json beside it"):
        read(tmp_path, aiperf_csv(RAN))
    with pytest.raises(InputError, match=r"line 2: expected numbers"):
        read(tmp_path, "Metric,avg,min,max\nRequest Latency (ms),x,1,2\n", Said(concurrency=1))
    with pytest.raises(InputError, match=r"engine: expected a name and a version"):
        Said(engine="vLLM")


def test_a_folder_is_searched_by_content(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    assert not is_load_test(tmp_path)
    with pytest.raises(InputError, match=r"holds no results of a load test; expected a GuideLLM|expected what vllm"):
        read_load_tests([tmp_path])
    (tmp_path / "deep" / "x.bin").write_text(WRITERS["guidellm"](RAN))
    assert is_load_test(tmp_path) and is_load_test(tmp_path / "deep" / "x.bin")


def test_a_spread_of_values() -> None:
    found = Spread.of([1.0, 2.0, np.nan, 3.0])
    assert found.mean == 2 and found.percentiles[50.0] == 2
    assert not Spread.of([np.nan]).known
    with pytest.raises(InputError, match=r"expected numbers of at least 0"):
        Spread(-1.0)


class _OwnFormat(LoadTestFormat):
    """A table of one row: model, requests per second, TTFT."""

    name, tool, takes = "own", "own-bench", "a table of own-bench"

    def accepts(self, file: LoadTestFile) -> bool:
        return file.first_line == "own,rps,ttft"

    def read(self, file: LoadTestFile, said: Said, beside: Any = ()) -> list[LoadTest]:
        (_, (model, rate, ttft)) = list(csv.reader(io.StringIO(file.text)))
        found = LoadTest(
            origin=file.name,
            tool=self.tool,
            tool_version="1",
            model=model,
            arrivals="poisson",
            requests_per_second=float(rate),
            concurrency=None,
            input_tokens=10,
            input_counts="text",
            generated_tokens=5,
            completed=20,
            failed=0,
            duration_s=10.0,
            throughput_per_s=2.0,
            ttft_s=Spread(float(ttft)),
        )
        return [found]


def test_a_format_from_outside(tmp_path: Path) -> None:
    planner.register(_OwnFormat())
    try:
        found = read(tmp_path, "own,rps,ttft\nqwen,2,0.25\n")
        assert (found.tool, found.requests_per_second, found.ttft_s.mean) == ("own-bench", 2.0, 0.25)
    finally:
        LOAD_TESTS.remove("own")
    assert not is_load_test(tmp_path / "results.txt")
