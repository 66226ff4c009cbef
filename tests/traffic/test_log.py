"""Logs of requests: the names of their columns, their times, what is refused, a million of them."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from planner.base.errors import InputError
from planner.costs.stages import Workload
from planner.traffic.log import RequestLog, read_log

PLAIN = "timestamp,query_tokens,generated_tokens\n10.5,20,5\n8.5,30,6\n11,20,5\n"


def written(tmp_path: Path, text: str, name: str = "log.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def read(tmp_path: Path, text: str) -> RequestLog:
    return read_log(written(tmp_path, text))


def test_requests_stand_in_the_order_of_their_times(tmp_path: Path) -> None:
    log = read(tmp_path, PLAIN)
    assert log.recorded_s is not None
    assert log.recorded_s.tolist() == [0, 2, 2.5]
    assert log.query_tokens.tolist() == [30, 20, 20]
    assert log.generated_tokens.tolist() == [6, 5, 5]
    assert log.images.tolist() == [1, 1, 1]
    assert not log.says_images


def test_kinds_are_workloads_and_arrivals_know_them(tmp_path: Path) -> None:
    log = read(tmp_path, PLAIN)
    kinds = log.kinds()
    assert kinds.exact
    assert kinds.workloads == (Workload(20, 5), Workload(30, 6))
    assert kinds.weights == pytest.approx([2 / 3, 1 / 3])
    arrivals = log.arrivals(kinds)
    assert arrivals.recorded_rows.tolist() == [1, 0, 0]
    assert arrivals.requests_per_second == pytest.approx(2 / 2.5)


def test_json_lines_are_read_as_a_csv_is(tmp_path: Path) -> None:
    rows = [
        dict(zip(PLAIN.split("\n")[0].split(","), map(float, line.split(",")), strict=True))
        for line in PLAIN.split()[1:]
    ]
    lines = "\n".join(map(json.dumps, rows)) + "\n\n"
    one, other = read(tmp_path, PLAIN), read_log(written(tmp_path, lines, "log.jsonl"))
    assert np.array_equal(one.recorded_s, other.recorded_s)
    assert np.array_equal(one.query_tokens, other.query_tokens)
    assert one.kinds().workloads == other.kinds().workloads


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:17:03.9799600,374,44"),
        ("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type", "5,ChatGPT,374,44,418,API"),
        ("timestamp_ms,input_length,output_length", "27482,374,44"),
        ("arrived_at,num_prompt_tokens,num_generated_tokens", "2023-11-16T18:17:03Z,374,44"),
        ("created,prompt_tokens,cached_tokens,completion_tokens", "1700000000,574,200,44"),
    ],
)
def test_names_of_public_traces(tmp_path: Path, header: str, row: str) -> None:
    log = read(tmp_path, f"{header}\n{row}\n")
    assert log.query_tokens.tolist() == [374]
    assert log.generated_tokens.tolist() == [44]
    assert log.recorded_s is not None


def test_dates_and_milliseconds_are_seconds(tmp_path: Path) -> None:
    dates = "time,query_tokens,generated_tokens\n2024-02-28T23:59:59.5+00:00,1,1\n2024-02-29 01:00:01.25+01:00,1,1\n"
    assert read(tmp_path, dates).recorded_s == pytest.approx([0, 1.75])
    milliseconds = "time_ms,query_tokens,generated_tokens\n1700000000000,1,1\n1700000000250,1,1\n"
    assert read(tmp_path, milliseconds).recorded_s == pytest.approx([0, 0.25])


def test_prompt_tokens_hold_cached_and_system_tokens(tmp_path: Path) -> None:
    log = read(tmp_path, "prompt_tokens,cached_tokens,system_tokens,generated_tokens\n100,30,50,7\n")
    assert log.kinds().workloads == (Workload(20, 7, cached_tokens=30, system_tokens=50),)
    assert log.recorded_s is None
    with pytest.raises(InputError, match="the column 'timestamp' is missing, without which nobody knows"):
        log.arrivals(log.kinds())


def test_alike_requests_stand_at_their_means(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    query, answer = random.lognormal(6, 0.8, 5000).astype(int), 1 + random.poisson(100, 5000)
    images = random.integers(0, 3, 5000)
    rows = "\n".join(f"{i},{q},{g},{n}" for i, (q, g, n) in enumerate(zip(query, answer, images, strict=True)))
    log = read(tmp_path, f"time,query_tokens,generated_tokens,images\n{rows}\n")
    kinds = log.kinds()
    assert not kinds.exact
    assert len(kinds.workloads) <= 256
    assert kinds.weights @ [one.query_tokens for one in kinds.workloads] == pytest.approx(query.mean(), rel=2e-3)
    assert kinds.weights @ [one.generated_tokens for one in kinds.workloads] == pytest.approx(answer.mean(), rel=2e-3)
    assert [kinds.workloads[k].images for k in kinds.of_each] == images.tolist()
    square = kinds.weights @ [one.query_tokens**2 for one in kinds.workloads]
    assert square == pytest.approx(np.mean(query.astype(float) ** 2), rel=0.1)  # within groups lengths differ


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a log of requests, as CSV or with a JSON object per line, got an empty file"),
        ("\n\n", "expected a log of requests, as CSV or with a JSON object per line, got an empty file"),
        ("query_tokens,generated_tokens\n", "expected one row per request, got none"),
        ("generated_tokens\n5\n", "the column 'query_tokens' (or 'prompt_tokens') is missing; got generated_tokens"),
        ("query_tokens,t\n5,4\n", "the column 'generated_tokens' is missing; got query_tokens, t"),
        (
            "prompt_tokens,input_length,output_tokens\n5,4,1\n",
            "the columns 'prompt_tokens' and 'input_length' mean the same; leave one out",
        ),
        (
            "query_tokens,prompt_tokens,output_tokens\n5,4,1\n",
            "expected one of the columns 'query_tokens' and 'prompt_tokens', got both; leave one out",
        ),
        (
            "query_tokens,query_tokens,output_tokens\n5,4,1\n",
            "a column stands there twice: query_tokens, query_tokens, output_tokens",
        ),
        (
            "prompt_tokens,images,output_tokens\n5,1,1\n",
            "prompt_tokens may hold the tokens of images, which depend on the model; expected a column query_tokens, "
            "the text alone, beside images",
        ),
    ],
)
def test_a_file_that_is_no_log(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert str(refused.value) == f"{tmp_path / 'log.csv'}: {message}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3,20,many", "expected generated_tokens to be a whole number of at least 1, got 'many'"),
        ("3,20,0", "expected generated_tokens to be a whole number of at least 1, got '0'"),
        ("3,2.5,1", "expected query_tokens to be a whole number of at least 0, got '2.5'"),
        ("3,20", "expected 3 values, as many as columns, got 2"),
        ("noon,20,1", "expected timestamp to be seconds or a date and time as ISO 8601, got 'noon'"),
        ("nan,20,1", "expected timestamp to be seconds or a date and time as ISO 8601, got 'nan'"),
        (
            "1700000000000,20,1",
            "expected timestamp to be seconds, got '1700000000000', which lies beyond the year 5000; name the column "
            "timestamp_ms if they are milliseconds",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, f"{PLAIN}{line}\n")
    assert str(refused.value) == f"{tmp_path / 'log.csv'}, line 5: {message}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{1}", "expected a JSON object, got '{1}'"),
        ("[1]", "expected a JSON object, got [1]"),
        ('{"query_tokens": 5}', "expected generated_tokens to be a whole number of at least 1, got None"),
        (
            '{"query_tokens": true, "generated_tokens": 3}',
            "expected query_tokens to be a whole number of at least 0, got True",
        ),
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = written(tmp_path, f'{{"query_tokens": 5, "generated_tokens": 3}}\n\n{line}\n', "log.jsonl")
    with pytest.raises(InputError) as refused:
        read_log(file)
    assert str(refused.value) == f"{file}, line 3: {message}"


def test_cached_tokens_beyond_the_prompt_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, "prompt_tokens,cached_tokens,output_tokens\n9,3,1\n9,10,1\n")
    assert str(refused.value).endswith(
        "line 3: expected prompt_tokens to hold cached and system tokens too, got 9 with 10 of those"
    )


def test_no_text_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(PLAIN.encode() + b"\xff\xfe,1,1\n")
    with pytest.raises(InputError, match=r"log.csv, line 5: it is not UTF-8 text; expected a log of requests"):
        read_log(tmp_path / "log.csv")
    with pytest.raises(InputError, match=r"cannot read .*none.csv: No such file or directory; expected a log"):
        read_log(tmp_path / "none.csv")


def peak_bytes(file: Path) -> int:
    tracemalloc.start()
    read_log(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_is_that_of_the_columns(tmp_path: Path) -> None:
    """Some numbers of eight bytes per request, however long its line is."""
    header, count = "timestamp,query_tokens,generated_tokens,note\n", 20_000
    long = written(tmp_path, header + "".join(f"{i},100,20,{'x' * 500}\n" for i in range(count)))
    assert long.stat().st_size > 10_000_000
    assert peak_bytes(long) < 200 * count


@pytest.mark.slow
def test_a_million_requests(tmp_path: Path) -> None:
    file = tmp_path / "million.jsonl"
    with file.open("w") as opened:
        for i in range(1_000_000):
            opened.write(
                f'{{"timestamp": {i / 50}, "prompt_tokens": {i % 3000 + 1}, "output_tokens": {i % 500 + 1}}}\n'
            )
    assert peak_bytes(file) < 200 * 10**6
    log = read_log(file)
    kinds = log.kinds()
    assert len(log) == 1_000_000
    assert log.arrivals(kinds).requests_per_second == pytest.approx(50, rel=1e-5)
