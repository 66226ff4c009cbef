"""Measurements as a table in the long format: a row for each sample of each quantity, with all that it was taken under.

`quantity` names what it is with its unit, `value` the number in it: seconds for what ends in `_s`. Times have a row for
each sample, in the order in which they were taken (`sample` counts from 0 on); what is measured once has one row and no
`sample`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from planner.bench.measurement import Measurement

COLUMNS = (
    "llm", "visual_tokens", "vision", "compressor", "prompt_order", "precision", "params", "tensor_parallel", "image",
    "source", "batch", "mode", "method", "query_tokens", "generated_tokens", "cached_tokens", "system_tokens", "images",
    "device", "threads", "torch", "transformers", "vlm_planner", "measured_at", "stable",
    "quantity", "sample", "value",
)  # fmt: skip
_ENVIRONMENT = ("device", "threads", "torch", "transformers", "vlm_planner", "measured_at")


def rows(found: Iterable[Measurement]) -> Iterator[dict[str, Any]]:
    """A dictionary for each row, by the names in COLUMNS; None where there is nothing."""
    for one in found:
        shared = {
            **asdict(one.model),
            "batch": one.batch,
            "mode": one.mode,
            "method": one.method.kind,
            **asdict(one.workload),
            **{name: one.environment.get(name) for name in _ENVIRONMENT},
            "stable": one.stable,
        }
        for quantity, sample, value in _numbers(one):
            yield {**shared, "quantity": quantity, "sample": sample, "value": value}


def _numbers(one: Measurement) -> Iterator[tuple[str, int | None, float]]:
    for name, samples in one.samples.items():
        yield from ((f"{name}_s", number, value) for number, value in enumerate(samples.seconds))
    once: Mapping[str, float | None] = {
        **{f"{name}_flops": count for name, count in one.flops.items()},
        "weights_bytes": one.memory.weights_bytes,
        "kv_cache_bytes": one.memory.kv_cache_bytes,
        "peak_memory_bytes": one.memory.peak_bytes,
        "reserved_bytes": one.memory.reserved_bytes,
        "driver_bytes": one.memory.driver_bytes,
        "process_peak_bytes": None if one.process is None else one.process.peak_bytes,
        "build_s": None if one.process is None else one.process.build_s,
        "energy_joules": one.energy.joules,
        "matmul_flops_per_s": one.ceilings.matmul_flops_per_s,
        "copy_bytes_per_s": one.ceilings.copy_bytes_per_s,
        "read_bytes_per_s": one.ceilings.read_bytes_per_s,
    }
    yield from ((name, None, value) for name, value in once.items() if value is not None)


def csv_text(found: Iterable[Measurement]) -> str:
    """The table as CSV with a header, numbers at full precision."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(found))
    return stream.getvalue()
