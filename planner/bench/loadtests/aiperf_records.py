"""The requests of a run of AIPerf, one in each line: profile_export.jsonl.

Read in AIPerf's `src/aiperf/common/models/record_export_models.py` and `common/metric_records_wire.py`, and in its page
"Working with profile export files" (0.14). A line has `metadata` (times in nanoseconds), `metrics` (each with its unit)
and `error`. Model and load stand in the summary alone: without it beside, they have to be said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.bench.loadtests.entry import Entry
from planner.bench.loadtests.format import LoadTestFile, LoadTestFormat
from planner.bench.loadtests.load_test import CLOSED, POISSON, LoadTest, Rows, Spread
from planner.bench.loadtests.said import Said
from planner.bench.loadtests.units import scale_of

TOOL = "AIPerf"
_NANO = 1e-9
_WARM_UP = "warmup"


@dataclass(frozen=True, eq=False)
class Requests:
    """What a file of requests holds."""

    rows: Rows
    failed: int
    duration_s: float
    """From the first start to the last end."""


class AiPerfRecords(LoadTestFormat):
    """The requests alone."""

    name = "aiperf-records"
    tool = TOOL
    takes = "requests of AIPerf, profile_export.jsonl"
    rank = 1

    def accepts(self, file: LoadTestFile) -> bool:
        return bool(file.documents) and all(
            isinstance(one, Mapping)
            and isinstance(one.get("metrics"), Mapping)
            and isinstance(one.get("metadata"), Mapping)
            and "request_start_ns" in one["metadata"]
            for one in file.documents
        )

    def read(self, file: LoadTestFile, said: Said, beside: Sequence[LoadTestFile] = ()) -> list[LoadTest]:
        found = requests_of(file)
        rows = found.rows
        if not len(rows):
            raise InputError(f"{file.name}: expected requests that succeeded, got none")
        return [
            LoadTest(
                origin=file.name,
                tool=TOOL,
                tool_version=said.tool_version,
                model=said.model,
                **said_load(said, file.name, "profile_export_aiperf.json"),
                input_tokens=float(rows.input_tokens.mean()),
                input_counts=said.input_counts,
                generated_tokens=float(rows.generated_tokens.mean()),
                completed=len(rows),
                failed=found.failed,
                duration_s=found.duration_s or None,
                throughput_per_s=len(rows) / found.duration_s if found.duration_s else None,
                ttft_s=Spread.of(rows.ttft_s),
                tpot_s=Spread.of(rows.tpot_s),
                latency_s=Spread.of(rows.latency_s),
                rows=rows,
            )
        ]


def said_load(said: Said, name: str, better: str) -> dict[str, Any]:
    """The load, which neither of the small files of AIPerf says. Raises InputError where it is not said either."""
    if said.requests_per_second is None and said.concurrency is None:
        raise InputError(
            f"{name} does not say its load: put {better} beside it, or say requests_per_second or concurrency"
        )
    return {
        "arrivals": CLOSED if said.requests_per_second is None else POISSON,
        "requests_per_second": said.requests_per_second,
        "concurrency": said.concurrency,
    }


def requests_of(file: LoadTestFile) -> Requests:
    """The requests in a file. Raises InputError for a damaged one."""
    columns: list[tuple[float | None, ...]] = []
    failed, ends = 0, []
    starts = []
    for number, document in enumerate(file.documents, start=1):
        line = Entry.of(document, f"{file.name}, line {number}", TOOL)
        phase = line.maybe("metadata", "benchmark_phase")
        if phase is not None and phase.content == _WARM_UP:
            continue
        start = line.at("metadata", "request_start_ns").number() * _NANO
        if line.maybe("error") is not None:
            failed += 1
            continue
        starts.append(start)
        ends.append(line.at("metadata", "request_end_ns").number() * _NANO)
        latency = _seconds(line, "request_latency")
        tokens = _count(line, "output_sequence_length")
        first, gap = _seconds(line, "time_to_first_token"), _seconds(line, "inter_token_latency")
        if first is not None and gap is not None and tokens is not None:
            latency = first + gap * max(tokens - 1, 0)
        columns.append((start, _count(line, "input_sequence_length"), tokens, first, latency))
    rows = Rows.of(*zip(*columns, strict=True)) if columns else Rows.of((), (), (), (), ())
    return Requests(rows, failed, max(ends) - min(starts) if ends else 0.0)


def _seconds(line: Entry, name: str) -> float | None:
    metric = line.maybe("metrics", name)
    if metric is None:
        return None
    unit = metric.at("unit")
    scale = scale_of(unit.text())
    if scale is None:
        raise unit.wrong("a unit of time, such as 'ms'")
    return metric.at("value").number() * scale


def _count(line: Entry, name: str) -> float | None:
    value = line.maybe("metrics", name, "value")
    return None if value is None else value.number()
