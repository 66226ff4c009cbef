"""The summary of a run of AIPerf: profile_export_aiperf.json.

Read in AIPerf's `src/aiperf/common/models/export_models.py` (`JsonExportData`, `JsonMetricResult`),
`docs/reference/json-export-schema.md` (schema 1.0 to 1.5) and, for what was asked for, `src/aiperf/config` of 0.10 to
0.14 (`models`, `phases`, `datasets`) and `aiperf/common/config` before (`endpoint`, `loadgen`, `input`). Each value has
its unit beside it. Its inter-token latency of a request is our TPOT. Input tokens are those of the text, counted by
AIPerf, unless `use_server_token_count` was set.

Single requests stand in profile_export.jsonl (`aiperf_records`), the same numbers as here in a CSV (`aiperf_csv`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.base.errors import InputError
from planner.bench.loadtests.aiperf_records import AiPerfRecords, requests_of
from planner.bench.loadtests.entry import Entry, number_of
from planner.bench.loadtests.format import LoadTestFile, LoadTestFormat
from planner.bench.loadtests.load_test import (
    ALL_TOKENS,
    CLOSED,
    CONSTANT,
    GAMMA,
    POISSON,
    REPLAYED,
    TEXT_TOKENS,
    LoadTest,
    Spread,
)
from planner.bench.loadtests.said import Said
from planner.bench.loadtests.units import scale_of

TOOL = "AIPerf"
_NEEDED = {"request_throughput", "request_latency", "input_config"}
_RATES = {"poisson": POISSON, "gamma": GAMMA, "constant": CONSTANT}


class AiPerf(LoadTestFormat):
    """The summary in JSON, with the requests of the JSON Lines file beside it."""

    name = "aiperf"
    tool = TOOL
    takes = "an AIPerf export, profile_export_aiperf.json (or .csv), profile_export.jsonl"
    rank = 2

    def accepts(self, file: LoadTestFile) -> bool:
        content = file.documents[0] if len(file.documents) == 1 else None
        return isinstance(content, Mapping) and content.keys() >= _NEEDED

    def read(self, file: LoadTestFile, said: Said, beside: Sequence[LoadTestFile] = ()) -> list[LoadTest]:
        summary = Entry.of(file.documents[0], file.name, TOOL)
        records = [one for one in beside if AiPerfRecords().accepts(one)]
        if len(records) > 1:
            raise InputError(f"{file.name} has {len(records)} files of requests beside it, expected one")
        requests = requests_of(records[0]) if records else None
        cancelled = summary.maybe("was_cancelled")
        if cancelled is not None and cancelled.content is True:
            raise InputError(f"{file.name}: the run was cancelled, expected one that ended; measure again")
        completed = summary.at("request_count", "avg").count() if "request_count" in summary.content else None
        if completed is None:
            completed = summary.at("request_latency", "count").count()
        failed = summary.maybe("error_request_count", "avg")
        server = summary.maybe("input_config", "endpoint", "use_server_token_count")
        images, image = _images(summary)
        duration = summary.maybe("benchmark_duration")
        version = summary.maybe("aiperf_version")
        run = summary.maybe("benchmark_id")
        return [
            LoadTest(
                origin=file.name,
                tool=TOOL,
                tool_version="" if version is None else version.text(),
                model=_model(summary),
                **_load(summary),
                input_tokens=summary.at("input_sequence_length", "avg").number(),
                input_counts=ALL_TOKENS if server is not None and server.content is True else TEXT_TOKENS,
                generated_tokens=summary.at("output_sequence_length", "avg").number(),
                completed=completed,
                failed=0 if failed is None else failed.count(),
                duration_s=None if duration is None else duration.at("avg").number() * _unit(duration),
                throughput_per_s=summary.at("request_throughput", "avg").number(),
                ttft_s=_spread(summary, "time_to_first_token"),
                tpot_s=_spread(summary, "inter_token_latency"),
                latency_s=_spread(summary, "request_latency"),
                images=images,
                image=image,
                run="" if run is None else run.text(),
                rows=None if requests is None else requests.rows,
            )
        ]


def _unit(metric: Entry) -> float:
    """Seconds of one unit of a metric."""
    unit = metric.at("unit")
    found = scale_of(unit.text())
    if found is None:
        raise unit.wrong("a unit of time, such as 'ms'")
    return found


def _spread(summary: Entry, name: str) -> Spread:
    metric = summary.maybe(name)
    if metric is None:  # a test that does not stream has no first token
        return Spread()
    scale = _unit(metric)
    percentiles = {
        float(key[1:]): value * scale
        for key, one in metric.content.items()
        if key[:1] == "p" and key[1:].isdigit() and (value := number_of(one)) is not None
    }
    return Spread(metric.at("avg").number() * scale, percentiles)


def _model(summary: Entry) -> str:
    """The one model that was asked. Raises InputError for several, which share the numbers."""
    listed = summary.maybe("input_config", "models", "items") or summary.maybe(
        "input_config", "endpoint", "model_names"
    )
    if listed is None:
        return ""
    names = [one.at("name").text() if isinstance(one.content, Mapping) else one.text() for one in listed.each()]
    if len(names) > 1:
        raise listed.wrong("one model")
    return names[0] if names else ""


def _load(summary: Entry) -> dict[str, Any]:
    """Arrivals, rate, concurrency and burstiness."""
    phases = summary.maybe("input_config", "phases")
    return _of_flags(summary) if phases is None else _of_phase(_profiling(phases))


def _profiling(phases: Entry) -> Entry:
    """The one phase that is measured."""
    found = [one for one in phases.each() if one.content.get("kind", one.content.get("name")) != "warmup"]
    if len(found) != 1:
        raise phases.wrong("one phase that is measured: use the exports of the single phases")
    return found[0]


def _of_phase(phase: Entry) -> dict[str, Any]:
    kind = phase.at("type").text()
    bound = phase.maybe("concurrency")
    concurrency = None if bound is None else bound.count(1)
    if any(phase.maybe(name) for name in ("rate_ramp", "rate_series", "concurrency_ramp")):
        raise phase.wrong("a load that stays the same: a ramp is none that a rate describes")
    if kind == "concurrency":
        return {"arrivals": CLOSED, "requests_per_second": None, "concurrency": concurrency or 1}
    if kind in ("fixed_schedule", "user_centric"):
        return {"arrivals": REPLAYED, "requests_per_second": None, "concurrency": concurrency}
    if kind not in _RATES:
        raise phase.at("type").wrong(f"concurrency, {', '.join(_RATES)} or fixed_schedule")
    smooth = phase.maybe("smoothness")
    return {
        "arrivals": _RATES[kind],
        "requests_per_second": phase.at("rate").number(),
        "concurrency": concurrency,
        "burstiness": 1.0 if smooth is None else smooth.number(),
    }


def _of_flags(summary: Entry) -> dict[str, Any]:
    """Of versions that kept the options as they were given: what was left out has its default."""
    rate = summary.maybe("input_config", "loadgen", "request_rate")
    bound = summary.maybe("input_config", "loadgen", "concurrency")
    concurrency = None if bound is None else bound.count(1)
    if rate is None:
        return {"arrivals": CLOSED, "requests_per_second": None, "concurrency": concurrency or 1}
    mode = summary.maybe("input_config", "loadgen", "request_rate_mode") or summary.maybe(
        "input_config", "loadgen", "arrival_pattern"
    )
    kind = POISSON if mode is None else mode.text()
    if kind not in _RATES and mode is not None:
        raise mode.wrong(f"one of {', '.join(_RATES)}")
    return {"arrivals": _RATES[kind], "requests_per_second": rate.number(), "concurrency": concurrency}


def _images(summary: Entry) -> tuple[int | None, str]:
    """Images of a request and their size, where they are synthetic."""
    config = summary.at("input_config")
    datasets = config.maybe("datasets")
    own = next(datasets.each(), None) if datasets is not None else config.maybe("input")
    if own is None or (datasets is not None and own.content.get("type", "synthetic") != "synthetic"):
        return None, ""
    images = own.maybe("images") or own.maybe("image")
    if images is None:
        return (None if own.maybe("file") or own.maybe("public_dataset") else 0), ""
    batch = images.maybe("batch_size")
    number = (0 if datasets is not None else 1) if batch is None else batch.count()
    if not number:
        return 0, ""
    sides = [_side(images, name) for name in ("width", "height")]
    return number, "" if None in sides else f"{sides[0]}x{sides[1]}"


def _side(images: Entry, name: str) -> int | None:
    """Pixels of a side that is the same for all images; None for one that is drawn at random."""
    side = images.maybe(name)
    if side is None:
        return None
    if isinstance(side.content, Mapping):
        spread = side.maybe("stddev")
        if spread is not None and spread.number() > 0:
            return None
        side = side.maybe("value") or side.maybe("mean")
    return None if side is None else int(side.number())
