"""The story of a calibration to a serving engine: how well it predicts tests it did not see, then its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from planner.bench.calibration.engine_result import EngineCalibration
from planner.bench.calibration.result import Parameter
from planner.tell import values as v
from planner.tell.calibration import note_of, range_of, sizes
from planner.tell.document import (
    Block,
    Document,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    line,
    remarks,
    sentence,
)

TITLES = {
    "throughput": "requests/s",
    "ttft_mean": "TTFT, mean",
    "ttft_p50": "TTFT, p50",
    "ttft_p95": "TTFT, p95",
    "ttft_p99": "TTFT, p99",
    "tpot_mean": "TPOT, mean",
    "tpot_p50": "TPOT, p50",
    "tpot_p95": "TPOT, p95",
    "tpot_p99": "TPOT, p99",
}
"""Numbers that are shown."""
_COLUMNS = {
    "before": "uncalibrated",
    "fitted": "all tests",
    "left_out": "other tests",
    "left_out_file": "other files",
    "left_out_model": "other models",
}
_HOST = {"step_s": "host, each iteration", "prefill_s": "host, prefill", "request_s": "host, request"}


def engine_calibration_story(found: EngineCalibration) -> Document:
    """Errors before and after, what the tests determine, each test."""
    origin = sentence(found.hardware.efficiency.origin, "origin of the efficiencies")
    return Document(
        kind="engine calibration",
        title="Calibration to an engine",
        heading=line(foreign(found.engine, "engine"), " on ", foreign(found.hardware.title, "hardware")),
        opening=(Paragraph(line(origin)), *remarks("note", found.notes)),
        sections=(
            Section("errors", "How well it predicts", tuple(_errors(found))),
            Section("reached", "What the tests determine", (_parameters(found),)),
            Section("tests", "The tests", (_tests(found),)),
        ),
        sources={"calibration": found.to_dict()},
    )


def _errors(found: EngineCalibration) -> Iterator[Block]:
    columns = [name for name in _COLUMNS if any(found.errors(name, number) for number in TITLES)]
    rows: list[tuple[Line, ...]] = []
    for number, title in TITLES.items():
        errors = {name: found.errors(name, number) for name in columns}
        if any(errors.values()):
            rows.append((line(title), *(sizes(errors[name], f"{title}, {_COLUMNS[name]}") for name in columns)))
    counts = sum(not one.left for one in found.tests)
    count = v.count(counts, "tests that count")
    caption = line("size of errors over ", count, f" test{'' if counts == 1 else 's'}: median (nine of ten)")
    yield Table(caption, ("", *(_COLUMNS[name] for name in columns)), tuple(rows))
    yield Paragraph(line("uncalibrated: the start; other tests, files and models: by a fit that did not see the test"))


def _parameters(found: EngineCalibration) -> Table:
    rows = []
    for one in found.parameters:
        title = _HOST.get(one.name, one.name if one.name.startswith("max_") else one.name.replace("_", " "))
        start, value = _value(one, one.start, f"{title} before"), _value(one, one.value, title)
        interval = () if one.low == one.high else range_of(one, title, _value)
        rows.append((line(foreign(title, "parameter")), line(start), line(value), interval, line(note_of(one))))
    columns = ("", "before", "value", v.interval_title(), "note")
    return Table(line("numbers of the profile and the scheduler"), columns, tuple(rows), words=frozenset({"note"}))


def _value(one: Parameter, value: float, what: str) -> Value:
    if one.name in _HOST:
        return v.seconds(value, what)
    return v.count(round(value), what) if one.name.startswith("max_") else v.significant(value, what)


def _tests(found: EngineCalibration) -> Table:
    several = len({one.model for one in found.tests}) > 1
    rows = []
    for one in found.tests:
        ttft, tpot = (_pair(one.measured, one.predicted.get("left_out", {}), what) for what in ("ttft", "tpot"))
        rows.append(
            (
                line(foreign(f"{one.origin}, {one.model}" if several else one.origin, "load test")),
                line(foreign(one.load, "load")),
                line(f"{one.prompt_tokens} + {one.generated_tokens}"),
                line(v.share(one.utilisation, 1.0, "utilisation"), "*" if one.left else ""),
                ttft,
                tpot,
            )
        )
    columns = ("", "load", "tokens", "of the most", "TTFT p50", "TPOT p50")
    caption = line("measured, and predicted without the test; * its times do not count")
    return Table(caption, columns, tuple(rows))


def _pair(measured: Mapping[str, float], predicted: Mapping[str, float], what: str) -> Line:
    """ "120 ms, 118 ms": by the middle request, or the mean where there is none."""
    for name in (f"{what}_p50", f"{what}_mean"):
        if name in measured and name in predicted:
            title = TITLES[name]
            return line(
                v.seconds(measured[name], f"{title}, measured"), ", ", v.seconds(predicted[name], f"{title}, predicted")
            )
    return ("-",)
