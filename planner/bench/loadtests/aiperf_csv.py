"""The summary of a run of AIPerf as a table: profile_export_aiperf.csv.

Read in AIPerf's `src/aiperf/exporters/metrics_csv_exporter.py` (0.14): rows "Metric, avg, min, max, p1 ... p99, std" of
the metrics of requests, an empty line, rows "Metric, Value" of the others. Names end in their unit: "Request Latency
(ms)". Numbers are rounded to a hundredth of their unit. Model, version and load are not there: they have to be said.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.bench.loadtests.aiperf_records import TOOL, said_load
from planner.bench.loadtests.format import LoadTestFile, LoadTestFormat
from planner.bench.loadtests.load_test import LoadTest, Spread
from planner.bench.loadtests.said import Said
from planner.bench.loadtests.units import scale_of

_HEAD = ["Metric", "avg", "min", "max"]
_NAME = re.compile(r"(?P<name>.+?)(?: \((?P<unit>[^()]*)\))?")


@dataclass(frozen=True)
class _Metric:
    unit: str
    values: Mapping[str, float]
    """By column: "avg", "p50"; "Value" of a metric that is no distribution."""


class AiPerfCsv(LoadTestFormat):
    """The summary in CSV."""

    name = "aiperf-csv"
    tool = TOOL
    takes = "the summary of AIPerf as a table, profile_export_aiperf.csv"
    rank = 0

    def accepts(self, file: LoadTestFile) -> bool:
        return next(csv.reader([file.first_line]), [])[: len(_HEAD)] == _HEAD

    def read(self, file: LoadTestFile, said: Said, beside: Sequence[LoadTestFile] = ()) -> list[LoadTest]:
        metrics = _metrics(file)
        latency = _metric(metrics, "Request Latency", file)
        throughput = _metric(metrics, "Request Throughput", file)
        count = _metric(metrics, "Request Count", file)
        failed = metrics.get("Error Request Count")
        duration = metrics.get("Benchmark Duration")
        return [
            LoadTest(
                origin=file.name,
                tool=TOOL,
                tool_version=said.tool_version,
                model=said.model,
                **said_load(said, file.name, "profile_export_aiperf.json"),
                input_tokens=_metric(metrics, "Input Sequence Length", file).values["avg"],
                input_counts=said.input_counts,
                generated_tokens=_metric(metrics, "Output Sequence Length", file).values["avg"],
                completed=int(count.values["Value"]),
                failed=0 if failed is None else int(failed.values["Value"]),
                duration_s=None if duration is None else _spread(duration, file).mean,
                throughput_per_s=throughput.values["Value"],
                ttft_s=_spread(metrics.get("Time to First Token"), file),
                tpot_s=_spread(metrics.get("Inter Token Latency"), file),
                latency_s=_spread(latency, file),
            )
        ]


def _metrics(file: LoadTestFile) -> dict[str, _Metric]:
    """Every metric of both tables by its name without the unit."""
    found: dict[str, _Metric] = {}
    columns: list[str] = []
    for number, row in enumerate(csv.reader(io.StringIO(file.text, newline="")), start=1):
        if not row or not any(row):
            continue
        if row[0] == "Metric":
            columns = row
            continue
        if "Metric" in row:  # of GPUs, which have a table of their own
            break
        name = _NAME.fullmatch(row[0].strip())
        if name is None or len(row) > len(columns):
            raise InputError(f"{file.name}, line {number}: expected a metric as AIPerf writes it, got {shown(row)}")
        try:
            values = {column: float(text) for column, text in zip(columns[1:], row[1:], strict=False) if text}
        except ValueError:
            raise InputError(f"{file.name}, line {number}: expected numbers, got {shown(row[1:])}") from None
        found[name["name"]] = _Metric(name["unit"] or "", values)
    return found


def _metric(metrics: Mapping[str, _Metric], name: str, file: LoadTestFile) -> _Metric:
    found = metrics.get(name)
    if found is None or not ({"avg", "Value"} & found.values.keys()):
        raise InputError(f"{file.name}: the metric {name} is missing; expected what AIPerf writes")
    return found


def _spread(metric: _Metric | None, file: LoadTestFile) -> Spread:
    if metric is None:
        return Spread()
    scale = scale_of(metric.unit)
    if scale is None:
        raise InputError(f"{file.name}: expected a unit of time such as 'ms', got {shown(metric.unit)}")
    percentiles = {
        float(column[1:]): value * scale
        for column, value in metric.values.items()
        if column[0] == "p" and column[1:].isdigit()
    }
    mean = metric.values.get("avg", metric.values.get("Value"))
    return Spread(None if mean is None else mean * scale, percentiles)
