"""Results of `vllm bench serve` and `vllm bench sweep serve`.

Read in `vllm/benchmarks/serve.py` (`main_async`: what stands in a file; `calculate_metrics`: what it means),
`vllm/benchmarks/lib/endpoint_request_func.py` and `vllm/benchmarks/sweep/serve.py` of vLLM 0.32.

`--save-result` writes one JSON object, `--append-result` one in each line, a sweep one file a run, with what it set on
the server and the client as further entries, and a summary.json and summary.csv of all runs. Requests one by one are
there with `--save-detailed`. Neither the engine's version nor the images are: `--metadata KEY=VALUE` of vLLM writes
entries that are read here (`engine`, `engine_version`, `tool_version`, `image`, `images`, `visual_tokens`,
`input_counts`, and the server's options by their names).

Input tokens are what the server counted (`usage`), images included, in files that have `queue_times`; files of earlier
versions do not say whose count it is.

A rate of "inf" sends all requests at once, or keeps `max_concurrency` of them running.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from planner.bench.loadtests.entry import Entry, number_of
from planner.bench.loadtests.format import LoadTestFile, LoadTestFormat
from planner.bench.loadtests.load_test import ALL_TOKENS, CLOSED, CONSTANT, GAMMA, POISSON, LoadTest, Rows, Spread
from planner.bench.loadtests.said import Said, settings_of

TOOL = "vllm bench serve"
_NEEDED = {"model_id", "request_rate", "duration", "completed", "total_input_tokens", "request_throughput"}
_OVERRIDE = "run_number"
_WARM_UP = -1
"""Run number of a sweep's warm-up."""
_MILLI = 1e-3


class VllmBench(LoadTestFormat):
    """A result file of `vllm bench serve`, or of a sweep."""

    name = "vllm-bench"
    tool = TOOL
    takes = "what vllm bench serve --save-result or vllm bench sweep wrote (JSON or summary.csv)"

    def accepts(self, file: LoadTestFile) -> bool:
        if file.documents:
            records = list(_records(file.documents))
            return bool(records) and all(isinstance(one, Mapping) and one.keys() >= _NEEDED for one in records)
        return set(next(csv.reader([file.first_line]), ())) >= _NEEDED

    def read(self, file: LoadTestFile, said: Said, beside: Sequence[LoadTestFile] = ()) -> list[LoadTest]:
        records = list(_records(file.documents)) if file.documents else _table(file.text)
        found = []
        for position, record in enumerate(records):
            origin = file.name if len(records) == 1 else f"{file.name}, run {position + 1}"
            if record.get(_OVERRIDE) != _WARM_UP:
                found.append(_test(Entry.of(record, origin, TOOL), record, origin))
        return found


def _records(documents: tuple[Any, ...]) -> Iterator[Any]:
    for one in documents:
        yield from one if isinstance(one, list) else (one,)


def _table(text: str) -> list[dict[str, Any]]:
    """The rows of a sweep's summary.csv: numbers as numbers, empty fields left out."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{key: _value(text) for key, text in row.items() if key and text not in (None, "")} for row in rows]


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _test(entry: Entry, record: Mapping[str, Any], origin: str) -> LoadTest:
    completed = entry.at("completed").count()
    failed = entry.maybe("failed")
    tried = entry.maybe("num_prompts")
    rows = _rows(entry, record) if "ttfts" in record else None
    spreads: dict[str, Any] = {name: _spread(record, key) for name, key in _TIMES.items()}
    if rows is not None:
        own = {"ttft_s": rows.ttft_s, "tpot_s": rows.tpot_s, "latency_s": rows.latency_s}
        spreads = {name: Spread.of(own[name]) if len(rows) else spread for name, spread in spreads.items()}
    images = _metadata(record, "images")
    visual = _metadata(record, "visual_tokens")
    engine = str(record.get("engine") or "")
    return LoadTest(
        origin=origin,
        tool=TOOL,
        tool_version=str(record.get("tool_version") or ""),
        model=entry.at("model_id").text(),
        **_load(entry, completed),
        input_tokens=entry.at("total_input_tokens").number() / max(completed, 1),
        input_counts=record.get("input_counts") or (ALL_TOKENS if _served(record) else None),
        generated_tokens=entry.at("total_output_tokens").number() / max(completed, 1),
        completed=completed,
        failed=failed.count() if failed else max(tried.count() - completed, 0) if tried else 0,
        duration_s=entry.at("duration").number(),
        throughput_per_s=entry.at("request_throughput").number(),
        **spreads,
        images=None if images is None else int(images),
        image=str(record.get("image") or ""),
        visual_tokens=None if visual is None else int(visual),
        engine=engine,
        engine_version=str(record.get("engine_version") or ""),
        settings=settings_of(record),
        rows=rows,
        run=f"{record.get('date', '')} {record['duration']}",
    )


def _served(record: Mapping[str, Any]) -> bool:
    """Whether input tokens are the server's count."""
    return "queue_times" in record and record.get("backend") in _OPENAI


_OPENAI = ("vllm", "openai", "openai-chat")
"""Backends of the client that ask for the server's count."""
_TIMES = {"ttft_s": "ttft", "tpot_s": "tpot", "latency_s": "e2el"}


def _load(entry: Entry, completed: int) -> dict[str, Any]:
    """Arrivals, rate, concurrency and burstiness."""
    bound = entry.maybe("max_concurrency")
    concurrency = None if bound is None else bound.count(1)
    rate = entry.at("request_rate")
    if entry.maybe("ramp_up_strategy"):
        raise rate.wrong("a constant rate: a ramp is no load that a rate describes")
    if rate.content == "inf" or rate.content == float("inf"):
        at_once = concurrency or max(completed, 1)
        return {"arrivals": CLOSED, "requests_per_second": None, "concurrency": at_once}
    bursts = entry.maybe("burstiness")
    shape = 1.0 if bursts is None else float("inf") if bursts.content == float("inf") else bursts.number()
    return {
        "arrivals": POISSON if shape == 1 else CONSTANT if shape == float("inf") else GAMMA,
        "requests_per_second": rate.number(),
        "concurrency": concurrency,
        "burstiness": 1.0 if shape == float("inf") else shape,
    }


def _spread(record: Mapping[str, Any], key: str) -> Spread:
    """Of the entries mean_ttft_ms, median_ttft_ms, p99_ttft_ms and others of its kind."""
    mean = number_of(record.get(f"mean_{key}_ms"))
    percentiles = {}
    for name, value in record.items():
        head, _, tail = str(name).partition("_")
        number = number_of(value)
        if tail == f"{key}_ms" and number is not None:
            percent = 50.0 if head == "median" else _percent(head)
            if percent is not None:
                percentiles[percent] = number * _MILLI
    return Spread(None if mean is None else mean * _MILLI, percentiles)


def _percent(head: str) -> float | None:
    """99.0 of "p99"."""
    try:
        return float(head[1:]) if head[:1] == "p" else None
    except ValueError:
        return None


def _rows(entry: Entry, record: Mapping[str, Any]) -> Rows:
    """Requests that succeeded; those that failed have an error, and no time to the first token."""
    ttfts = _numbers(entry.at("ttfts"))
    names = ("input_lens", "output_lens", "start_times", "latencies")
    columns = {name: _numbers(entry.at(name)) if record.get(name) else [None] * len(ttfts) for name in names}
    for name, column in columns.items():
        if len(column) != len(ttfts):
            raise entry.at(name).place.complaint(f"expected {len(ttfts)} requests, as in ttfts, got {len(column)}")
    if record.get("itls") and not record.get("latencies"):
        gaps = (sum(gap.number() for gap in one.each()) for one in entry.at("itls").each())
        columns["latencies"] = [first and first + rest for first, rest in zip(ttfts, gaps, strict=True)]
    errors = record.get("errors") or [""] * len(ttfts)
    good = [bool(first) and not error for first, error in zip(ttfts, errors, strict=False)]
    kept = [
        [value for value, fine in zip(column, good, strict=False) if fine]
        for column in (
            columns["start_times"],
            columns["input_lens"],
            columns["output_lens"],
            ttfts,
            columns["latencies"],
        )
    ]
    return Rows.of(*kept)


def _numbers(entry: Entry) -> list[float | None]:
    return [one.number() for one in entry.each()]


def _metadata(record: Mapping[str, Any], key: str) -> float | None:
    """A number that came as metadata, which are texts."""
    value = record.get(key)
    return number_of(_value(value) if isinstance(value, str) else value)
