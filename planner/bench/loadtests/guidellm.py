"""Reports of GuideLLM: benchmarks.json, one benchmark for each rate or concurrency.

Read in GuideLLM's `src/guidellm/benchmark/schemas` (report, benchmark, metrics), `schemas/request_stats.py` and
`scheduler/strategies.py` at 0.7.3 and after (commit ee7a774), and the same of 0.5 and 0.6, whose reports have `args`
in place of `config`. Its `inter_token_latency_ms` of a request is our TPOT; its `time_per_output_token_ms` holds the
first token too. In summaries the former is weighted by tokens, so where single requests are kept they are read instead.
Its prompt tokens are those that the server counted (`usage`), images included, unless `prefer_response_metrics` is off.

Requests of a warm-up or cool-down, where one was asked for, are no part of its numbers. Images
of synthetic data stand in the report's own configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from planner.bench.loadtests.entry import Entry
from planner.bench.loadtests.format import LoadTestFile, LoadTestFormat
from planner.bench.loadtests.load_test import (
    ALL_TOKENS,
    CLOSED,
    CONSTANT,
    POISSON,
    REPLAYED,
    TEXT_TOKENS,
    LoadTest,
    Rows,
    Spread,
)
from planner.bench.loadtests.said import Said

TOOL = "GuideLLM"
_MILLI = 1e-3
_KIND = "generative_benchmark"


class GuideLlm(LoadTestFormat):
    """A JSON report of GuideLLM 0.5 or later."""

    name = "guidellm"
    tool = TOOL
    takes = "a GuideLLM report, benchmarks.json of version 0.5 or later"

    def accepts(self, file: LoadTestFile) -> bool:
        if len(file.documents) != 1 or not isinstance(file.documents[0], Mapping):
            return False
        content = file.documents[0]
        metadata = content.get("metadata")
        return "benchmarks" in content and isinstance(metadata, Mapping) and "guidellm_version" in metadata

    def read(self, file: LoadTestFile, said: Said, beside: Sequence[LoadTestFile] = ()) -> list[LoadTest]:
        report = Entry.of(file.documents[0], file.name, TOOL)
        version = report.at("metadata", "guidellm_version").text()
        found = []
        for position, one in enumerate(report.at("benchmarks").each()):
            test = _test(one, f"{file.name}, benchmark {position + 1}", version, report)
            found.append(test)
        if not found:
            raise report.at("benchmarks").wrong("at least one benchmark")
        return found


def _test(one: Entry, origin: str, version: str, report: Entry) -> LoadTest:
    metrics = one.at("metrics")
    totals = metrics.at("request_totals")
    completed = totals.at("successful").count()
    duration = one.at("end_time").number() - one.at("start_time").number()
    rows = _rows(one, completed)
    served = one.maybe("config", "prefer_response_metrics")
    counts = ALL_TOKENS if served is None or served.content is True else TEXT_TOKENS
    per_request = Spread() if rows is None else Spread.of(rows.tpot_s)
    images, image = _images(report)
    return LoadTest(
        origin=origin,
        tool=TOOL,
        tool_version=version,
        model=_model(one, report),
        **_load(one, completed),
        input_tokens=_input_tokens(metrics),
        input_counts=counts,
        generated_tokens=metrics.at("output_token_count", "successful", "mean").number(),
        completed=completed,
        failed=totals.at("errored").count(),
        duration_s=duration or None,
        throughput_per_s=completed / duration if duration else None,
        ttft_s=_spread(metrics, "time_to_first_token_ms", _MILLI),
        tpot_s=per_request if per_request.known else _spread(metrics, "inter_token_latency_ms", _MILLI),
        latency_s=_spread(metrics, "request_latency", 1.0),
        images=images,
        image=image,
        trimmed=_trimmed(one),
        run=str(one.at("config").content.get("id_", "")),
        rows=rows,
    )


def _trimmed(one: Entry) -> bool:
    """Whether a warm-up was left out."""
    places = (one.maybe("config", "warmup", name) for name in ("percent", "value"))
    return any(place is not None and place.number() > 0 for place in places)


def _load(one: Entry, completed: int) -> dict[str, Any]:
    strategy = one.at("config", "strategy")
    kind = strategy.at("type_")
    read = _STRATEGIES.get(kind.text())
    if read is None:
        raise kind.wrong(f"one of {', '.join(_STRATEGIES)}")
    return {"requests_per_second": None, "concurrency": None} | read(strategy, completed)


def _bound(strategy: Entry) -> int | None:
    most = strategy.maybe("max_concurrency")
    return None if most is None else most.count(1)


_STRATEGIES: Mapping[str, Callable[[Entry, int], dict[str, Any]]] = {
    "synchronous": lambda one, completed: {"arrivals": CLOSED, "concurrency": 1},
    "concurrent": lambda one, completed: {"arrivals": CLOSED, "concurrency": one.at("streams").count(1)},
    "throughput": lambda one, completed: {"arrivals": CLOSED, "concurrency": _bound(one) or max(completed, 1)},
    "constant": lambda one, completed: {
        "arrivals": CONSTANT,
        "requests_per_second": one.at("rate").number(),
        "concurrency": _bound(one),
    },
    "poisson": lambda one, completed: {
        "arrivals": POISSON,
        "requests_per_second": one.at("rate").number(),
        "concurrency": _bound(one),
    },
    "trace": lambda one, completed: {"arrivals": REPLAYED},
}
"""Type of a GuideLLM strategy -> the load that it makes."""


def _model(one: Entry, report: Entry) -> str:
    places = (
        one.maybe("config", "backend", "model"),
        report.maybe("config", "spec", "backend", "model"),
        report.maybe("args", "model"),
    )
    return next((str(place.content) for place in places if place is not None and place.content), "")


def _input_tokens(metrics: Entry) -> float:
    """Of a request as the server counted them; where images are counted beside that, they are part of it already."""
    text = metrics.maybe("text", "tokens", "input", "successful", "mean")
    return (text or metrics.at("prompt_token_count", "successful", "mean")).number()


def _spread(metrics: Entry, name: str, unit: float) -> Spread:
    summary = metrics.at(name, "successful")
    if not summary.at("count").count():
        return Spread()
    listed = summary.at("percentiles")
    percentiles = {percent: listed.at(key).number() * unit for key, percent in _PERCENTS.items()}
    return Spread(summary.at("mean").number() * unit, percentiles)


_PERCENTS = {"p05": 5.0, "p10": 10.0, "p25": 25.0, "p50": 50.0, "p75": 75.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
"""Names in a report -> percent."""


def _rows(one: Entry, completed: int) -> Rows | None:
    """All requests that succeeded, warm-up included, as they were sent; None where the report keeps a sample."""
    listed = one.maybe("requests", "successful")
    if listed is None or not isinstance(listed.content, list) or len(listed.content) < max(completed, 1):
        return None
    requests = list(listed.each())
    return Rows.of(
        [request.at("request_start_time").number() for request in requests],
        [_first(request, ("input_metrics", "text_tokens"), ("prompt_tokens",)) for request in requests],
        [_first(request, ("output_tokens",)) for request in requests],
        [_scaled(request, "time_to_first_token_ms") for request in requests],
        [_latency(request) for request in requests],
    )


def _first(entry: Entry, *places: tuple[str, ...]) -> float | None:
    found = next((one for keys in places if (one := entry.maybe(*keys)) is not None), None)
    return None if found is None else found.number()


def _scaled(entry: Entry, name: str) -> float | None:
    found = entry.maybe(name)
    return None if found is None else found.number() * _MILLI


def _latency(request: Entry) -> float | None:
    """Up to the last token, so that TPOT is what GuideLLM calls the inter-token latency."""
    first, gap, tokens = (request.maybe(name) for name in ("time_to_first_token_ms", "inter_token_latency_ms",
                                                           "output_tokens"))  # fmt: skip
    if first is None or gap is None or tokens is None:
        return _first(request, ("request_latency",))
    return (first.number() + gap.number() * max(tokens.number() - 1, 0)) * _MILLI


def _images(report: Entry) -> tuple[int | None, str]:
    """Images of a request and their size, where the data are synthetic."""
    data = report.maybe("config", "spec", "data")
    if data is None or not isinstance(data.content, list):
        return None, ""
    kinds = [one for one in data.each() if isinstance(one.content, Mapping)]
    shown = [one for one in kinds if one.content.get("kind") == "synthetic_image"]
    if not shown:
        return (0, "") if kinds and all(one.content.get("kind") == "synthetic_text" for one in kinds) else (None, "")
    width, height = shown[0].maybe("width"), shown[0].maybe("height")
    size = "" if width is None or height is None else f"{width.count(1)}x{height.count(1)}"
    number = shown[0].maybe("images_per_request")
    return 1 if number is None else number.count(1), size
